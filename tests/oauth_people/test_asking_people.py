"""A person is asked what a client wants, and their answer goes to the client."""

from urllib.parse import parse_qsl

import pytest

from authz_sidecar.oauth.people.asking import after_login
from tests.oauth_people.house import Browser, House, gone, query, told

CALLBACK = "http://127.0.0.1:4711/callback"
ON_DEVICE = {"client_id": "desktop", "redirect_uri": CALLBACK}


async def test_who_logs_in_and_allows_sends_a_code_to_the_client(browser: Browser) -> None:
    login = await browser.ask()
    assert login.status_code == 200
    assert "Team Assistant" in login.text
    consent = await browser.log_in(login)
    for word in ("Team Assistant", "Ops assistant", "app.example", "Read tickets", "tickets:read", "Alice Kim"):
        assert word in consent.text
    answer = gone(await browser.allow(consent))
    assert answer.startswith("https://app.example/back?")
    assert told(answer).keys() == {"code", "state", "iss"}
    assert told(answer)["state"] == "xyz"


async def test_the_second_time_is_silent(browser: Browser) -> None:
    await browser.allow(await browser.log_in(await browser.ask()))
    answer = await browser.ask()
    assert answer.status_code == 303
    assert "code" in told(gone(answer))


async def test_a_login_after_which_nothing_is_to_be_asked_leads_on_by_a_page(server: House, browser: Browser) -> None:
    # A redirect to another origin behind a form would be stopped by `form-action`.
    await browser.allow(await browser.log_in(await browser.ask()))
    async with server.browser() as other:
        answer = await other.log_in(await other.ask())
        assert answer.status_code == 200
        assert "code" in told(gone(answer))


async def test_declining_tells_the_client_and_is_not_remembered(browser: Browser) -> None:
    declined = told(gone(await browser.decline(await browser.log_in(await browser.ask()))))
    assert declined["error"] == "access_denied"
    assert declined["state"] == "xyz"
    assert (await browser.ask()).status_code == 200


async def test_a_wider_request_asks_again_and_shows_what_is_new(browser: Browser) -> None:
    await browser.allow(await browser.log_in(await browser.ask()))
    page = await browser.ask(scope="tickets:read tickets:write")
    assert "Allow more for" in page.text
    new, old = page.text.index("Create and change tickets"), page.text.index("Read tickets")
    assert page.text.index("Allowed already") > new
    assert page.text.index("Allowed already") < old
    assert 'class="fresh"' in page.text
    await browser.allow(page)
    # A narrower one afterwards is covered.
    assert (await browser.ask()).status_code == 303
    assert (await browser.ask(scope="tickets:read tickets:write")).status_code == 303


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"client_id": "https://tool.example/client.json"}, id="another client"),
        pytest.param({"scope": "stock:read"}, id="another scope"),
        pytest.param({"prompt": "consent"}, id="a client that wants us to ask"),
    ],
)
async def test_what_was_not_agreed_to_is_asked(browser: Browser, changed: dict[str, str]) -> None:
    await browser.allow(await browser.log_in(await browser.ask()))
    page = await browser.ask(**changed)
    assert page.status_code == 200
    assert 'name="decision"' in page.text


async def test_another_person_is_asked_for_themselves(server: House, browser: Browser) -> None:
    await browser.allow(await browser.log_in(await browser.ask()))
    await server.add("bob")
    async with server.browser() as other:
        assert 'name="decision"' in (await other.log_in(await other.ask(), name="bob")).text


@pytest.mark.parametrize(
    ("client_id", "silent"),
    [
        pytest.param("registered-1", True, id="an id that one installation alone knows"),
        pytest.param("backend", True, id="a client that proves who it is"),
        pytest.param("desktop", False, id="an id that every installation shares"),
    ],
)
async def test_an_app_on_this_computer_is_remembered_when_no_other_can_pose_as_it(
    browser: Browser, client_id: str, silent: bool
) -> None:
    asked = {"client_id": client_id, "redirect_uri": "http://127.0.0.1/callback"}
    await browser.allow(await browser.log_in(await browser.ask(**asked)))
    assert ((await browser.ask(**asked)).status_code == 303) is silent


async def test_the_port_of_an_app_on_this_computer_may_change(browser: Browser) -> None:
    asked = {"client_id": "registered-1"}
    await browser.allow(await browser.log_in(await browser.ask(**asked, redirect_uri=CALLBACK)))
    again = await browser.ask(**asked, redirect_uri=CALLBACK.replace("4711", "4712"))
    assert gone(again).startswith("http://127.0.0.1:4712/callback?")


@pytest.mark.parametrize(
    ("client_id", "redirect_uri", "warnings"),
    [
        pytest.param("assistant", "", [], id="set up by the operator, on the web"),
        pytest.param("https://tool.example/client.json", "", ["published by"], id="a document, on the web"),
        pytest.param("desktop", CALLBACK, ["runs on this computer"], id="loopback"),
        pytest.param("phone", "", ["app on this device", "com.example.app:"], id="a scheme of its own"),
        pytest.param("registered-1", CALLBACK, ["runs on this computer", "Nobody has checked"], id="registered itself"),
    ],
)
async def test_the_page_warns_of_clients_that_nobody_vouches_for(
    browser: Browser, client_id: str, redirect_uri: str, warnings: list[str]
) -> None:
    page = await browser.log_in(await browser.ask(client_id=client_id, redirect_uri=redirect_uri))
    for words in (
        "runs on this computer",
        "app on this device",
        "com.example.app:",
        "Nobody has checked",
        "published by",
    ):
        assert (words in page.text) is (words in warnings), words


@pytest.mark.parametrize(
    ("prompt", "logged_in", "agreed", "error"),
    [
        pytest.param("none", False, False, "login_required", id="nobody is logged in"),
        pytest.param("none", True, False, "consent_required", id="never asked"),
        pytest.param("none", True, True, "", id="agreed before"),
    ],
)
async def test_prompt_none_never_shows_a_page(
    browser: Browser, prompt: str, logged_in: bool, agreed: bool, error: str
) -> None:
    if logged_in:
        page = await browser.log_in(await browser.ask())
        if agreed:
            await browser.allow(page)
    answer = told(gone(await browser.ask(prompt=prompt)))
    assert answer.get("error", "") == error
    assert ("code" in answer) is not bool(error)


async def test_prompt_none_is_refused_for_an_app_that_has_to_be_asked_each_time(browser: Browser) -> None:
    await browser.allow(await browser.log_in(await browser.ask(**ON_DEVICE)))
    assert told(gone(await browser.ask(**ON_DEVICE, prompt="none")))["error"] == "consent_required"


@pytest.mark.parametrize("prompt", ["login", "select_account", "login consent"])
async def test_a_client_can_want_a_new_login_once(browser: Browser, prompt: str) -> None:
    await browser.allow(await browser.log_in(await browser.ask()))
    page = await browser.ask(prompt=prompt)
    assert "enter your password again" in page.text
    assert 'value="alice"' in page.text
    answer = await browser.log_in(page)
    if "consent" in prompt:
        answer = await browser.allow(answer)
    assert "code" in told(gone(answer))


async def test_max_age_asks_for_a_login_that_is_new_enough(server: House, browser: Browser) -> None:
    await browser.allow(await browser.log_in(await browser.ask()))
    server.clock.now += 100
    assert (await browser.ask(max_age="100")).status_code == 303
    page = await browser.ask(max_age="99")
    assert 'name="password"' in page.text
    assert "code" in told(gone(await browser.log_in(page)))


async def test_max_age_zero_asks_once(browser: Browser) -> None:
    page = await browser.log_in(await browser.ask(max_age="0"))
    assert 'name="decision"' in page.text
    assert "code" in told(gone(await browser.allow(page)))


async def test_a_login_that_grew_too_old_while_the_page_was_open_is_asked_for(server: House, browser: Browser) -> None:
    await browser.log_in()
    page = await browser.ask(max_age="60")
    server.clock.now += 61
    answer = await browser.allow(page)
    assert 'name="password"' in answer.text


async def test_a_session_that_ended_while_the_page_was_open_comes_back_to_the_question(
    server: House, browser: Browser
) -> None:
    page = await browser.log_in(await browser.ask())
    server.clock.now += 3_600
    login = await browser.allow(page)
    assert 'name="password"' in login.text
    again = await browser.log_in(login)
    assert 'name="decision"' in again.text
    assert "code" in told(gone(await browser.allow(again)))


async def test_a_click_too_many_gives_another_code_of_the_same_answer(browser: Browser) -> None:
    page = await browser.log_in(await browser.ask())
    first, second = told(gone(await browser.allow(page))), told(gone(await browser.allow(page)))
    assert first["state"] == second["state"]
    assert first["code"] != second["code"]


async def test_a_login_form_that_is_sent_twice_leaves_one_session(server: House, browser: Browser) -> None:
    page = await browser.get("/login")
    await browser.log_in(page)
    await browser.log_in(page)
    assert (await browser.get("/account")).text.count("this browser") == 1
    assert "Sign out there" not in (await browser.get("/account")).text


async def test_a_request_by_post_comes_back_by_get_with_its_cookies(browser: Browser) -> None:
    answer = await browser.http.post("/authorize", data=dict(parse_qsl(query())))
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/authorize?")


async def test_another_account_can_be_used_without_losing_the_request(server: House, browser: Browser) -> None:
    await server.add("bob", shown="Bob")
    page = await browser.log_in(await browser.ask())
    login = await browser.send(page, "/logout")
    assert "Team Assistant" in login.text
    assert "Bob" in (await browser.log_in(login, name="bob")).text


async def test_a_client_that_vanished_meanwhile_is_not_answered(server: House, browser: Browser) -> None:
    page = await browser.log_in(await browser.ask())
    server.known.clients.pop("assistant")
    answer = await browser.allow(page)
    assert answer.status_code == 400
    assert "cannot be trusted" in answer.text


async def test_a_request_that_is_no_longer_allowed_tells_the_client(server: House, browser: Browser) -> None:
    page = await browser.log_in(await browser.ask())
    client = server.known.clients["assistant"]
    server.known.clients["assistant"] = type(client)(
        id=client.id, origin=client.origin, name=client.name, redirect_uris=client.redirect_uris, scope=("stock:read",)
    )
    assert told(gone(await browser.allow(page)))["error"] == "invalid_scope"


async def test_a_client_that_changed_its_name_meanwhile_is_asked_about_again(server: House, browser: Browser) -> None:
    page = await browser.log_in(await browser.ask())
    server.known.rename("assistant", "Your Bank")
    assert (await browser.allow(page)).status_code == 403


async def test_an_unsafe_request_shows_a_page_without_a_way_out(browser: Browser) -> None:
    page = await browser.ask(client_id="nobody", redirect_uri="https://evil.example/")
    assert page.status_code == 400
    assert "evil.example" not in page.text
    assert "location" not in page.headers


async def test_a_name_that_hides_or_turns_letters_is_shown_plainly(server: House, browser: Browser) -> None:
    server.known.rename("assistant", "Bank\u202egpj\u200b<script>alert(1)</script>" + "x" * 200)
    page = await browser.ask()
    assert "\u202e" not in page.text
    assert "<script" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "x" * 80 not in page.text


async def test_a_disabled_account_loses_its_sessions_and_its_tokens(server: House, browser: Browser) -> None:
    page = await browser.log_in(await browser.ask())
    assert await server.people.person("alice") is not None
    await server.accounts.set_disabled("alice", True)
    assert 'name="password"' in (await browser.allow(page)).text
    assert await server.people.person("alice") is None
    assert await server.people.person("nobody") is None


async def test_roles_and_groups_are_those_of_the_moment(server: House) -> None:
    await server.accounts.set_roles("alice", ["lead", "support"])
    await server.accounts.set_groups("alice", ["seoul"])
    person = await server.people.person("alice")
    assert person is not None
    assert (person.subject, person.roles, person.groups) == ("alice", ("lead", "support"), ("seoul",))


@pytest.mark.parametrize(
    ("query", "left"),
    [
        pytest.param("a=1&prompt=login", "a=1", id="a login was asked for"),
        pytest.param("prompt=login+consent&a=1", "prompt=consent&a=1", id="and a consent"),
        pytest.param("a=1&max_age=0", "a=1", id="an age"),
        pytest.param("a=1&b=%26c", "a=1&b=%26c", id="nothing of it"),
    ],
)
def test_a_login_satisfies_what_asked_for_it(query: str, left: str) -> None:
    assert after_login(query) == left
