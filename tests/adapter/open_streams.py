"""A server whose streams stay open, a client that reads them as they come, and a decision point that tells news."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from mcp_adapter import AuthzMiddleware
from mcp_adapter.pdp import NO_CONTEXT, Answer, Decision, Fault, Item, News, Unanswered
from mcp_adapter.principal import Principal
from mcp_adapter.streams import Pace
from tests.adapter.bench import Lines

SOON = Pace(settle=0, poll=30, retry=0.01, doubt=30, grace=0.05)
EVENTS = [(b"content-type", b"text/event-stream")]


class Teller:
    """Answers by name what each caller may use, and tells whoever watches when that changed."""

    def __init__(self) -> None:
        self.may: dict[str, set[str]] = {"alice": {"echo", "write"}, "bob": {"echo"}}
        self.reason: dict[str, str] = {}
        self.expires_at: float = 4e9
        self.observe = False
        self.fault: Exception | None = None
        self.slow: asyncio.Event | None = None
        """What answers wait for."""
        self.asked: list[str] = []
        self.batches: list[list[Item]] = []
        self.watching = 0
        self.watched = 0
        self.deaf = False
        """Whether nobody can watch."""
        self._epoch = 0
        self._changed = asyncio.Condition()
        self._cut = 0

    async def tell(self) -> None:
        async with self._changed:
            self._epoch += 1
            self._changed.notify_all()

    async def cut(self) -> None:
        """End every subscription."""
        async with self._changed:
            self._cut += 1
            self._changed.notify_all()

    async def check(self, token: str, item: Item, *, server: str, request_id: str, context: Any = NO_CONTEXT) -> Answer:
        self.asked.append(token)
        if self.slow is not None:
            await self.slow.wait()
        if self.fault is not None:
            raise self.fault
        return self._answer(token, [item])

    async def check_batch(
        self, token: str, items: Sequence[Item], *, server: str, request_id: str, context: Any = NO_CONTEXT
    ) -> Answer:
        self.batches.append(list(items))
        if self.fault is not None:
            raise self.fault
        return self._answer(token, items)

    def _answer(self, token: str, items: Sequence[Item]) -> Answer:
        reason = self.reason.get(token, "")
        return Answer(
            decisions=tuple(self._decision(token, item, reason) for item in items),
            principal=None if reason.startswith("token_") else Principal(issuer="i", subject=token),
            decision_id=f"d{len(self.asked)}",
            expires_at=self.expires_at,
            observe=self.observe,
        )

    def _decision(self, token: str, item: Item, reason: str) -> Decision:
        if reason:
            return Decision(allowed=False, reason=reason, message="not any more")
        allowed = not item.tool or item.tool in self.may[token]
        return Decision(allowed=allowed, reason="allowed_by_rule" if allowed else "no_matching_rule")

    async def watch(self) -> AsyncGenerator[News, None]:
        self.watched += 1
        if self.deaf:
            raise Unanswered(Fault.INTERNAL, "nobody tells")
        self.watching += 1
        cut, told = self._cut, None
        try:
            while True:
                async with self._changed:
                    while told == self._epoch and cut == self._cut:
                        await self._changed.wait()
                    if cut != self._cut:
                        raise Unanswered(Fault.UNAVAILABLE, "cut")
                    told = self._epoch
                yield News(revision="r", epoch=told)
        finally:
            self.watching -= 1

    async def close(self) -> None:
        pass


class Held:
    """A server that opens every answer with some pieces and keeps it open until it is told to go on, or is alone."""

    def __init__(self, *pieces: bytes, headers: Sequence[tuple[bytes, bytes]] = EVENTS) -> None:
        self.pieces = pieces or (b": hello\n\n",)
        self.headers = headers
        self.more: asyncio.Queue[bytes] = asyncio.Queue()
        self.stubborn = False
        self.alone = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def __call__(self, scope, receive, send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
            for piece in self.pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            pouring = asyncio.create_task(self._pour(send))
            while (await receive())["type"] != "http.disconnect":
                pass
            self.alone.set()
            if self.stubborn:
                await asyncio.Event().wait()
            pouring.cancel()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def _pour(self, send) -> None:
        while True:
            await send({"type": "http.response.body", "body": await self.more.get(), "more_body": True})


class Reader:
    """A client with one request under way."""

    def __init__(self, app: AuthzMiddleware, token: str, message: dict[str, Any] | None, **headers: str) -> None:
        sent = {"authorization": f"Bearer {token}", "content-type": "application/json", **headers}
        self.scope = {
            "type": "http",
            "method": "GET" if message is None else "POST",
            "path": "/mcp",
            "query_string": b"",
            "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in sent.items()],
        }
        if message is None:
            self.scope["headers"].pop(1)
        self.body = b"" if message is None else json.dumps(message).encode()
        self.start: dict[str, Any] | None = None
        self.said = b""
        self.whole = False
        self.reading = asyncio.Event()
        self.reading.set()
        self._got = asyncio.Condition()
        self._gone = asyncio.Event()
        self._sent = False
        self.task = asyncio.create_task(app(self.scope, self._receive, self._send))

    async def until(self, text: bytes) -> bytes:
        async with asyncio.timeout(10), self._got:
            await self._got.wait_for(lambda: text in self.said or self.whole or self.task.done())
        assert text in self.said, self.said
        return self.said

    async def end(self) -> bytes:
        """Wait until the request is over."""
        async with asyncio.timeout(10):
            await self.task
        return self.said

    async def leave(self) -> None:
        self._gone.set()
        await self.end()

    async def _receive(self) -> dict[str, Any]:
        if not self._sent:
            self._sent = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, event: dict[str, Any]) -> None:
        await self.reading.wait()
        async with self._got:
            if event["type"] == "http.response.start":
                self.start = event
            else:
                assert not self.whole, "something after the end"
                self.said += event["body"]
                self.whole = not event["more_body"]
            self._got.notify_all()


def guard(server: Any, teller: Teller, lines: Lines, pace: Pace = SOON) -> AuthzMiddleware:
    return AuthzMiddleware(server, client=teller, audit=lines, pace=pace)


async def until(true: Callable[[], bool]) -> None:
    """Let the others work until something holds."""
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110 - what is waited for has no event to tell it
            await asyncio.sleep(0.001)


async def watched(teller: Teller) -> None:
    """Wait until somebody watches, and was told the present state."""
    await until(lambda: teller.watching > 0)


async def asked(teller: Teller, times: int) -> None:
    await until(lambda: len(teller.asked) >= times)
