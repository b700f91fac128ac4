"""Every page can be read: in two languages, light and dark, on a phone and a desk; pictures go to `var/screenshots`."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.browser.running import Running
from tests.oauth_people.house import PASSWORD

pytestmark = pytest.mark.browser

PICTURES: Final = Path(__file__).resolve().parents[2] / "var" / "screenshots"
SIZES: Final = {"phone": {"width": 390, "height": 844}, "desk": {"width": 1280, "height": 900}}
AA: Final = 4.5
"""The contrast of text (WCAG 2.2, 1.4.3); headings could do with less, and get as much."""

# For each visible text: its color against what stands behind it, and whether it is cut off.
TEXTS: Final = """() => {
  const light = ([r, g, b]) => { const [x, y, z] = [r, g, b].map(v => { v /= 255;
    return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * x + 0.7152 * y + 0.0722 * z; };
  const parts = text => text.match(/[\\d.]+/g).map(Number);
  const behind = one => { for (; one; one = one.parentElement) {
    const found = parts(getComputedStyle(one).backgroundColor); if (found.length < 4 || found[3] > 0) return found; }
    return [255, 255, 255]; };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), out = [];
  while (walk.nextNode()) { const text = walk.currentNode.data.trim(), one = walk.currentNode.parentElement;
    if (!text || one.closest('.skip') || !one.checkVisibility()) continue;
    const [a, b] = [light(parts(getComputedStyle(one).color)), light(behind(one))];
    out.push({text, ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)}); }
  return out; }"""

# Every field has a name, what is clicked can be hit (WCAG 2.2, 2.5.8), nothing is wider than the page.
SHAPE: Final = """() => ({
  wide: document.documentElement.scrollWidth - innerWidth,
  headings: document.querySelectorAll('h1').length,
  mains: document.querySelectorAll('main').length,
  lang: document.documentElement.lang,
  unnamed: [...document.querySelectorAll('input:not([type=hidden])')].filter(one => !one.labels.length).length,
  ids: [...document.querySelectorAll('[id]')].map(one => one.id),
  small: [...document.querySelectorAll('button, footer a, .button')].filter(one => {
    const box = one.getBoundingClientRect(); return box.height < 24 || box.width < 24; }).map(one => one.innerText),
})"""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_every_page_can_be_read(
    server: Running, tab: Callable[..., Any], language: str, scheme: str, size: str
) -> None:
    page = tab(locale=language, color_scheme=scheme, viewport=SIZES[size], java_script_enabled=True)
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name in _pages(page, server):
        page.screenshot(path=PICTURES / f"{name}-{language}-{scheme}-{size}.png", full_page=True)
        faint = [one for one in page.evaluate(TEXTS) if one["ratio"] < AA]
        assert faint == [], name
        shape = page.evaluate(SHAPE)
        assert shape["wide"] <= 0, name
        assert (shape["headings"], shape["mains"], shape["unnamed"], shape["small"]) == (1, 1, 0, []), name
        assert shape["lang"] == language
        assert len(shape["ids"]) == len(set(shape["ids"])), name


def _pages(page: Any, server: Running) -> Iterator[str]:
    """Walk through every page."""
    page.goto(server.ask(scope="tickets:read stock:read"))
    yield "login"
    _log_in(page, "wrong wrong wrong")
    yield "wrong-password"
    _log_in(page, PASSWORD)
    yield "consent"
    page.goto(server.ask(client_id="team", redirect_uri=""))
    yield "consent-known"
    page.goto(server.ask(scope="tickets:read stock:read"))
    page.click("button[value=allow]")
    page.wait_for_url(f"{server.callback}?**")
    page.goto(server.ask(scope="tickets:read stock:read tickets:write"))
    yield "step-up"
    page.goto(f"{server.url}/account")
    yield "account"
    page.click("button.danger")
    yield "withdrawn"
    page.goto(server.ask(client_id="nobody"))
    yield "unsafe"
    page.goto(server.ask(client_id="stranger", redirect_uri=""))
    yield "consent-long"
    page.goto(server.ask(client_id="stranger", redirect_uri="", scope="nothing"))
    yield "astray"
    page.goto(f"{server.url}/account")
    page.evaluate("() => { for (const one of document.querySelectorAll('[name=csrf]')) one.value = 'x'; }")
    page.click("header button")
    yield "out-of-date"
    page.goto(f"{server.url}/account")
    page.click("header button")
    yield "signed-out"


def _log_in(page: Any, password: str) -> None:
    page.fill("#name", "alice")
    page.fill("#password", password)
    page.click("button.main")
    page.wait_for_load_state()


def test_the_page_that_leads_on_can_be_read_too(server: Running, tab: Callable[..., Any]) -> None:
    page = tab()
    # The client answers with nothing, so that the page stays.
    page.route("https://team.example/**", lambda route: route.fulfill(status=204))
    page.goto(server.ask(client_id="team", redirect_uri=""))
    _log_in(page, PASSWORD)
    page.click("button[value=allow]")
    link = page.get_by_role("link", name="Continue if nothing happens")
    link.wait_for()
    assert link.get_attribute("href").startswith("https://team.example/back?code=")
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / "leaving-en-light-desk.png", full_page=True)


def test_words_tell_the_page_to_who_cannot_see_it(server: Running, tab: Callable[..., Any]) -> None:
    page = tab()
    page.goto(server.ask())
    _log_in(page, PASSWORD)
    seen = page.locator("body").aria_snapshot()
    for part in (
        "- main",
        '- heading "Allow Desk Tool?" [level=1]',
        '- region "It will be able to"',
        "- text: Read tickets",
        '- button "Allow"',
        '- button "Cancel"',
        '- navigation "Language"',
        "- contentinfo",
    ):
        assert part in seen, seen
