"""Remembers the address of who calls, for handlers that are not ours and do not hand on the request."""

from contextvars import ContextVar
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from authz_sidecar.oauth.forwarded import Forwarded

_ADDRESS: Final[ContextVar[str]] = ContextVar("authz_sidecar_oauth_caller", default="")


class Callers:
    """An ASGI app around one that mounts the MCP SDK's routes: without it, limits by address meet all as one."""

    def __init__(self, app: ASGIApp, *, header: str = "") -> None:
        """Take the app; `header` is where a proxy on this machine writes the address, in lower case."""
        self._app = app
        self._found = Forwarded(self._remember, header=header)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        await self._found(scope, receive, send)

    async def _remember(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        mark = _ADDRESS.set(client[0] if client else "")
        try:
            await self._app(scope, receive, send)
        finally:
            _ADDRESS.reset(mark)


def caller() -> str:
    """Give the address of who calls in this task; empty when nobody noted it."""
    return _ADDRESS.get()
