"""The native hook for servers built with the MCP SDK for Python 2.x: `MCPServer(middleware=[...])`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError

from mcp_adapter.filter import Sift
from mcp_adapter.hook import Denied, Heard, Hook, Shown
from mcp_adapter.wired import sifted

_MODERN = "2026-07-28"


class AuthzServerMiddleware(Hook):
    """Asks about every message, in both eras and on every transport; what is denied is a JSON-RPC error (HTTP 200).

    The settings are those of `Hook`. An HTTP challenge (401, 403) is not its to send: for that, take
    `AuthzMiddleware`, or the SDK's own authentication with `SidecarTokenVerifier`.
    """

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Judge one message; raises `MCPError` for one that is denied."""
        scope = getattr(ctx.request, "scope", None)
        heard = Heard(
            method=ctx.method,
            params=MappingProxyType({}) if ctx.params is None else ctx.params,
            notification=ctx.request_id is None,
            scope=scope if isinstance(scope, Mapping) else None,
            version=ctx.protocol_version,
        )

        async def proceed() -> HandlerResult:
            return await call_next(ctx)

        async def sift(result: HandlerResult, seen: Sift) -> tuple[HandlerResult, Shown | None]:
            return await sifted(result, seen, modern=ctx.protocol_version >= _MODERN)

        try:
            return await self.around(heard, proceed, sift)
        except Denied as denied:
            raise MCPError(denied.code, denied.message, denied.data) from None
