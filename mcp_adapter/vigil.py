"""One answer that may be open for long: asks again whether the caller still has the right, and ends it if not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

from mcp_adapter.asgi_types import Event, Receive
from mcp_adapter.gate import Ruling, Way
from mcp_adapter.streams import Streams

_log: Final = logging.getLogger(__name__)
_LONGEST: Final = 3600.0


class Vigil:
    """Stands beside one answer from its beginning to its end.

    `judge` asks again, `end` says the last words to the client and notes why, and `told` is called when the right was
    confirmed after a change. The server of a stream that we ended gets `http.disconnect` as its next event, and its
    work is cancelled when that does not help.
    """

    def __init__(
        self,
        streams: Streams,
        ruling: Ruling,
        mark: int | None,
        *,
        judge: Callable[[], Awaitable[Ruling]],
        end: Callable[[Ruling], Coroutine[Any, Any, None]],
        told: Callable[[int], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """Take the ruling that opened it, and what had been told before that was made."""
        self.ended = False
        """Whether we ended it."""
        self._left = False
        self._streams = streams
        self._pace = streams.pace
        self._ruling = ruling
        self._mark = mark
        self._judge, self._end, self._told = judge, end, told
        self._loop = asyncio.get_running_loop()
        self._doubted: float | None = None
        self._missed: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._work: asyncio.Timeout | None = None
        self._receiving: set[asyncio.Timeout] = set()
        self._asking: asyncio.Task[None] | None = None
        self._saying: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    def begin(self) -> None:
        """Note that the answer has begun, and is a stream."""
        self._timer = self._loop.call_later(self._pace.settle, self._settled)

    async def run(self, work: Awaitable[None]) -> None:
        """Await the server's work; when we ended the stream, it has a little time to end by itself."""
        self._work = asyncio.timeout(None)
        try:
            async with self._work:
                await work
        except TimeoutError:
            if not self.ended:
                raise
        finally:
            self._work = None
            await self._close()

    async def receive(self, receive: Receive) -> Event:
        """Give the server its next event, or tell it that its client is gone when we ended the stream."""
        if self.ended:
            return _GONE
        limit = asyncio.timeout(None)
        self._receiving.add(limit)
        try:
            async with limit:
                return await receive()
        except TimeoutError:
            if not limit.expired():
                raise
            return _GONE
        finally:
            self._receiving.discard(limit)

    async def again(self, heard: int | None) -> None:
        """Ask whether it may go on, and end it if not; `heard` is what has been told by now, None that its time came.

        It never raises.
        """
        async with self._turn:
            if self.ended or self._left or (heard is not None and heard == self._mark):
                return
            try:
                await self._ask(heard)
            except Exception:  # noqa: BLE001 - the watcher's catch: what cannot be judged does not go on
                _log.exception("stream_not_judged")
                if not self._left:
                    self._finish(Ruling(way=Way.UNANSWERED, reason="internal", message="no answer"))

    async def _ask(self, heard: int | None) -> None:
        ruling = await self._judge()
        if self._left:  # INVARIANT: what is over is asked about no more, and nothing is said to whoever comes after it
            return
        if ruling.way is Way.UNANSWERED and self._may_doubt():
            self._missed = self._missed if heard is None else heard
            self._arm(self._pace.retry)
            return
        if not ruling:
            self._finish(ruling)
            return
        heard = self._missed if heard is None else heard
        self._ruling, self._doubted, self._missed = ruling, None, None
        self._arm(self._until_end())
        if heard is not None:
            self._mark = heard
            if self._told is not None and (self._saying is None or self._saying.done()):
                self._saying = asyncio.create_task(self._told(heard))

    def _may_doubt(self) -> bool:
        """Say whether to go on a little without an answer: never past the end of the token."""
        now = self._loop.time()
        if self._doubted is None:
            self._doubted = now
        answer = self._ruling.answer
        over = answer is not None and 0 < answer.expires_at <= self._streams.clock()
        return not over and now - self._doubted < self._pace.doubt

    def _settled(self) -> None:
        self._streams.hold(self)
        self._arm(self._until_end())
        if (mark := self._streams.mark()) is not None and mark != self._mark:
            self._start(mark)

    def _until_end(self) -> float:
        """Give the seconds until it should be asked about, whatever is told: until the token ends."""
        answer = self._ruling.answer
        if answer is None or not answer.expires_at:
            return self._pace.poll
        # A token counts a little longer than it says, for clocks that differ: then we ask a few times.
        return min(max(answer.expires_at - self._streams.clock(), self._pace.retry), _LONGEST)

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._start, None)

    def _start(self, heard: int | None) -> None:
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self.again(heard))

    def _finish(self, ruling: Ruling) -> None:
        """End it. From here on nothing of the server reaches the client."""
        self.ended = True
        if self._timer is not None:
            self._timer.cancel()
        if self._saying is not None:
            self._saying.cancel()
        # A task of its own: a client that does not read must not hold up the others.
        self._saying = asyncio.create_task(self._say(ruling))

    async def _say(self, ruling: Ruling) -> None:
        try:
            async with asyncio.timeout(self._pace.grace):
                await self._end(ruling)
        except TimeoutError:
            pass
        now = self._loop.time()
        for limit in tuple(self._receiving):
            limit.reschedule(now)
        if self._work is not None:
            self._work.reschedule(now + self._pace.grace)

    def leave(self) -> None:
        """Ask no more: the answer is over."""
        self._left = True
        if self._timer is not None:
            self._timer.cancel()
        self._streams.drop(self)
        for task in (self._asking, None if self.ended else self._saying):
            if task is not None:
                task.cancel()

    async def _close(self) -> None:
        self.leave()
        if self.ended and self._saying is not None:
            await asyncio.wait({self._saying})


_GONE: Final[Event] = {"type": "http.disconnect"}
