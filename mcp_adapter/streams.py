"""Everything that is open for long: watches the policy for all of it, and says when to ask again."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final, Protocol

from mcp_adapter.pdp import News, Pdp, Unanswered, Watched

_log: Final = logging.getLogger(__name__)
_AT_ONCE: Final = 32
"""Streams that are asked about at the same time."""
_SHORTEST: Final = 0.25
_LONGEST: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient we are with streams, in seconds."""

    settle: float = 1.0
    """An answer that is open for longer is a stream; others are over before the policy matters."""
    poll: float = 30.0
    """How often to ask while nobody tells us that something changed, or when a token's end is not known."""
    retry: float = 2.0
    """How soon to ask again when there was no answer, or when the token should have ended and has not."""
    doubt: float = 60.0
    """How long a stream stays open while there is no answer."""
    grace: float = 5.0
    """How long a client has to take the last words, and a server to notice that its client is gone."""


class Open(Protocol):
    """One stream that is open."""

    async def again(self, heard: int | None) -> None:
        """Ask whether it may go on; end it if not. `heard` counts what was told so far. It never raises."""
        ...


class Streams:
    """Holds what is open; one subscription, while there is something, tells when each has to be asked about again."""

    def __init__(self, pdp: Pdp, *, pace: Pace | None = None, clock: Callable[[], float] = time.time) -> None:
        """Take who answers and tells; `clock` says when tokens end."""
        self.pace: Final = pace or Pace()
        self.clock: Final = clock
        self._pdp = pdp
        self._open: set[Open] = set()
        self._heard = 0
        self._live = False
        self._following: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Count what is open."""
        return len(self._open)

    def mark(self) -> int | None:
        """Say what was told so far: whatever is judged after this need not be judged again for it. None: unknown."""
        return self._heard if self._live else None

    def hold(self, stream: Open) -> None:
        """Take a stream, and ask about it from now on."""
        self._open.add(stream)
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow())

    def drop(self, stream: Open) -> None:
        """Let go of a stream."""
        self._open.discard(stream)
        if not self._open and self._following is not None:
            self._following.cancel()
            self._following, self._live = None, False

    async def _follow(self) -> None:
        """Ask about all at each change. While nobody tells us, ask every now and then."""
        loop = asyncio.get_running_loop()
        pause, asked = _SHORTEST, loop.time()
        while True:
            try:
                async for news in self._news():
                    self._heard += 1
                    self._live = True
                    pause, asked = _SHORTEST, loop.time()
                    _log.debug("policy_news: %s, epoch %d", news.revision, news.epoch)
                    await self._ask()
            except Unanswered as error:
                _log.debug("policy_news_ended: %s", error)
            finally:
                self._live = False
            if loop.time() - asked >= self.pace.poll:
                self._heard += 1
                asked = loop.time()
                await self._ask()
            await asyncio.sleep(min(pause, self.pace.poll))
            pause = min(2 * pause, _LONGEST)

    async def _news(self) -> AsyncGenerator[News, None]:
        if not isinstance(self._pdp, Watched):
            return
        last: News | None = None
        # INVARIANT: what comes first counts as a change: something may have been missed before.
        async with aclosing(self._pdp.watch()) as told:
            async for news in told:
                if news != last:
                    last = news
                    yield news

    async def _ask(self) -> None:
        heard, turn = self._heard, asyncio.Semaphore(_AT_ONCE)

        async def ask(stream: Open) -> None:
            async with turn:
                await stream.again(heard)

        await asyncio.gather(*(ask(stream) for stream in tuple(self._open)))
