"""The way out: sends what the server answers, after taking out what the caller may not see."""

import asyncio
from collections.abc import Callable
from typing import Final

from mcp_adapter import media
from mcp_adapter.asgi_types import Event, Send
from mcp_adapter.challenge import Answered, error_body
from mcp_adapter.filter import Filter, Unreadable
from mcp_adapter.marks import Marks
from mcp_adapter.outcome import Tap
from mcp_adapter.pdp import Unanswered
from mcp_adapter.record import Entry
from mcp_adapter.refusal import UNANSWERED
from mcp_adapter.sse import Block, Events, TooLong

LARGEST_ANSWER: Final = 16 * 1024 * 1024
"""Bytes of a list, or of one event on a stream that may hold a list."""

RawHeaders = list[tuple[bytes, bytes]]
_BETWEEN: Final = (b"\n\n", b"\r\r", b"\n\r\n")
"""What stands before the place where an event may begin."""


class Reply:
    """Sends one response. What cannot be filtered is replaced by an error, and the rest of it is dropped."""

    def __init__(self, send: Send, entry: Entry) -> None:
        """Take where to send, and where to note what became of it."""
        self.started = False
        self.complete = False
        self.expected = False
        self._send = send
        self._entry = entry
        self._request_id: str | int | None = None
        self._filter: Filter | None = None
        self._tap: Tap | None = None
        self._marks: Marks | None = None
        self._rewrite: Callable[[RawHeaders], RawHeaders] = list
        self._held: Event | None = None
        self._whole = bytearray()
        self._json = False
        self._events: Events | None = None
        self._broken = False
        self._over = False
        self._began: Callable[[], None] = _nothing
        self._inserts: dict[bytes, None] = {}
        self._last = b""
        self._between: bool | None = None
        """On a stream, whether an event may begin here; None where nothing of ours may stand."""
        self._lock = asyncio.Lock()

    def expect(
        self,
        request_id: str | int | None = None,
        *,
        rewrite: Callable[[RawHeaders], RawHeaders] = list,
        filtering: Filter | None = None,
        tap: Tap | None = None,
        marks: Marks | None = None,
        began: Callable[[], None] | None = None,
    ) -> None:
        """Say what the answer will be to, before the server is called; `began` is called for a stream of events."""
        self.expected = True
        self._began = began or _nothing
        self._request_id, self._rewrite, self._filter, self._tap = request_id, rewrite, filtering, tap
        self._marks = marks

    @property
    def answered(self) -> bool:
        """Whether a call has its answer: some clients close a stream as soon as they have what they asked for."""
        return self._tap is not None and self._tap.answered

    async def answer(self, answered: Answered) -> None:
        """Send an answer of our own."""
        headers = list(answered.headers)
        await self._out({"type": "http.response.start", "status": answered.status, "headers": headers})
        await self._out({"type": "http.response.body", "body": answered.body, "more_body": False})

    async def insert(self, event: bytes) -> None:
        """Send an event of our own between two of the server's; one that still waits is not sent twice."""
        self._inserts[event] = None
        async with self._lock:
            await self._insert()

    async def end(self, words: bytes) -> None:
        """End a stream with an event of our own, or none; nothing of the server's follows."""
        self._over = True
        async with self._lock:
            if self.started and not self.complete:
                body = words if self._between else b""  # in the middle of an event it could only be misread
                await self._out({"type": "http.response.body", "body": body, "more_body": False})

    async def send(self, event: Event) -> None:
        """Take an event of the server; what comes after the end is dropped."""
        # INVARIANT: events leave in the order in which they came, also where a server sends from two tasks at once.
        async with self._lock:
            if self.complete or self._broken or self._over:
                return
            self._broken = True  # INVARIANT: after a fault in here, nothing that was not filtered follows
            try:
                await self._take(event)
            except (Unanswered, Unreadable, TooLong) as error:
                await self._give_up(error)
            self._broken = False

    async def _take(self, event: Event) -> None:
        match event["type"]:
            case "http.response.start":
                await self._start({**event, "headers": self._rewrite(list(event.get("headers", ())))})
            case "http.response.body":
                await self._body(event.get("body", b""), more=event.get("more_body", False))
                await self._insert()
            case _:
                pass  # an extension: its bytes would pass unseen

    async def _start(self, event: Event) -> None:
        found = {bytes(name).lower(): bytes(value) for name, value in event["headers"]}
        kind = media.parse(found.get(b"content-type", b""))
        streams = kind is not None and kind[0] == media.EVENTS
        if self._tap is not None:
            self._tap.streams = streams
        if streams:
            self._between = True if _is_plain(found) else None
            self._began()
        if not streams or not _is_plain(found):  # an id that was not sealed resumes nothing
            self._marks = None
        if self._filter is None:
            headers = event["headers"] if self._between is None else _without_length(event["headers"])
            await self._out({**event, "headers": headers})
        elif not _is_plain(found):
            self._held = event
            raise Unreadable("the server's answer is compressed")
        elif streams:
            self._events = Events(LARGEST_ANSWER)
            await self._out({**event, "headers": _without_length(event["headers"])})
        else:
            self._held = event
            self._json = kind is not None and kind[0] == media.JSON

    async def _body(self, body: bytes, *, more: bool) -> None:
        if self._tap is not None:
            self._tap.take(body)
            if self._tap.answered:
                self._entry.tool_error = self._tap.failed()
        if self._marks is not None:
            body = self._marks.feed(body) + (b"" if more else self._marks.end())
        if self._filter is None:
            await self._out({"type": "http.response.body", "body": body, "more_body": more})
        elif self._events is not None:
            await self._stream(self._filter, self._events, body, more=more)
        elif self._held is not None:
            self._whole += body
            if len(self._whole) > LARGEST_ANSWER:
                raise Unreadable("the server's answer is too long to be filtered")
            if not more:
                await self._list(self._filter, self._held, bytes(self._whole))

    async def _list(self, filtering: Filter, start: Event, body: bytes) -> None:
        """Send a whole answer, filtered. Errors in plain words pass; anything else that is no JSON does not."""
        if self._json and body.strip():
            body = await filtering.payload(body)
            self._count(filtering)
        elif body.strip() and start["status"] < 400:
            raise Unreadable("the server's answer is neither JSON nor a stream of events")
        length = (b"content-length", str(len(body)).encode("ascii"))
        await self._out({**start, "headers": [*_without_length(start["headers"]), length]})
        await self._out({"type": "http.response.body", "body": body, "more_body": False})

    async def _stream(self, filtering: Filter, events: Events, body: bytes, *, more: bool) -> None:
        """Send in one piece what one piece completed, and what could be filtered before something could not."""
        out = bytearray()
        try:
            for block in events.feed(body):
                out += await self._block(filtering, block)
            if not more:
                for block in events.end():
                    out += await self._block(filtering, block)
        except (Unanswered, Unreadable, TooLong):
            if out:
                await self._out({"type": "http.response.body", "body": bytes(out), "more_body": True})
            raise
        if out or not more:
            await self._out({"type": "http.response.body", "body": bytes(out), "more_body": more})

    async def _block(self, filtering: Filter, block: Block) -> bytes:
        if not block.data:
            return block.raw
        try:
            data = await filtering.payload(block.data)
        except Unreadable:
            if block.event == "message":
                raise
            return block.raw
        self._count(filtering)
        return block.raw if data == block.data else block.saying(data)

    async def _give_up(self, error: Exception) -> None:
        """Close, with an error in place of what could not be filtered."""
        self._entry.outcome, self._entry.detail = "unanswered", str(error)
        body = error_body(self._request_id, UNANSWERED, "the answer could not be filtered for this caller", {})
        if self.started:
            body = b"event: message\n" + b"data: " + body + b"\n\n"
            await self._out({"type": "http.response.body", "body": body, "more_body": False})
            return
        status = 503 if isinstance(error, Unanswered) else 500
        headers = ((b"content-type", b"application/json"), (b"content-length", str(len(body)).encode("ascii")))
        await self.answer(Answered(status=status, headers=(*headers, (b"cache-control", b"no-store")), body=body))

    async def _insert(self) -> None:
        if self._inserts and self._between and not self.complete and not self._over:
            body = b"".join(self._inserts)
            self._inserts.clear()
            await self._out({"type": "http.response.body", "body": body, "more_body": True})

    def _count(self, filtering: Filter) -> None:
        self._entry.listed, self._entry.hidden = filtering.listed, filtering.hidden

    async def _out(self, event: Event) -> None:
        if event["type"] == "http.response.start":
            self.started = True
            self._entry.status = event["status"]
        elif not event["more_body"]:
            self.complete = True
            if self._tap is not None:
                self._entry.tool_error = self._tap.failed()
        elif self._between is not None and event["body"]:
            self._last = (self._last + event["body"][-4:])[-4:]
            self._between = self._last.endswith(_BETWEEN)
        await self._send(event)


def _nothing() -> None:
    pass


def _is_plain(headers: dict[bytes, bytes]) -> bool:
    return headers.get(b"content-encoding", b"identity").lower() == b"identity"


def _without_length(headers: RawHeaders) -> RawHeaders:
    return [(name, value) for name, value in headers if bytes(name).lower() != b"content-length"]
