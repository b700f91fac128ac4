"""Answers the questions of one stream side by side, a bounded number at a time."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from authz_sidecar.errors import BadRequest
from authz_sidecar.server.faults import Faults, Meter
from authz_sidecar.server.until import until
from authz_sidecar.wire import authz_pb2 as pb

RPC: Final = "/authz.v1.AuthorizationService/CheckStream"
MORE: Final = ("authz-stream", "more")
"""Who has this in its metadata can read `more` than one question or answer in a message."""
MOST: Final = 64
"""Questions or answers of one message."""

Ask = Callable[[pb.CheckRequest], Awaitable[pb.CheckResponse]]
Write = Callable[[pb.CheckStreamResponse], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Ready:
    """An answer to be written; `holds` when it frees its `request_id`."""

    response: pb.CheckStreamResponse
    holds: bool


class Interleave:
    """One stream. Made anew for each, so that two streams share nothing."""

    def __init__(
        self, ask: Ask, *, faults: Faults, meter: Meter, stopping: asyncio.Event, in_flight: int, packs: bool = False
    ) -> None:
        """Take what answers one question, how many may be under way at once, and whether the caller reads `more`."""
        self._ask = ask
        self._faults = faults
        self._meter = meter
        self._stopping = stopping
        self._most = MOST if packs else 1
        # INVARIANT: room is given back only when an answer was written, so that a caller who never reads stops us
        # reading, too, and cannot fill our memory.
        self._room = asyncio.Semaphore(in_flight)
        self._under_way: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ready: asyncio.Queue[_Ready | None] = asyncio.Queue()

    async def run(self, requests: AsyncIterator[pb.CheckStreamRequest], write: Write) -> None:
        """Answer until the caller ends the stream or we stop; what was read by then is answered."""
        reader = asyncio.create_task(self._read_all(requests))
        reader.add_done_callback(lambda _: self._ready.put_nowait(None))
        try:
            while (item := await self._ready.get()) is not None:
                items = [item, *self._waiting()]
                for answered in items:  # before: the caller may read it, and ask again, sooner than we hear of that
                    if answered.holds:
                        self._under_way.discard(answered.response.request_id)
                await write(_packed(items))
                for _ in items:
                    self._room.release()
            reader.result()
        finally:
            left = [reader, *self._tasks]
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _waiting(self) -> Iterator[_Ready]:
        """Take what else can go in the same message."""
        for _ in range(min(self._most - 1, self._ready.qsize())):
            if (item := self._ready.get_nowait()) is None:
                self._ready.put_nowait(None)  # the end: it was put last, and stays last
                return
            yield item

    async def _read_all(self, requests: AsyncIterator[pb.CheckStreamRequest]) -> None:
        await until(self._stopping, self._read(requests))
        await asyncio.gather(*self._tasks)

    async def _read(self, requests: AsyncIterator[pb.CheckStreamRequest]) -> None:
        while True:
            await self._room.acquire()  # before the question is read: one that was read is never left behind
            try:
                request = await anext(requests)
            except StopAsyncIteration:
                return
            self._take(request.check)
            for at, check in enumerate(request.more, 1):
                self._take(check, too_many=at >= MOST)
            for _ in request.more:
                await self._room.acquire()  # after they were taken, for the same reason; a message has few of them

    def _take(self, check: pb.CheckRequest, *, too_many: bool = False) -> None:
        name = check.request_id
        if too_many:
            self._refuse(name, BadRequest(f"the message has more than {MOST} questions"))
        elif not name:
            self._refuse(name, BadRequest("`request_id` is empty, expected one for each question on a stream"))
        elif name in self._under_way:
            self._refuse(name, BadRequest("`request_id` is that of a question still in flight"))
        else:
            self._under_way.add(name)
            task = asyncio.create_task(self._answer(check))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, request: pb.CheckRequest) -> None:
        started = time.perf_counter()
        try:
            response = pb.CheckStreamResponse(request_id=request.request_id, check=await self._ask(request))
            self._meter.answered(time.perf_counter() - started)
        except Exception as error:  # noqa: BLE001 - the outermost catch of one question: denies, counts and logs
            response = self._error(request.request_id, error)
        self._ready.put_nowait(_Ready(response, holds=True))

    def _refuse(self, name: str, error: BadRequest) -> None:
        self._ready.put_nowait(_Ready(self._error(name, error), holds=False))

    def _error(self, name: str, error: Exception) -> pb.CheckStreamResponse:
        refusal = self._faults.refusal(RPC, error)
        number: int = refusal.code.value[0]
        return pb.CheckStreamResponse(request_id=name, error=pb.StreamError(code=number, message=refusal.text))


def _packed(items: Sequence[_Ready]) -> pb.CheckStreamResponse:
    first = items[0].response
    for item in items[1:]:
        first.more.append(item.response)
    return first
