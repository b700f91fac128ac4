"""People see what they allowed and where they are signed in, and end each of them."""

import re

import pytest

from authz_sidecar.oauth.people.consents import Consents
from authz_sidecar.oauth.people.sessions import IDLE_SECONDS, LIFE_SECONDS, Sessions, described
from tests.oauth_people.house import Browser, House, fields, gone

CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


async def _allow(browser: Browser, **asked: str) -> None:
    page = await browser.ask(**asked)
    gone(await browser.allow(await browser.log_in(page) if 'name="password"' in page.text else page))


async def test_nobody_sees_it_without_a_login(browser: Browser) -> None:
    answer = await browser.get("/account")
    assert answer.headers["location"] == "/login"


async def test_it_shows_every_app_with_its_scopes_in_words(browser: Browser) -> None:
    await _allow(browser, scope="tickets:read stock:read")
    await _allow(browser, client_id="registered-1")
    page = (await browser.get("/account")).text
    for word in ("Team Assistant", "Desk Tool", "Ops assistant", "Read tickets", "stock:read", "15 Jan 2027"):
        assert word in page
    assert "No app has access" not in page


async def test_a_grant_without_a_consent_is_shown_too_and_can_be_withdrawn(server: House, browser: Browser) -> None:
    await _allow(browser)
    await Consents(server.store, server.clock).forget("alice", "assistant")
    page = await browser.get("/account")
    assert page.text.count("Team Assistant") > 1
    assert "Read tickets" in page.text
    await browser.send(page, "/account/withdraw", client="assistant")
    assert await server.grants.of("alice") == ()


@pytest.mark.parametrize("form", ["/consent", "/logout", "/account/withdraw", "/account/sessions"])
async def test_the_address_of_a_form_leads_home(browser: Browser, form: str) -> None:
    answer = await browser.get(form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")


async def test_it_says_when_there_is_nothing(browser: Browser) -> None:
    assert "No app has access" in (await browser.log_in()).text


async def test_withdrawing_forgets_the_consent_and_revokes_the_grants(server: House, browser: Browser) -> None:
    await _allow(browser)
    await _allow(browser, scope="tickets:read tickets:write")
    await _allow(browser, client_id="registered-1")
    assert len(await server.grants.of("alice")) == 3
    page = await browser.send(await browser.get("/account"), "/account/withdraw", client="assistant")
    assert "Access was withdrawn" in page.text
    assert "Team Assistant" not in page.text
    assert [one.client_id for one in await server.grants.of("alice")] == ["registered-1"]
    assert 'name="decision"' in (await browser.ask()).text


async def test_nobody_withdraws_for_another(server: House, browser: Browser) -> None:
    await _allow(browser)
    await server.add("bob")
    async with server.browser() as other:
        await _allow_as(other, "bob")
        await other.send(await other.get("/account"), "/account/withdraw", client="assistant")
    assert [one.subject for one in await server.grants.of("alice")] == ["alice"]
    assert (await browser.ask()).status_code == 303


async def _allow_as(browser: Browser, name: str) -> None:
    gone(await browser.allow(await browser.log_in(await browser.ask(), name=name)))


async def test_another_browser_can_be_signed_out(server: House, browser: Browser) -> None:
    await browser.log_in()
    async with server.browser(**{"user-agent": CHROME}) as other:
        await other.log_in()
        page = await browser.get("/account")
        assert "Chrome, Windows" in page.text
        name = next(one for one in re.findall(r'name="session" value="([^"]+)"', page.text))
        done = await browser.send(page, "/account/sessions", session=name)
        assert "The browser was signed out" in done.text
        assert (await other.get("/account")).status_code == 303
    assert (await browser.get("/account")).status_code == 200


async def test_every_other_browser_can_be_signed_out_at_once(server: House, browser: Browser) -> None:
    await browser.log_in()
    async with server.browser() as second, server.browser() as third:
        await second.log_in()
        await third.log_in()
        page = await browser.get("/account")
        await browser.send(page, "/account/sessions", session="")
        assert {(await one.get("/account")).status_code for one in (second, third)} == {303}
    assert "this browser" in (await browser.get("/account")).text


async def test_nobody_ends_the_session_of_another(server: House, browser: Browser) -> None:
    await browser.log_in()
    await server.add("bob")
    async with server.browser() as first, server.browser() as second:
        await first.log_in(name="bob")
        await second.log_in(name="bob")
        page = await first.get("/account")
        (theirs,) = re.findall(r'name="session" value="([^"]+)"', page.text)
        token = fields(await browser.ask(), "/logout")["csrf"]
        await browser.http.post("/account/sessions", data={"csrf": token, "session": theirs})
        assert (await second.get("/account")).status_code == 200


async def test_signing_out_ends_the_session_on_the_server_too(server: House, browser: Browser) -> None:
    page = await browser.log_in()
    secret = browser.http.cookies["__Host-authz-session"]
    bye = await browser.send(page, "/logout")
    assert "signed out" in bye.text
    assert "__Host-authz-session" not in browser.http.cookies
    async with server.browser() as thief:
        thief.http.cookies.set("__Host-authz-session", secret)
        assert (await thief.get("/account")).status_code == 303


@pytest.mark.parametrize("action", ["/account/withdraw", "/account/sessions", "/logout"])
async def test_a_form_of_a_session_that_is_over_does_nothing(server: House, browser: Browser, action: str) -> None:
    await _allow(browser)
    page = await browser.get("/account")
    sent = fields(page, "/logout") | {"client": "assistant", "session": ""}
    server.clock.now += IDLE_SECONDS
    answer = await browser.http.post(action, data=sent)
    assert answer.status_code == (200 if action == "/logout" else 303)
    assert len(await server.grants.of("alice")) == 1


async def test_a_session_that_nobody_uses_ends(server: House, browser: Browser) -> None:
    await browser.log_in()
    server.clock.now += IDLE_SECONDS - 1
    assert (await browser.get("/account")).status_code == 200
    server.clock.now += IDLE_SECONDS - 1
    assert (await browser.get("/account")).status_code == 200
    server.clock.now += IDLE_SECONDS
    assert (await browser.get("/account")).status_code == 303


async def test_no_session_lives_for_ever(server: House, browser: Browser) -> None:
    await browser.log_in()
    began = server.clock.now
    while server.clock.now < began + LIFE_SECONDS - 1_800:
        server.clock.now += 1_800
        assert (await browser.get("/account")).status_code == (200 if server.clock.now < began + LIFE_SECONDS else 303)
    server.clock.now = began + LIFE_SECONDS
    assert (await browser.get("/account")).status_code == 303


async def test_somebody_has_twenty_sessions_at_most(server: House, browser: Browser) -> None:
    await browser.log_in()
    for _ in range(20):
        server.clock.now += 1
        async with server.browser() as other:
            await other.log_in()
    assert (await browser.get("/account")).status_code == 303


@pytest.mark.parametrize("done", ["", "nonsense", "<b>", "withdrawn_"])
async def test_only_our_own_words_are_shown_as_done(browser: Browser, done: str) -> None:
    await browser.log_in()
    page = await browser.http.get("/account", params={"done": done})
    assert page.status_code == 200
    assert 'role="status"' not in page.text


async def test_a_resource_that_is_gone_is_shown_by_its_uri(server: House, browser: Browser) -> None:
    await _allow(browser)
    object.__setattr__(server.settings, "resources", ())
    page = (await browser.get("/account")).text
    assert "https://ops.example/mcp" in page
    assert "tickets:read" in page


async def test_a_password_that_changes_ends_every_session(server: House, browser: Browser) -> None:
    await browser.log_in()
    await server.accounts.set_password("alice", server.passwords.hash("another password"))
    assert (await browser.get("/account")).status_code == 303


@pytest.mark.parametrize("secret", ["", "x", "x" * 65, "é" * 20, "\x00"])
async def test_a_cookie_that_is_no_session_opens_nothing(server: House, secret: str) -> None:
    async with server.browser() as browser:
        browser.http.headers["cookie"] = f"__Host-authz-session={secret}"
        assert (await browser.get("/account")).status_code == 303


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        pytest.param(CHROME, "Chrome, Windows", id="Chrome"),
        pytest.param(CHROME + " Edg/140.0", "Edge, Windows", id="Edge"),
        pytest.param(
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox, Linux", id="Firefox"
        ),
        pytest.param(
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari, iPhone",
            id="iPhone",
        ),
        pytest.param(
            "Mozilla/5.0 (Linux; Android 15) SamsungBrowser/28.0 Chrome/130.0",
            "Samsung Internet, Android",
            id="Samsung",
        ),
        pytest.param("curl/8", "", id="no browser"),
        pytest.param("<script>Chrome/1", "Chrome", id="a text that lies"),
    ],
)
def test_a_browser_is_said_in_a_word_or_two(agent: str, said: str) -> None:
    assert described(agent) == said


async def test_a_session_that_begins_as_the_account_is_disabled_opens_nothing(server: House) -> None:
    # The password was compared a moment before.
    await server.accounts.set_disabled("alice", True)
    sessions = Sessions(server.store, server.clock)
    assert await sessions.find(await sessions.begin("alice", browser="")) is None
