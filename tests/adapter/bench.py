"""Small parts for tests of the adapter: a sink that keeps lines, apps that remember, requests ready to send."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx

from authz_sidecar.linelog import LogUnavailable
from mcp_adapter import AuthzMiddleware
from mcp_adapter.pdp import NO_CONTEXT, Answer, Decision, Item
from mcp_adapter.principal import Principal

URL = "http://127.0.0.1/mcp"
ALICE_TOKEN = "token-alice"
ALICE = {"authorization": f"Bearer {ALICE_TOKEN}"}


class Lines:
    """A sink that keeps what it is given, and can be full."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.full = False
        self.closed = False

    def put(self, line: bytes) -> None:
        if self.full:
            raise LogUnavailable("full")
        self.raw.append(line)

    def close(self) -> None:
        self.closed = True

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw]

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]


class Upstream:
    """An app that remembers what reached it and answers what it was told to."""

    def __init__(
        self,
        body: bytes | Sequence[bytes] = b'{"jsonrpc":"2.0","id":1,"result":{}}',
        *,
        content_type: str = "application/json",
        status: int = 200,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        self.chunks = [body] if isinstance(body, bytes) else list(body)
        self.status = status
        self.headers = [(b"content-type", content_type.encode()), *headers]
        self.bodies: list[bytes] = []
        self.scopes: list[dict[str, Any]] = []

    async def __call__(self, scope, receive, send) -> None:
        self.scopes.append(scope)
        body, more = b"", True
        while more:
            event = await receive()
            assert event["type"] == "http.request"
            body += event["body"]
            more = event["more_body"]
        self.bodies.append(body)
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        for chunk in self.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    @property
    def seen_headers(self) -> dict[bytes, bytes]:
        return dict(self.scopes[-1]["headers"])


class Said:
    """A decision point in this process that says the same to everybody, and remembers the questions."""

    def __init__(self, *, allowed: bool = True, reason: str = "", observe: bool = False) -> None:
        self.decision = Decision(
            allowed=allowed, reason=reason or ("allowed_by_rule" if allowed else "no_matching_rule")
        )
        self.observe = observe
        self.items: list[Item] = []
        self.batches: list[list[Item]] = []
        self.hidden: set[str] = set()
        self.contexts: list[Mapping[str, str]] = []
        self.error: Exception | None = None
        self.batch_error: Exception | None = None
        self.closed = False
        self.principal = Principal(issuer="https://idp.example", subject="alice")

    async def check(
        self, token: str, item: Item, *, server: str, request_id: str, context: Mapping[str, str] = NO_CONTEXT
    ) -> Answer:
        self.items.append(item)
        self.contexts.append(context)
        if self.error is not None:
            raise self.error
        return Answer(decisions=(self.decision,), principal=self.principal, decision_id="d", observe=self.observe)

    async def check_batch(
        self,
        token: str,
        items: Sequence[Item],
        *,
        server: str,
        request_id: str,
        context: Mapping[str, str] = NO_CONTEXT,
    ) -> Answer:
        self.batches.append(list(items))
        self.contexts.append(context)
        if self.batch_error is not None:
            raise self.batch_error
        decisions = tuple(
            Decision(allowed=False, reason="no_matching_rule") if item.tool in self.hidden else self.decision
            for item in items
        )
        return Answer(decisions=decisions, principal=self.principal, observe=self.observe)

    async def close(self) -> None:
        self.closed = True


def call(method: str, params: dict[str, Any] | None = None, *, number: str | int | None = 1) -> bytes:
    message: dict[str, Any] = {"jsonrpc": "2.0", "method": method}
    if number is not None:
        message["id"] = number
    if params is not None:
        message["params"] = params
    return json.dumps(message).encode()


def tool(name: str, **arguments: Any) -> bytes:
    return call("tools/call", {"name": name, "arguments": arguments})


def client(app: AuthzMiddleware) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1", timeout=10)


async def post(
    app: AuthzMiddleware,
    body: bytes,
    *,
    token: str | None = ALICE_TOKEN,
    **headers: str,
) -> httpx.Response:
    sent = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
    if token is not None:
        sent["authorization"] = f"Bearer {token}"
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with client(app) as http:
        return await http.post("/mcp", content=body, headers=sent)


@asynccontextmanager
async def lifespan(app):
    """Run an app's lifespan, as a web server does."""
    events: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    said: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    task = asyncio.create_task(app({"type": "lifespan", "asgi": {"version": "3.0"}}, events.get, said.put))
    await events.put({"type": "lifespan.startup"})
    answer = asyncio.create_task(said.get())
    await asyncio.wait({task, answer}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        answer.cancel()
        task.result()
    if answer.done() and not answer.cancelled() and answer.result()["type"] == "lifespan.startup.failed":
        await asyncio.wait_for(task, 10)
        raise RuntimeError(answer.result()["message"])
    assert answer.result()["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await events.put({"type": "lifespan.shutdown"})
        async with asyncio.timeout(10):
            await said.get()
            await task
