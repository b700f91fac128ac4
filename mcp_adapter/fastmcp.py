"""The native hook for servers built with FastMCP 4: `FastMCP(middleware=[...])`."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeAlias

from fastmcp.exceptions import (  # pyright: ignore[reportMissingImports] - see below
    AuthorizationError,
    MCPError,
)
from fastmcp.server.middleware import Middleware  # pyright: ignore[reportMissingImports] - see below

from mcp_adapter import uris
from mcp_adapter.filter import Sift, Unreadable
from mcp_adapter.hook import Denied, Heard, Hook, Shown
from mcp_adapter.methods import METHODS
from mcp_adapter.pdp import Item
from mcp_adapter.wired import sifted

# FastMCP stands in environments of its own, so that its types cannot be checked here.
_Context: TypeAlias = Any
_Next: TypeAlias = Callable[[_Context], Any]
_NAMES = {"name": "name", "uri": "uri", "uriTemplate": "uri_template"}


class AuthzFastMCPMiddleware(Middleware):  # type: ignore[misc] # see above
    """Asks about every message, on every transport; what is denied is a JSON-RPC error (HTTP 200).

    The settings are those of `Hook`. Put it first in `middleware`, so that no other sees what was denied; a tool that
    calls another tool asks for that, too. Raises `ValueError` for settings that cannot be meant.
    """

    def __init__(self, **settings: Any) -> None:
        """Take the settings of `Hook`."""
        self.hook = Hook(**settings)

    def lifespan(self, server: object) -> AbstractAsyncContextManager[dict[str, object]]:
        """Be open as long as a server runs, as `Hook.lifespan`."""
        return self.hook.lifespan(server)

    async def on_message(self, context: _Context, call_next: _Next) -> Any:
        """Judge one message; raises `MCPError` for one that is denied."""
        method = context.method or ""

        async def proceed() -> Any:
            return await call_next(context)

        async def sift(result: Any, seen: Sift) -> tuple[Any, Shown | None]:
            return await _sifted(method, result, seen)

        try:
            return await self.hook.around(_heard(context, method), proceed, sift)
        except Denied as denied:
            raise MCPError(denied.code, denied.message, denied.data) from None

    async def on_read_resource(self, context: _Context, call_next: _Next) -> Any:
        """Read: it was judged as a message."""
        return await call_next(context)

    async def check_resource_access(self, context: _Context) -> None:
        """Judge a resource that an extension is about to describe; raises `AuthorizationError`."""

        async def proceed() -> None:
            return None

        async def sift(result: None, seen: Sift) -> tuple[None, Shown | None]:
            return result, None

        try:
            await self.hook.around(_heard(context, "resources/read"), proceed, sift)
        except Denied as denied:
            raise AuthorizationError(denied.message) from None


def _heard(context: _Context, method: str) -> Heard:
    """Read the message that will be executed; the request on the wire may have been another one's."""
    request_context = getattr(context.fastmcp_context, "request_context", None)
    scope = getattr(getattr(request_context, "request", None), "scope", None)
    return Heard(
        method=method,
        params=_params(context.message),
        notification=context.type == "notification",
        scope=scope if isinstance(scope, Mapping) else None,
        version=getattr(request_context, "protocol_version", None) or "",
    )


def _params(message: Any) -> Mapping[str, object]:
    """Give the parameters as they are on the wire: FastMCP hands over a mapping, a request, or its parameters."""
    if isinstance(message, Mapping):
        return message
    inner = message.params if hasattr(message, "params") else message
    if inner is None:
        return {}
    found: Mapping[str, object] = inner.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found


async def _sifted(method: str, result: Any, seen: Sift) -> tuple[Any, Shown | None]:
    """Filter the components of a list, all by one question; what has no name is hidden."""
    if method == "tasks/list":  # FastMCP has no component for a task: it is as on the wire
        return await sifted(result, seen, modern=False)
    entry = METHODS.get(method)
    listing = None if entry is None else entry.listing
    if listing is None or listing.name not in _NAMES or not isinstance(result, Sequence):
        raise Unreadable(f"a list is not what was expected: `{type(result).__name__}`")
    names = [str(getattr(one, _NAMES[listing.name], "")) for one in result]
    asked = [at for at, name in enumerate(names) if name and not (listing.name != "name" and uris.wrong(name))]
    items = [Item(method=listing.method, tool=names[at]) for at in asked]
    shown = {at for at, yes in zip(asked, await seen(items) if items else (), strict=True) if yes}
    return [one for at, one in enumerate(result) if at in shown], Shown(
        listed=len(shown), hidden=len(names) - len(shown)
    )
