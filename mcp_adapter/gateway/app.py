"""The ASGI app of the gateway: finds the server of a path, and swaps all of them at once."""

import asyncio
import logging
import uuid
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from mcp_adapter.asgi_types import Event, Receive, Scope, Send
from mcp_adapter.gateway.config import Gateway
from mcp_adapter.gateway.hosts import hosts
from mcp_adapter.gateway.metrics import Metrics
from mcp_adapter.gateway.resource import documents
from mcp_adapter.gateway.served import Served, Shared, served
from mcp_adapter.gateway.tell import Trouble, tell
from mcp_adapter.headers import Headers
from mcp_adapter.metadata import Document
from mcp_adapter.record import Entry, Recorder
from mcp_adapter.refusal import INVALID_REQUEST, Refusal

_log: Final = logging.getLogger(__name__)
_GRACE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that is served at one time; it is replaced, never changed."""

    servers: MappingProxyType[str, Served] = field(default_factory=lambda: MappingProxyType({}))
    documents: MappingProxyType[str, Document] = field(default_factory=lambda: MappingProxyType({}))
    hosts: frozenset[str] = frozenset()
    config: Gateway | None = None


class App:
    """Serves the current plan."""

    def __init__(self, shared: Shared, metrics: Metrics) -> None:
        """Take what servers share; nothing is served yet."""
        self.plan = Plan()
        self._shared = shared
        self._metrics = metrics
        self._recorder = Recorder(shared.sink)
        self._retiring: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        plan = self.plan  # taken once: a reload in mid-request cannot mix two configurations
        server = plan.servers.get(scope["path"])
        counted = _Counted(send)
        try:
            if server is not None:
                with self._metrics.running(server.server.name):
                    await server.serve(scope, receive, counted.send)
            else:
                await self._other(plan, scope, counted.send)
        finally:
            self._metrics.answered("" if server is None else server.server.name, counted.status)

    async def _other(self, plan: Plan, scope: Scope, send: Send) -> None:
        """Answer what belongs to no server."""
        entry = Entry(
            server="", request_id=uuid.uuid4().hex, http_method=scope["method"], path=scope["path"], detail="not found"
        )
        try:
            if Headers(scope["headers"]).text(b"host") not in plan.hosts:
                raise Refusal(403, INVALID_REQUEST, "this host is not served here")
            if (document := plan.documents.get(scope["path"])) is None:
                raise Refusal(404, INVALID_REQUEST, "not found")
            entry.outcome, entry.detail = "public", ""
            entry.status = await document(scope, send)
        except Refusal as refusal:
            entry.status, entry.detail = refusal.status, refusal.message
            await tell(scope, send, Trouble(status=refusal.status, code=refusal.code, message=refusal.message))
        finally:
            self._recorder.write(entry)

    async def serve(self, config: Gateway) -> None:
        """Serve this configuration from now on; raises `ValueError` or `OSError`, and then nothing has changed.

        Servers whose part did not change keep their connections, streams and counts.
        """
        old = self.plan
        same = list(old.servers.values()) if old.config and _common(old.config) == _common(config) else []
        kept = {one.server.name: one for one in same if one.server in config.servers}
        fresh: list[Served] = []
        try:
            for server in config.servers:
                if server.name not in kept:
                    fresh.append(served(config, server, self._shared))  # noqa: PERF401 - those made so far are closed
            for one in fresh:
                await one.start()
        except Exception:
            await self._retire(fresh, 0.0)
            raise
        kept |= {one.server.name: one for one in fresh}
        self.plan = Plan(
            servers=MappingProxyType({server.path: kept[server.name] for server in config.servers}),
            documents=MappingProxyType(documents(config)),
            hosts=hosts(config),
            config=config,
        )
        gone = [one for one in old.servers.values() if one not in self.plan.servers.values()]
        if gone:
            task = asyncio.create_task(self._retire(gone, _GRACE_SECONDS))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    def end_streams(self) -> None:
        """End every stream: the gateway is about to stop."""
        for one in self.plan.servers.values():
            one.proxy.close()

    async def close(self) -> None:
        """Stop serving and close every connection."""
        gone, self.plan = list(self.plan.servers.values()), Plan()
        for task in self._retiring:
            task.cancel()
        await self._retire(gone, 0.0)
        self._recorder.close()

    async def _retire(self, gone: list[Served], grace: float) -> None:
        await asyncio.gather(*(one.retire(grace) for one in gone))


class _Counted:
    """A `send` that remembers the status."""

    def __init__(self, send: Send) -> None:
        self.status = 0
        self._send = send

    async def send(self, event: Event) -> None:
        if event["type"] == "http.response.start":
            self.status = event["status"]
        await self._send(event)


def _common(config: Gateway) -> tuple[object, ...]:
    """Give what touches every server: when it changes, all of them are made anew."""
    return (
        config.public_url,
        config.allowed_hosts,
        config.allowed_origins,
        config.identity,
        config.counting.when_unavailable,
        config.listen.bind,
    )
