"""Writes the pages from their templates; everything that is filled in is escaped."""

import unicodedata
from collections.abc import Mapping
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse

from authz_sidecar.oauth import redirects
from authz_sidecar.oauth.errors import UnsafeRequest
from authz_sidecar.oauth.people import headers
from authz_sidecar.oauth.people.language import NAMES, Words
from authz_sidecar.oauth.settings import Settings

_LONGEST: Final = 80


class Pages:
    """The templates of one server."""

    def __init__(self, settings: Settings) -> None:
        """Take the server's name and path."""
        self._templates = Environment(
            loader=PackageLoader("authz_sidecar.oauth.people"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "style": Markup(headers.STYLE),  # noqa: S704 - our own file, named by its hash
            "languages": NAMES,
            "issuer": settings.issuer,
            "base": settings.path,
        }

    def page(
        self, template: str, words: Words, /, *, title: Markup, here: str, status: int = 200, **fields: object
    ) -> HTMLResponse:
        """Write a page. `here` is the path, with its query, where the same page can be had in another language."""
        text = self._templates.get_template(f"{template}.html").render(t=words, title=title, here=here, **fields)
        return HTMLResponse(text, status_code=status, headers=dict(headers.PAGE))

    def message(
        self,
        part: str,
        words: Words,
        *,
        here: str,
        status: int,
        onward: tuple[str, str] | None = None,
        detail: str = "",
    ) -> HTMLResponse:
        """Write a page that only says something: `part` of the words, and perhaps a way on."""
        keys: Mapping[str, object] = {
            "lead": words(f"{part}.lead"),
            "next": "" if part == "bye" else words(f"{part}.next"),
            "onward": onward[1] if onward else "",
            "onward_words": words(f"{part}.{onward[0]}") if onward else "",
        }
        title = words(f"{part}.title")
        return self.page(
            "message", words, title=title, here=here, status=status, bad=status >= 400, detail=detail, **keys
        )

    def unsafe(self, words: Words, error: UnsafeRequest, *, here: str) -> HTMLResponse:
        """Say that a request cannot be trusted, and why."""
        return self.message("unsafe", words, here=here, status=400, detail=words(f"unsafe.{error.word}"))

    def leaving(
        self, words: Words, location: str, *, here: str, follow: bool = True, status: int = 200
    ) -> HTMLResponse:
        """Lead on to a client; `location` is a URL that the core made. It leads by itself only where that is safe."""
        part, host = "leaving" if follow else "astray", redirects.where(location).host
        told = {"lead": words(f"{part}.lead", host=host), "link": words(f"{part}.link", host=host)}
        return self.page(
            "leaving",
            words,
            title=words(f"{part}.title"),
            here=here,
            status=status,
            location=location,
            follow=follow,
            close=words(f"{part}.close"),
            **told,
        )


def plain(text: str) -> str:
    """Take out of a name what could turn or hide other words on the page, and what is too long to be a name.

    A client says its name itself: bidirectional controls and invisible letters have no business there.
    """
    seen = "".join(char if char.isprintable() else " " for char in unicodedata.normalize("NFC", text))
    short = " ".join(seen.split())
    return short if len(short) <= _LONGEST else f"{short[: _LONGEST - 1]}…"


def initial(text: str) -> str:
    """Give the letter that stands for an app."""
    return next((char.upper() for char in text if char.isalnum()), "?")
