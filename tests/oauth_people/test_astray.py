"""Nobody is led to a stranger's website by a link to us (RFC 9700 section 4.11.2)."""

import pytest

from authz_sidecar.oauth.client import Client, Origin
from tests.oauth_people.house import Browser, House, gone, told

EVIL = "https://evil.example/back"
LOOPBACK = "http://127.0.0.1/callback"


def _meet(server: House, origin: Origin, redirect_uri: str) -> None:
    client = Client(id="newcomer", origin=origin, name="Bank", redirect_uris=(redirect_uri,))
    server.known.clients["newcomer"] = client


WAYS = [
    pytest.param({"scope": "nothing:here"}, id="a scope that does not exist"),
    pytest.param({"code_challenge": ""}, id="no challenge"),
    pytest.param({"prompt": "none"}, id="a silent request"),
]


@pytest.mark.parametrize("changed", WAYS)
@pytest.mark.parametrize("origin", [Origin.REGISTERED, Origin.DOCUMENT])
async def test_a_strangers_website_is_not_gone_to_unasked(
    server: House, browser: Browser, origin: Origin, changed: dict[str, str]
) -> None:
    _meet(server, origin, EVIL)
    page = await browser.ask(client_id="newcomer", **changed)
    assert page.status_code == 400
    assert "location" not in page.headers
    assert "http-equiv" not in page.text
    assert "evil.example</bdi>" in page.text
    assert "Nothing was allowed" in page.text


@pytest.mark.parametrize("changed", WAYS)
@pytest.mark.parametrize(
    ("origin", "redirect_uri"),
    [
        pytest.param(Origin.CONFIGURED, EVIL, id="one whom the operator knows"),
        pytest.param(Origin.REGISTERED, LOOPBACK, id="an app on this computer"),
        pytest.param(Origin.REGISTERED, "com.example.app:/back", id="an app on this device"),
    ],
)
async def test_who_leads_nobody_astray_is_answered_at_once(
    server: House, browser: Browser, origin: Origin, redirect_uri: str, changed: dict[str, str]
) -> None:
    _meet(server, origin, redirect_uri)
    answer = await browser.ask(client_id="newcomer", **changed)
    assert answer.status_code == 303
    assert gone(answer).startswith(redirect_uri)
    assert "error" in told(gone(answer))


async def test_a_no_to_a_stranger_leads_nowhere_by_itself(server: House, browser: Browser) -> None:
    _meet(server, Origin.REGISTERED, EVIL)
    page = await browser.decline(await browser.log_in(await browser.ask(client_id="newcomer")))
    assert "http-equiv" not in page.text
    assert f'href="{EVIL}?error=access_denied' in page.text


async def test_a_yes_to_a_stranger_goes_there_and_the_next_one_is_silent(server: House, browser: Browser) -> None:
    _meet(server, Origin.REGISTERED, EVIL)
    answer = await browser.allow(await browser.log_in(await browser.ask(client_id="newcomer")))
    assert "code" in told(gone(answer))
    again = await browser.ask(client_id="newcomer", prompt="none")
    assert again.status_code == 303
    assert "code" in told(gone(again))


async def test_a_silent_request_that_waits_for_a_login_leads_nowhere_by_itself(server: House, browser: Browser) -> None:
    _meet(server, Origin.REGISTERED, EVIL)
    page = await browser.ask(client_id="newcomer")
    server.known.clients["newcomer"] = Client(
        id="newcomer", origin=Origin.REGISTERED, redirect_uris=(EVIL,), scope=("x",)
    )
    refused = await browser.log_in(page)
    assert "http-equiv" not in refused.text
    assert "evil.example</bdi>" in refused.text


async def test_who_signs_out_is_signed_out_whatever_became_of_the_request(server: House, browser: Browser) -> None:
    _meet(server, Origin.CONFIGURED, EVIL)
    page = await browser.log_in(await browser.ask(client_id="newcomer"))
    del server.known.clients["newcomer"]
    assert (await browser.send(page, "/logout")).status_code == 400
    assert (await browser.get("/account")).headers["location"] == "/login"


async def test_why_a_request_cannot_be_trusted_is_said_in_the_language_of_the_reader(server: House) -> None:
    async with server.browser(**{"accept-language": "ko"}) as korean:
        assert "등록되지 않은 앱입니다" in (await korean.ask(client_id="nobody")).text


async def test_a_browser_is_told_in_words_that_the_database_is_away(server: House) -> None:
    async with server.browser(accept="text/html,*/*", **{"accept-language": "ko"}) as browser:
        page = await browser.log_in()
        assert page.status_code == 200
        async with server.store.write() as db:
            await db.exec_driver_sql("DROP TABLE people_sessions")
        away = await browser.get("/account")
        assert (away.status_code, away.headers["retry-after"]) == (503, "5")
        assert "다시 시도하세요" in away.text
        assert "frame-ancestors 'none'" in away.headers["content-security-policy"]
    async with server.browser() as program:
        program.http.cookies.set("__Host-authz-session", "x" * 43)
        assert (await program.get("/account")).json()["error"] == "temporarily_unavailable"
