"""Nothing is done for a form that did not come from a page of ours, and no page lets itself be used by others."""

import re

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.oauth.people import csrf
from authz_sidecar.oauth.people.headers import STYLE
from tests.oauth_people.house import PASSWORD, Browser, House, fields, house, query, told

FORM = "application/x-www-form-urlencoded"


async def _page(browser: Browser, action: str) -> httpx.Response:
    """Show the page whose form goes to this action."""
    consent = await browser.log_in(await browser.ask())
    match action:
        case "/login":
            return await browser.get("/login")
        case "/consent" | "/logout":
            return consent
        case _:
            await browser.allow(consent)
            await browser.http.post("/logout", data=fields(await browser.get("/account"), "/logout"))
            await browser.log_in()
            return await browser.get("/account")


TYPED = {
    "/login": {"name": "alice", "password": PASSWORD},
    "/consent": {"decision": "allow"},
    "/account/withdraw": {"client": "assistant"},
    "/account/sessions": {"session": ""},
    "/logout": {},
}
# The page shows the form for other sessions only when there are some.
SHOWN = [action for action in TYPED if action != "/account/sessions"]


@pytest.mark.parametrize("action", TYPED)
@pytest.mark.parametrize("given", ["missing", "empty", "wrong", "foreign"])
async def test_a_form_without_our_token_is_refused(server: House, browser: Browser, action: str, given: str) -> None:
    page = await _page(browser, action)
    token = {"empty": "", "wrong": "0" * 64, "foreign": "", "missing": ""}[given]
    if given == "foreign":
        # A token that the attacker got for a session of their own.
        await server.add("mallory")
        async with server.browser() as theirs:
            await theirs.log_in(name="mallory")
            account = action if action in ("/login", "/consent") else "/logout"
            found = await (theirs.get("/login") if action == "/login" else theirs.ask())
            token = fields(found, account)["csrf"]
    sent = {"query": query(), **TYPED[action], "csrf": token}
    if given == "missing":
        del sent["csrf"]
    answer = await browser.http.post(action, data=sent)
    assert answer.status_code == 403, page.text
    assert "out of date" in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("action", SHOWN)
@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"origin": "https://evil.example"}, id="from another origin"),
        pytest.param({"sec-fetch-site": "cross-site"}, id="from another site"),
        pytest.param({"sec-fetch-site": "same-site"}, id="from a neighbour"),
        pytest.param({"content-type": "text/plain"}, id="of another type"),
        pytest.param({"content-type": "multipart/form-data; boundary=x"}, id="of a type that we never send"),
    ],
)
async def test_a_form_from_elsewhere_is_refused(browser: Browser, action: str, header: dict[str, str]) -> None:
    page = await _page(browser, action)
    sent = fields(page, action) | TYPED[action]
    good = httpx.QueryParams(sent)
    answer = await browser.http.post(action, content=str(good), headers={"content-type": FORM} | header)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("csrf=a&csrf=b", id="a field twice"),
        pytest.param("csrf=" + "a" * 70_000, id="too large"),
        pytest.param("&".join(f"a{n}=1" for n in range(30)), id="too many fields"),
        pytest.param("csrf=%ff", id="not UTF-8"),
        pytest.param("csrf=a&name=%00", id="a NUL"),
        pytest.param("csrf=\u00e9", id="not ASCII"),
        pytest.param("", id="empty"),
        pytest.param("csrf", id="no value"),
    ],
)
async def test_what_is_no_form_is_refused(browser: Browser, body: str) -> None:
    answer = await browser.http.post("/login", content=body.encode(), headers={"content-type": FORM})
    assert answer.status_code == 403


async def test_a_consent_is_one_to_the_request_that_was_shown(browser: Browser) -> None:
    page = await browser.log_in(await browser.ask())
    wider = query(scope="tickets:read tickets:write")
    answer = await browser.send(page, "/consent", decision="allow", query=wider)
    assert answer.status_code == 403


@pytest.mark.parametrize("changed", [{"decision": ""}, {"decision": "yes"}, {"query": ""}])
async def test_an_answer_that_is_neither_yes_nor_no_does_nothing(browser: Browser, changed: dict[str, str]) -> None:
    page = await browser.log_in(await browser.ask())
    assert (await browser.send(page, "/consent", **{"decision": "allow", **changed})).status_code == 403


async def test_a_login_page_of_another_browser_logs_nobody_in(server: House, browser: Browser) -> None:
    # Login CSRF: the attacker's form and token, in the victim's browser.
    async with server.browser() as theirs:
        token = fields(await theirs.get("/login"), "/login")["csrf"]
    await browser.get("/login")
    sent = {"csrf": token, "query": "", "name": "alice", "password": PASSWORD}
    assert (await browser.http.post("/login", data=sent)).status_code == 403
    assert (await browser.get("/account")).status_code == 303


async def test_a_browser_that_says_null_for_its_origin_is_believed_by_its_token_alone(browser: Browser) -> None:
    # Pages without referrer send their own forms like this.
    page = await browser.get("/login")
    sent = fields(page, "/login") | TYPED["/login"]
    headers = {"origin": "null", "sec-fetch-site": "same-origin"}
    assert (await browser.http.post("/login", data=sent, headers=headers)).status_code == 303


async def test_every_page_forbids_frames_scripts_loads_and_caches(browser: Browser) -> None:
    consent = await browser.log_in(await browser.ask())
    leaving = await browser.allow(consent)
    pages = [
        await browser.get("/login"),
        await browser.log_in(password="wrong wrong wrong"),
        consent,
        leaving,
        await browser.get("/account"),
        await browser.ask(client_id="nobody"),
        await browser.http.post("/login", data={}),
        await browser.ask(),
        await browser.send(await browser.get("/account"), "/logout"),
    ]
    for page in pages:
        policy = page.headers["content-security-policy"]
        assert re.fullmatch(
            r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; form-action 'self'; base-uri 'none'; "
            r"frame-ancestors 'none'",
            policy,
        )
        assert page.headers["x-frame-options"] == "DENY"
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["x-content-type-options"] == "nosniff"
        assert "<script" not in page.text
        assert not re.findall(r'(?:src|href)="(?:https?:)?//(?!app\.example)', page.text)


async def test_no_page_has_a_style_but_the_one_that_is_named(browser: Browser) -> None:
    page = await browser.get("/login")
    assert f"<style>{STYLE}</style>" in page.text
    assert " style=" not in page.text


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "x\r\nlocation: y"]
)
async def test_a_form_never_leads_where_it_says_itself(browser: Browser, target: str) -> None:
    for sent in ({"query": target}, {"query": f"redirect_uri={target}"}, {"next": target}, {"here": target}):
        page = await browser.get("/login")
        answer = await browser.http.post("/login", data=fields(page, "/login") | TYPED["/login"] | sent)
        assert answer.headers.get("location", "/account") == "/account"
        assert "evil.example" not in answer.text


async def test_cookies_belong_to_this_host_alone(browser: Browser) -> None:
    page = await browser.get("/login?lang=ko")
    sent = fields(page, "/login") | TYPED["/login"]
    answer = await browser.http.post("/login", data=sent)
    cookies = page.headers.get_list("set-cookie") + answer.headers.get_list("set-cookie")
    assert {one.partition("=")[0] for one in cookies} == {
        "__Host-authz-form",
        "__Host-authz-language",
        "__Host-authz-session",
    }
    for one in cookies:
        for word in ("Secure", "HttpOnly", "Path=/", "SameSite=lax"):
            assert word in one
        assert "Domain" not in one


async def test_a_development_server_on_the_loopback_has_cookies_of_its_own(tmp_path) -> None:  # type: ignore[no-untyped-def]
    async with house(tmp_path, issuer="http://127.0.0.1:9000") as made, made.browser() as browser:
        cookie = (await browser.get("/login")).headers["set-cookie"]
        assert cookie.startswith("authz-dev-form=")
        assert "Secure" not in cookie
        assert "HttpOnly" in cookie


async def test_an_issuer_with_a_path_has_its_pages_below_it(tmp_path) -> None:  # type: ignore[no-untyped-def]
    async with house(tmp_path, issuer="https://login.example/team") as made, made.browser() as browser:
        page = await browser.log_in(await browser.ask())
        assert 'action="/team/consent"' in page.text
        assert 'href="/team/account"' in page.text
        answer = await browser.allow(page)
        assert 'content="0;url=https://app.example/back' in answer.text
        assert told("?x=1") == {"x": "1"}
        assert (await browser.get("/account")).status_code == 200


@given(st.text(), st.text(), st.text())
def test_a_token_fits_its_own_form_alone(secret: str, purpose: str, shown: str) -> None:
    made = csrf.token(secret, "p", shown)
    assert csrf.fits(made, secret, "p", shown) is bool(secret)
    assert not csrf.fits(made, secret + "x", "p", shown)
    assert not csrf.fits(made, secret, "q", shown)
    assert not csrf.fits(made, secret, "p", shown + "x")
    assert not csrf.fits(purpose, secret, "p", shown)
