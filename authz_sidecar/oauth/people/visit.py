"""A visit: whose browser it is, in which language it reads, and the cookies that say so."""

import re
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from authz_sidecar.oauth.people import forms, language
from authz_sidecar.oauth.people.language import NAMES, Words
from authz_sidecar.oauth.people.sessions import LIFE_SECONDS, Session, Sessions
from authz_sidecar.oauth.settings import Settings

_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_YEAR: Final = 31_536_000


class Foreign(Exception):
    """A form that did not come from a page of ours in this browser; nothing of it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """One request of a browser."""

    words: Words
    session: Session | None
    secret: str
    """The session's secret; empty when nobody is logged in."""
    form: str
    """What ties forms to this browser before anybody is logged in (login CSRF)."""
    address: str
    browser: str


class Visits:
    """Reads and writes the cookies."""

    def __init__(self, settings: Settings, sessions: Sessions) -> None:
        """Take the server's name and the sessions."""
        self._sessions = sessions
        self._secure = settings.secure
        self._origin = settings.origin
        # `__Host-`: no other host, path or plain-http page can set or see it. Browsers give it over https alone, so a
        # development server on the loopback has another name, and its sessions are worth nothing elsewhere.
        prefix = "__Host-authz" if settings.secure else "authz-dev"
        self._session, self._form, self._language = (f"{prefix}-{one}" for one in ("session", "form", "language"))

    async def read(self, http: Request, *, wished: tuple[str, ...] = ()) -> Visit:
        """Look at who is there; `wished` are the languages that a client asked for."""
        secret, form = http.cookies.get(self._session, ""), http.cookies.get(self._form, "")
        session = await self._sessions.find(secret)
        words = language.chosen(
            asked=http.query_params.get("lang", ""),
            remembered=http.cookies.get(self._language, ""),
            wished=wished,
            accepted=http.headers.get("accept-language", ""),
        )
        return Visit(
            words=words,
            session=session,
            secret=secret if session else "",
            form=form if _SECRET.fullmatch(form) else token_urlsafe(32),
            address=http.client.host if http.client else "",
            browser=http.headers.get("user-agent", "")[:512],
        )

    async def form(self, http: Request) -> dict[str, str]:
        """Read a form that was sent from a page of ours; raises `Foreign`. Its CSRF token has still to be compared."""
        origin, site = http.headers.get("origin", "null"), http.headers.get("sec-fetch-site", "same-origin")
        # A page without referrer sends `Origin: null` with its own forms, so that says nothing.
        if origin not in ("null", self._origin) or site not in ("same-origin", "none"):
            raise Foreign
        try:
            return dict(await forms.read(http))
        except forms.NotAForm:
            raise Foreign from None

    def dress(self, response: Response, http: Request, visit: Visit) -> Response:
        """Set what the browser should remember of a page: its form secret, and a language that was clicked."""
        if http.cookies.get(self._form) != visit.form:
            self._set(response, self._form, visit.form, None)
        asked = http.query_params.get("lang", "")
        if asked in NAMES and http.cookies.get(self._language) != asked:
            self._set(response, self._language, asked, _YEAR)
        return response

    def log_in(self, response: Response, secret: str) -> Response:
        """Hand out the session."""
        self._set(response, self._session, secret, int(LIFE_SECONDS))
        return response

    def log_out(self, response: Response) -> Response:
        """Take back the session and what its forms were tied to."""
        for name in (self._session, self._form):
            response.delete_cookie(name, path="/", secure=self._secure, httponly=True, samesite="lax")
        return response

    def _set(self, response: Response, name: str, value: str, seconds: int | None) -> None:
        # Lax: whoever comes from a client's page is still logged in; a form from there brings no cookie.
        response.set_cookie(name, value, max_age=seconds, path="/", secure=self._secure, httponly=True, samesite="lax")
