"""One server as it is served: the guard, the limits, and the proxy, one round the other."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from authz_sidecar.linelog import LineSink
from mcp_adapter.asgi import AuthzMiddleware
from mcp_adapter.asgi_types import Receive, Scope, Send
from mcp_adapter.gateway.config import Gateway, Server
from mcp_adapter.gateway.hosts import hosts, origins
from mcp_adapter.gateway.identity import Identity
from mcp_adapter.gateway.lifespan import Life
from mcp_adapter.gateway.limits import Limited, Rates
from mcp_adapter.gateway.proxy import Proxy
from mcp_adapter.gateway.resource import metadata_url
from mcp_adapter.gateway.signer import Signer
from mcp_adapter.gateway.upstreams import Upstream
from mcp_adapter.pdp import Pdp


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What all servers have in common for as long as the gateway runs."""

    base: Path
    """The directory of the configuration."""
    sink: LineSink | None
    """Where audit events go; None is stderr."""
    signer: Signer
    session_key: bytes
    rates: Rates
    pdp: Callable[[], Pdp]
    """Makes a connection to the sidecar."""


@dataclass(slots=True, kw_only=True)
class Served:
    """A server that is served until it is retired."""

    server: Server
    upstream: Upstream
    proxy: Proxy
    guard: AuthzMiddleware
    life: Life
    running: int = 0
    _idle: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        self.running += 1
        self._idle.clear()
        try:
            await self.guard(scope, receive, send)
        finally:
            self.running -= 1
            if not self.running:
                self._idle.set()

    async def start(self) -> None:
        """Begin; raises what an audit log that cannot be opened raises."""
        await self.life.start()
        self.upstream.start()

    async def retire(self, grace: float) -> None:
        """End streams at once, give requests in flight `grace` seconds, and close every connection."""
        self.proxy.close()
        if self.running:
            try:
                async with asyncio.timeout(grace):
                    await self._idle.wait()
            except TimeoutError:
                pass  # closing the connections ends them
        await self.upstream.close()
        await self.life.stop()


def served(config: Gateway, server: Server, shared: Shared) -> Served:
    """Put the parts of one server together; raises `ValueError` for files that cannot be used."""
    upstream = Upstream(server, shared.base)
    identity = Identity(
        signer=shared.signer if config.identity.header else None,
        issuer=config.public_url,
        audience=server.url,
        server=server.name,
        seconds=config.identity.seconds,
        plain=config.identity.plain_user_id,
    )
    proxy = Proxy(upstream, identity)
    limited = Limited(
        app=proxy,
        server=server.name,
        limits=server.limits,
        rates=shared.rates,
        deny_uncounted=config.counting.when_unavailable == "deny",
    )
    guard = AuthzMiddleware(
        limited,
        server=server.name,
        path=server.path,
        public_paths=(),
        resource_metadata=metadata_url(config, server),
        scopes_hint=server.scopes_hint,
        help_text=server.help_text,
        denied=server.denied,
        max_body=server.max_body_bytes,
        audit=shared.sink,
        allowed_hosts=hosts(config),
        allowed_origins=origins(config),
        cors_origins=server.cors_origins,
        context=lambda scope: _facts(server, scope),
        client=shared.pdp(),
        session_key=shared.session_key,
    )
    return Served(server=server, upstream=upstream, proxy=proxy, guard=guard, life=Life(guard))


def _facts(server: Server, scope: Scope) -> Mapping[str, str]:
    """Give what conditions may know of the connection: its own other end, never what a header says of one before."""
    client = scope.get("client")
    return {server.client_address: client[0]} if server.client_address and client else {}
