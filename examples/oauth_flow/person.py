"""A person without a browser: reads the pages, fills in their forms, presses buttons, follows where they lead."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin

import httpx2

_STEPS: Final = 12


class Lost(Exception):
    """The pages do not lead back to the application; the message says where it ended."""


@dataclass(slots=True, kw_only=True)
class Form:
    """One form of a page: where it goes, what it carries, and its first button with a name."""

    action: str
    hidden: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    """What a person fills in: the name of the field, and its type."""
    button: tuple[str, str] | None = None


class Page(HTMLParser):
    """What a page asks and says."""

    def __init__(self, text: str) -> None:
        """Read it."""
        super().__init__()
        self.forms: list[Form] = []
        self.onward = ""
        self.title = ""
        self.scopes: list[str] = []
        """The scopes that it names, in their own letters."""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms, their fields, and the link that leads on."""
        has = {name: value or "" for name, value in attrs}
        if tag in ("h1", "code"):
            self._inside = tag
        elif tag == "form":
            self.forms.append(Form(action=has.get("action", "")))
        elif tag == "a" and has.get("id") == "onward":
            self.onward = has["href"]
        elif tag in ("input", "button") and self.forms:
            _note(self.forms[-1], tag, has)

    def handle_data(self, data: str) -> None:
        """Note the title and the scopes."""
        if self._inside == "h1":
            self.title += data
        elif self._inside == "code":
            self.scopes.append(data)

    def handle_endtag(self, tag: str) -> None:
        """Leave it."""
        if tag == self._inside:
            self._inside = ""


def _note(form: Form, tag: str, has: dict[str, str]) -> None:
    kind = has.get("type", "text")
    if tag == "button" or kind == "submit":
        if "name" in has and form.button is None:
            form.button = (has["name"], has.get("value", ""))
    elif kind == "hidden":
        form.hidden[has["name"]] = has.get("value", "")
    else:
        form.fields[has["name"]] = kind


@dataclass(slots=True, kw_only=True)
class Person:
    """Says yes to everything."""

    name: str
    password: str
    _http: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(follow_redirects=True, timeout=20))

    async def visit(self, url: str, callback: str) -> list[str]:
        """Go where the pages lead until the application's own address; tells what was shown. Raises `Lost`."""
        seen: list[str] = []
        answer = await self._http.get(url)
        for _ in range(_STEPS):
            if str(answer.url).startswith(callback):
                return seen
            page = Page(answer.text)
            if page.onward:
                answer = await self._http.get(page.onward)
                continue
            form = next((one for one in page.forms if "logout" not in one.action), None)
            if form is None or answer.status_code >= 400:
                raise Lost(f"{answer.status_code} at {answer.url}: {page.title or answer.text[:300]}")
            seen.append(_told(page, form))
            answer = await self._http.post(urljoin(str(answer.url), form.action), data=self._filled(form))
        raise Lost(f"the pages led nowhere in {_STEPS} steps, the last at {answer.url}")

    async def leave(self) -> None:
        """Close the browser that is none."""
        await self._http.aclose()

    def _filled(self, form: Form) -> dict[str, str]:
        said = {name: self.password if kind == "password" else self.name for name, kind in form.fields.items()}
        return form.hidden | said | (dict([form.button]) if form.button else {})


def _told(page: Page, form: Form) -> str:
    what = "types name and password" if form.fields else "presses the first button"
    return ": ".join(filter(None, (f"“{page.title.strip()}”", " ".join(page.scopes), what)))
