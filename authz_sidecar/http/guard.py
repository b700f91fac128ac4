"""Lets through only requests that name this host and come from no foreign page (DNS rebinding, CVE-2025-66416)."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """An ASGI app around another: GET only, `Host` on the list, `Origin` absent or on the list too."""

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str] = ()) -> None:
        """Take the names, without ports, that the operator adds to those of the loopback."""
        self._app = app
        self._hosts = LOOPBACK | {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 404, 421 or 403, or pass on."""
        refusal = self._refusal(scope)
        app = self._app if refusal is None else refusal
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> JSONResponse | None:
        if scope["type"] != "http" or scope["method"] != "GET":
            return not_found()
        hosts = _values(scope, b"host")
        # Two `Host` lines are read differently by two readers, so they name nobody.
        if len(hosts) != 1 or _name(f"//{hosts[0]}") not in self._hosts:
            return JSONResponse({"error": "this host name is not served here"}, status_code=421)
        if any(_name(origin) not in self._hosts for origin in _values(scope, b"origin")):
            return JSONResponse({"error": "requests from other pages are refused"}, status_code=403)
        return None


def not_found() -> JSONResponse:
    """Answer for everything that is not here."""
    return JSONResponse({"error": "not found"}, status_code=404)


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _name(url: str) -> str:
    """Give the host name of a URL, or nothing when it has none that can be read."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises when it is no port
    except ValueError:
        return ""
    plain = not (parts.username or parts.password or parts.path or parts.query or parts.fragment)
    return parts.hostname or "" if plain else ""
