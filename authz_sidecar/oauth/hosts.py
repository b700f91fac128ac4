"""Answers only who calls us by our name (DNS rebinding: a foreign page may make any name lead to the loopback)."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Hosts:
    """An ASGI app around another."""

    def __init__(self, app: ASGIApp, *, issuer: str, more: Iterable[str] = ()) -> None:
        """Take the issuer, whose host is ours, and other names (with ports, where they are not the usual)."""
        self._app = app
        authority = urlsplit(issuer).netloc.lower()
        self._hosts = {authority, *(name.lower() for name in more)}
        # An issuer on the loopback is a development server, and its other names are as harmless.
        name, port = _apart(authority)
        if name in _LOOPBACK:
            self._hosts |= {f"{other}{port}" for other in _LOOPBACK}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 421, or pass on."""
        if scope["type"] == "http":
            named = [value for name, value in scope["headers"] if name == b"host"]
            if len(named) != 1 or named[0].decode("latin-1").lower() not in self._hosts:
                await JSONResponse({"error": "this host name is not served here"}, status_code=421)(
                    scope, receive, send
                )
                return
        await self._app(scope, receive, send)


def _apart(authority: str) -> tuple[str, str]:
    host, colon, port = authority.rpartition(":")
    return (host, f":{port}") if colon and port.isdecimal() else (authority, "")
