"""A gateway in this process between a sidecar of real gRPC and servers on real sockets."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn

from mcp_adapter.gateway.front import Front
from tests.adapter.fake_sidecar import FakeSidecar

STREAM = [(b"content-type", b"text/event-stream")]
STATUS = '[status]\nbind = "127.0.0.1:0"\n'


class Web(uvicorn.Server):
    """A web server that says when it is up."""

    def __init__(self, app, **settings: Any) -> None:
        super().__init__(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1, **settings))
        self.up = asyncio.Event()

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def running(app, **settings: Any) -> AsyncIterator[str]:
    """Serve an app on loopback; gives its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    web = Web(app, **settings)
    task = asyncio.create_task(web.serve([listener]))
    async with asyncio.timeout(10):
        await web.up.wait()
    try:
        scheme = "https" if web.config.is_ssl else "http"
        yield f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        web.should_exit = True
        async with asyncio.timeout(10):
            await task
        listener.close()


class Recording:
    """A server that remembers what reached it, and answers as it is told."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json")]
        self.body = b'{"jsonrpc":"2.0","id":1,"result":{}}'
        self.scopes: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.answering = None
        """Called in place of the above, with `send`, once the request is read."""
        self.gone = asyncio.Event()
        """Set when a client went away before its answer was whole."""

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        self.scopes.append(scope)
        self.bodies.append(body)
        if self.answering is None:
            await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
            await send({"type": "http.response.body", "body": self.body})
            return
        answer = asyncio.create_task(self.answering(send))
        gone = asyncio.create_task(self._gone(receive))
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            self.gone.set()
        for task in (answer, gone):
            task.cancel()
        await asyncio.wait({answer, gone})

    async def _gone(self, receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    def hold(self) -> asyncio.Event:
        """Answer no more; gives what is set once a request is here."""
        asked = asyncio.Event()

        async def answering(send):
            asked.set()
            await asyncio.Event().wait()

        self.answering = answering
        return asked

    def seen(self, name: str) -> list[str]:
        """Give every value of a header of the last request."""
        return [value.decode() for key, value in self.scopes[-1]["headers"] if key == name.encode()]


def config(tmp_path: Path, sidecar: FakeSidecar, upstream: str, more: str = "", *, server: str = "") -> Path:
    """Write a configuration with one server, `ops`."""
    path = tmp_path / "gateway.toml"
    path.write_text(
        f"""public_url = "http://gateway.example"
state_dir = "state"
allowed_hosts = ["127.0.0.1"]
{more}
[[servers]]
name = "ops"
path = "/mcp"
url = "{upstream}/mcp"
{server}
"""
        + ("" if "[sidecar]" in more else f'[sidecar]\ntarget = "{sidecar.target}"\ntimeout_seconds = 10\n')
        + ("" if "[listen]" in more else '[listen]\nbind = "127.0.0.1:0"\n')
        + ("" if "[status]" in more else '[status]\nbind = ""\n')
        + '[audit]\npath = "audit.jsonl"\n'
    )
    return path


@asynccontextmanager
async def gateway(path: Path) -> AsyncIterator[Front]:
    """Run a gateway from its file."""
    front = Front(path)
    await front.start()
    try:
        yield front
    finally:
        async with asyncio.timeout(20):
            await front.stop()


def events(tmp_path: Path) -> list[dict[str, Any]]:
    """Give the audit events, once the gateway has stopped."""
    return [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]


def asking(front: Front, name: str = "alice", **settings: Any) -> httpx2.AsyncClient:
    """Give an HTTP client that calls the gateway by its public name."""
    tls: ssl.SSLContext | bool = settings.pop("verify", True)
    return httpx2.AsyncClient(
        base_url=front.url,
        headers={
            "host": "gateway.example",
            "authorization": f"Bearer token-{name}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        },
        timeout=10,
        verify=tls,
        **settings,
    )


def call(tool: str = "echo", *, number: int = 1, **arguments: Any) -> bytes:
    """Spell a tool call."""
    params = {"name": tool, "arguments": arguments}
    return json.dumps({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}).encode()
