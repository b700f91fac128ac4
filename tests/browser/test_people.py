"""People log in, answer and leave in a real Chromium, with scripts switched off."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.browser.running import Running
from tests.oauth_people.house import PASSWORD

pytestmark = pytest.mark.browser

Tab = Callable[..., Any]


def _log_in(page: Any, *, name: str = "alice", password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def _told(page: Any, server: Running) -> dict[str, str]:
    """Wait until the client was told something."""
    page.wait_for_url(f"{server.callback}?**")
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def _allow(page: Any) -> None:
    page.get_by_role("button", name="Allow").click()


def test_log_in_consent_and_come_back_silently(server: Running, tab: Tab) -> None:
    page = tab()
    page.goto(server.ask())
    _log_in(page)
    page.get_by_role("heading", name="Allow Desk Tool?").wait_for()
    assert page.get_by_text("this computer (127.0.0.1:").is_visible()
    assert page.get_by_text("Nobody has checked who this app is.").is_visible()
    _allow(page)
    told = _told(page, server)
    assert told.keys() == {"code", "state", "iss"}
    assert told["iss"] == server.url
    page.goto(server.ask(state="again"))
    assert _told(page, server)["state"] == "again"


def test_decline(server: Running, tab: Tab) -> None:
    page = tab()
    page.goto(server.ask())
    _log_in(page)
    page.get_by_role("button", name="Cancel").click()
    assert _told(page, server)["error"] == "access_denied"


def test_step_up_asks_for_what_is_new(server: Running, tab: Tab) -> None:
    page = tab()
    page.goto(server.ask())
    _log_in(page)
    _allow(page)
    _told(page, server)
    page.goto(server.ask(scope="tickets:read tickets:write", state="more"))
    page.get_by_role("heading", name="Allow more for Desk Tool?").wait_for()
    new = page.get_by_role("region", name="New")
    assert new.get_by_text("Create and change tickets").is_visible()
    assert not new.get_by_text("Read tickets").is_visible()
    assert page.get_by_role("region", name="Allowed already").get_by_text("Read tickets").is_visible()
    _allow(page)
    assert _told(page, server)["state"] == "more"


def test_a_wrong_password_says_so_and_keeps_the_name(server: Running, tab: Tab) -> None:
    page = tab()
    page.goto(server.ask())
    _log_in(page, password="wrong wrong wrong")
    assert page.get_by_role("alert").inner_text().startswith("Could not sign in")
    assert page.get_by_label("User name").input_value() == "alice"
    assert page.get_by_label("Password").input_value() == ""
    _log_in(page)
    _allow(page)
    assert "code" in _told(page, server)


def test_an_expired_session_asks_again_and_goes_on(server: Running, tab: Tab) -> None:
    page = tab()
    page.goto(server.ask())
    _log_in(page)
    page.get_by_role("button", name="Allow").wait_for()
    server.pass_time(3_601)
    _allow(page)
    _log_in(page)
    _allow(page)
    assert "code" in _told(page, server)


def test_the_back_button_leads_to_the_question_and_not_to_an_error(server: Running, tab: Tab) -> None:
    page = tab()
    page.goto(server.ask(prompt="consent"))
    _log_in(page)
    _allow(page)
    first = _told(page, server)
    page.go_back()
    page.get_by_role("heading", name="Allow Desk Tool?").wait_for()
    _allow(page)
    second = _told(page, server)
    assert second["state"] == first["state"]
    assert second["code"] != first["code"]


def test_a_double_click_is_one_answer_at_the_client(server: Running, tab: Tab) -> None:
    page = tab()
    page.goto(server.ask())
    page.get_by_label("User name").fill("alice")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").dblclick()
    page.get_by_role("button", name="Allow").dblclick()
    assert "code" in _told(page, server)


def test_a_client_beyond_this_origin_is_reached_after_a_form(server: Running, tab: Tab) -> None:
    # `form-action 'self'` stops redirects to other origins behind a form, so a page leads on.
    page = tab()
    page.route("https://team.example/**", lambda route: route.fulfill(body="<h1>Team</h1>", content_type="text/html"))
    page.goto(server.ask(client_id="team", redirect_uri=""))
    _log_in(page)
    _allow(page)
    page.wait_for_url("https://team.example/back?**")
    other = tab()
    other.route("https://team.example/**", lambda route: route.fulfill(body="<h1>Team</h1>", content_type="text/html"))
    other.goto(server.ask(client_id="team", redirect_uri=""))
    _log_in(other)
    other.wait_for_url("https://team.example/back?**")


def test_the_keyboard_is_enough(server: Running, tab: Tab) -> None:
    page = tab()
    page.goto(server.ask())
    page.keyboard.type("alice")  # the first field has the focus
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Allow").wait_for()
    page.keyboard.press("Tab")
    assert page.locator(":focus").inner_text() == "Skip to the content"
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.locator(":focus").inner_text() == "Allow":
            break
    page.keyboard.press("Enter")
    assert "code" in _told(page, server)


def test_access_is_withdrawn_on_the_account_page(server: Running, tab: Tab) -> None:
    page = tab()
    page.goto(server.ask())
    _log_in(page)
    _allow(page)
    _told(page, server)
    page.goto(f"{server.url}/account")
    page.get_by_role("button", name="Withdraw access of Desk Tool").click()
    assert "Access was withdrawn" in page.get_by_role("status").inner_text()
    assert server.do(server.house.grants.of("alice")) == ()
    page.goto(server.ask())
    page.get_by_role("heading", name="Allow Desk Tool?").wait_for()


def test_signing_out_and_another_account(server: Running, tab: Tab) -> None:
    server.do(server.house.add("bob", shown="Bob"))
    page = tab()
    page.goto(server.ask())
    _log_in(page)
    page.get_by_role("button", name="Use another account").click()
    _log_in(page, name="bob")
    assert page.get_by_text("Signed in as Bob").is_visible()
    page.goto(f"{server.url}/account")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("heading", name="You are signed out").wait_for()
    page.goto(f"{server.url}/account")
    assert page.get_by_role("heading", name="Sign in").is_visible()


def test_the_language_is_switched_by_a_click(server: Running, tab: Tab) -> None:
    page = tab(locale="ko-KR")
    page.goto(server.ask())
    page.get_by_role("heading", name="로그인").wait_for()
    page.get_by_role("link", name="English").click()
    _log_in(page)
    page.get_by_role("heading", name="Allow Desk Tool?").wait_for()


def test_a_client_may_ask_in_a_window_of_its_own(server: Running, tab: Tab) -> None:
    page = tab(java_script_enabled=True)
    page.goto(server.callback)
    with page.expect_popup() as opened:
        page.evaluate("url => { window.open(url) }", server.ask())
    window = opened.value
    _log_in(window)
    _allow(window)
    assert "code" in _told(window, server)
    assert window.evaluate("() => window.opener !== null")


def test_no_page_lets_itself_be_framed(server: Running, tab: Tab) -> None:
    page = tab()
    page.goto(server.callback)
    page.set_content(f'<iframe src="{server.url}/login" title="trap"></iframe>')
    frame = page.frames[-1]
    frame.wait_for_load_state()
    assert frame.get_by_label("Password").count() == 0


def test_a_form_of_another_page_does_nothing(server: Running, tab: Tab) -> None:
    page = tab()
    page.goto(server.ask())
    _log_in(page)
    _allow(page)
    _told(page, server)
    page.set_content(
        f'<form method="post" action="{server.url}/account/withdraw">'
        '<input name="client" value="desk-tool"><button>Win</button></form>'
    )
    page.get_by_role("button", name="Win").click()
    page.get_by_role("heading", name="This page is out of date").wait_for()
    assert len(server.do(server.house.grants.of("alice"))) == 1


def test_a_stolen_link_to_an_unknown_client_stays_here(server: Running, tab: Tab) -> None:
    page = tab()
    page.goto(server.ask(client_id="nobody", redirect_uri="https://evil.example/"))
    page.get_by_role("heading", name="This request cannot be trusted").wait_for()
    assert page.url.startswith(server.url)
