"""One HTTP connection that nobody holds open for nothing: uvicorn's own waits for ever for a request to come.

INVARIANT: who has sent a whole request is answered; the places of those who have not are given to newcomers.
"""

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
    """Ends when no request comes in time, or when it waits the longest and there is no room for another."""

    seconds: ClassVar[float] = 20.0
    """For a whole request to come, from the connection's beginning, or from the end of the time it may lie idle."""
    handshake_seconds: ClassVar[float] = 5.0

    def __init__(self, *args: Any, **given: Any) -> None:  # what uvicorn gives to every protocol
        """Take what uvicorn gives."""
        super().__init__(*args, **given)
        self.waits_since: float | None = None
        """On the loop's clock; None while its request is under way."""
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin to wait; the one who has waited longest makes room when there is none."""
        super().connection_made(transport)
        if self.limit_concurrency is not None and len(self.connections) >= self.limit_concurrency:
            others = (one for one in self.connections if isinstance(one, Connection))
            waiting = [(one.waits_since, id(one), one) for one in others if one.waits_since is not None]
            if waiting:
                min(waiting)[2].cut()
        self._wait(self.seconds)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request, unless it is here already."""
        self._wait(self.timeout_keep_alive + self.seconds)
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go."""
        self._stop()
        super().connection_lost(exc)

    def cut(self) -> None:
        """End at once: a farewell would wait for somebody who does not answer."""
        self._stop()
        self.connections.discard(self)
        self.transport.abort()

    def _look(self) -> None:
        """Wait no more when a whole request is here and its answer under way."""
        answering = not getattr(self.cycle, "response_complete", True)  # None before the first request
        if answering and self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop()

    def _wait(self, seconds: float) -> None:
        self._stop()
        self.waits_since = self.loop.time()
        self._end = self.loop.call_later(seconds, self.cut)

    def _stop(self) -> None:
        self.waits_since = None
        if self._end is not None:
            self._end.cancel()
            self._end = None
