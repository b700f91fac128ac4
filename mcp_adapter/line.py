"""One stream that carries the questions of all callers, matched by `request_id`."""

import asyncio
from typing import Any, Final, Protocol

from authz_sidecar.wire import authz_pb2 as wire
from mcp_adapter.pdp import Fault, Unanswered

LARGEST: Final = 16 * 1024
"""Bytes of a question that may go on the stream: no caller's can be too large for what all share."""
MOST: Final = 64
"""Questions of one message, by the wire contract."""
_WAITING: Final = 128
"""Questions in flight; half of what a sidecar takes on one stream, so that slow ones hold up nobody."""


class Call(Protocol):
    """A stream under way. Each method raises `Unanswered` when it has ended."""

    async def opened(self) -> bool:
        """Wait for the other end, and say whether it reads several questions in a message."""
        ...

    async def write(self, request: wire.CheckStreamRequest) -> None:
        """Send a message; one at a time, and never cancelled."""
        ...

    async def read(self) -> wire.CheckStreamResponse | None:
        """Give the next message, or None at the end."""
        ...

    def cancel(self) -> None:
        """End it."""
        ...


class Line:
    """Asks on one stream. A question goes out at once; those that come while a message is written share the next one.

    It takes none before the other end has answered the opening, so that nothing has to be asked twice. A question that
    was given up, or whose time is over, leaves the others alone; its late answer is dropped.
    """

    def __init__(self, call: Call) -> None:
        """Take the stream; the running loop is the line's own."""
        self.over = False
        """Whether it takes no more questions, and another may take its place."""
        self.was_open = False
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[str, asyncio.Future[wire.CheckStreamResponse | Unanswered]] = {}
        self._outbox: list[wire.CheckRequest] = []
        self._heard = 0
        self._taking = False
        self._writing: asyncio.Task[None] | None = None
        self._reading = asyncio.create_task(self._read())

    def takes(self, question: wire.CheckRequest) -> bool:
        """Say whether the question can go here; else it goes alone."""
        return (
            self._taking
            and len(self._waiting) < _WAITING
            and bool(question.request_id)
            and question.request_id not in self._waiting
            and question.ByteSize() <= LARGEST
        )

    async def ask(self, question: wire.CheckRequest, seconds: float) -> wire.CheckResponse:
        """Ask, and give the answer, or raise `Unanswered` after so many seconds or for what the sidecar says."""
        future: asyncio.Future[wire.CheckStreamResponse | Unanswered] = self._loop.create_future()
        self._waiting[question.request_id] = future
        self._outbox.append(question)
        if self._writing is None:
            # A task of its own: a caller who goes away must not take the stream along.
            self._writing = asyncio.create_task(self._write())
        timer = self._loop.call_later(seconds, self._late, future, self._heard)
        try:
            outcome = await future
        finally:
            timer.cancel()
            self._leave()
        if isinstance(outcome, Unanswered):
            raise outcome
        if outcome.HasField("check"):
            return outcome.check
        raise Unanswered(_fault(outcome.error.code), outcome.error.message)

    async def close(self) -> None:
        """End the stream; what is in flight has no answer."""
        self._reading.cancel()
        await asyncio.wait({self._reading})

    def _late(self, future: "asyncio.Future[wire.CheckStreamResponse | Unanswered]", heard: int) -> None:
        if future.done():
            return
        future.set_result(Unanswered(Fault.TIMEOUT, "the sidecar did not answer in time"))
        if self._heard == heard:  # nothing came for anybody: the next question tries another way
            self._taking, self.over = False, True

    def _leave(self) -> None:
        """End a stream that takes no more, when nobody waits on it."""
        if self.over and all(future.done() for future in self._waiting.values()):
            self._reading.cancel()

    async def _write(self) -> None:
        try:
            while self._outbox:
                batch, self._outbox = self._outbox[:MOST], self._outbox[MOST:]
                asked = [question for question in batch if not self._given_up(question.request_id)]
                if asked:
                    await self._call.write(wire.CheckStreamRequest(check=asked[0], more=asked[1:]))
        except Unanswered:
            self._reading.cancel()  # which tells everybody
        finally:
            self._writing = None

    def _given_up(self, name: str) -> bool:
        """Say whether nobody waits for the answer any more; it is not asked for then."""
        if not self._waiting[name].done():
            return False
        del self._waiting[name]
        return True

    async def _read(self) -> None:
        detail = "the stream to the sidecar ended"
        try:
            self._taking = self.was_open = await self._call.opened()
            while self.was_open and (message := await self._call.read()) is not None:
                self._heard += 1
                self._settle(message)
                for more in message.more:
                    self._settle(more)
        except Unanswered as error:
            detail = str(error)
        finally:
            self._end(detail)

    def _settle(self, answer: wire.CheckStreamResponse) -> None:
        future = self._waiting.pop(answer.request_id, None)
        if future is not None and not future.done():
            future.set_result(answer)

    def _end(self, detail: str) -> None:
        self._taking, self.over = False, True
        self._outbox.clear()
        for future in self._waiting.values():
            if not future.done():
                future.set_result(Unanswered(Fault.UNAVAILABLE, detail))
        self._waiting.clear()
        self._call.cancel()


_INVALID: Final = 3
_DEADLINE: Final = 4
_UNAVAILABLE: Final = 14
_FAULTS: Final = {_INVALID: Fault.INVALID, _DEADLINE: Fault.TIMEOUT, _UNAVAILABLE: Fault.UNAVAILABLE}


def _fault(code: Any) -> Fault:
    return _FAULTS.get(code, Fault.INTERNAL)
