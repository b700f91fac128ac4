"""Letting web pages of named origins read the answers (WHATWG Fetch, "CORS protocol")."""

import re
from collections.abc import Iterable
from typing import Final

from mcp_adapter.asgi_types import Event, Scope, Send
from mcp_adapter.challenge import Answered

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
_FIELD: Final = re.compile(rb"[a-z0-9-]{1,64}")
_SENT: Final = frozenset(
    {b"accept", b"authorization", b"content-type", b"last-event-id", b"traceparent", b"tracestate"}
)
_EXPOSED: Final = b"Mcp-Protocol-Version, Mcp-Session-Id, Retry-After, WWW-Authenticate"
_METHODS: Final = b"GET, POST, DELETE"
_SECONDS: Final = b"600"
_MOST: Final = 64


class Cors:
    """Knows the origins. Nothing is allowed to any other, and cookies to none."""

    def __init__(self, origins: Iterable[str] = ()) -> None:
        """Take origins as browsers spell them; raises `ValueError` for anything else, such as `*`."""
        self.origins = frozenset(origins)
        for origin in self.origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"`{origin}` is not an origin, for example `https://app.example` or with a port")

    def wrap(self, scope: Scope, send: Send) -> Send:
        """Give a `send` that says who may read the answer; the server's own word on that is replaced."""
        if not self.origins:
            return send
        origin = self._origin(scope)
        ours = scope["method"] == "OPTIONS"  # it goes no further

        async def say(event: Event) -> None:
            if event["type"] == "http.response.start":
                kept = [pair for pair in event.get("headers", ()) if ours or not _is_word(pair[0])]
                event = {**event, "headers": [*kept, *_allowing(origin)]}
            await send(event)

        return say

    def preflight(self, scope: Scope) -> Answered | None:
        """Answer what a browser asks before it sends; None where this is no such question, or not for its origin."""
        asked = _values(scope, b"access-control-request-method")
        if not self._origin(scope) or len(asked) != 1:
            return None
        said = b",".join(_values(scope, b"access-control-request-headers")).lower().split(b",")
        names = [name.strip() for name in said[:_MOST]]
        sent = [name for name in names if _FIELD.fullmatch(name) and (name in _SENT or name.startswith(b"mcp-"))]
        headers = [
            (b"access-control-allow-methods", _METHODS),
            (b"access-control-max-age", _SECONDS),
            (b"vary", b"Access-Control-Request-Headers"),
        ]
        if sent:
            headers.append((b"access-control-allow-headers", b", ".join(sent)))
        return Answered(status=204, headers=tuple(headers), body=b"")

    def _origin(self, scope: Scope) -> bytes:
        found = _values(scope, b"origin")
        return found[0] if len(found) == 1 and found[0].decode("latin-1") in self.origins else b""


def _is_word(name: bytes) -> bool:
    return bytes(name).lower().startswith(b"access-control-")


def _allowing(origin: bytes) -> list[tuple[bytes, bytes]]:
    vary = [(b"vary", b"Origin")]  # also to the others: a cache must not give them what was made for one
    if not origin:
        return vary
    return [(b"access-control-allow-origin", origin), (b"access-control-expose-headers", _EXPOSED), *vary]


def _values(scope: Scope, name: bytes) -> list[bytes]:
    return [bytes(value) for found, value in scope["headers"] if bytes(found).lower() == name]
