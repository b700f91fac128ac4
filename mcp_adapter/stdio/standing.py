"""Whether the caller may still hear what the server says of its own accord."""

import time
import uuid
from collections.abc import Callable
from typing import Final

from mcp_adapter.gate import Gate
from mcp_adapter.judged import remember
from mcp_adapter.methods import SESSION_STREAM
from mcp_adapter.pdp import Item
from mcp_adapter.record import Entry, Recorder
from mcp_adapter.stdio.bearer import Bearer
from mcp_adapter.streams import Streams

_ANEW: Final = 10.0
_SOON: Final = 1.0
_LONG: Final = 3600.0


class Standing:
    """Judges the caller's own stream, as a GET is judged over HTTP: anew when the token ends, and when we are told.

    So a revocation, or an edit of the policy, reaches also a caller that only listens. Where nobody tells, it judges
    every ten seconds.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        bearer: Bearer,
        recorder: Recorder,
        server: str,
        streams: Streams,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take who judges, whom, where that is recorded, and who tells; the clock gives seconds since the epoch."""
        self._gate, self._bearer, self._recorder, self._server = gate, bearer, recorder, server
        self._streams = streams
        self._clock = clock
        self._good = False
        self._stale = True
        self._until = 0.0

    async def holds(self) -> bool:
        """Say whether the caller may hear more."""
        if self._stale or self._clock() >= self._until:
            await self._judge()
        return self._good

    async def again(self, heard: int | None) -> None:
        """Judge anew before the next word."""
        self._stale = True

    async def _judge(self) -> None:
        self._stale, told = False, self._streams.mark() is not None
        entry = Entry(server=self._server, request_id=uuid.uuid4().hex, http_method="STDIO", path="")
        entry.token, entry.method = self._bearer(), SESSION_STREAM
        ruling = await self._gate.judge(entry.token, (Item(method=SESSION_STREAM),), entry.request_id)
        remember(entry, ruling)
        good = bool(ruling)
        if good is not self._good or not good:
            self._recorder.write(entry)
        self._good = good
        now = self._clock()
        self._until = now + (_SOON if not good else _LONG if told else _ANEW)
        if good and ruling.answer is not None and ruling.answer.expires_at:
            self._until = min(self._until, max(ruling.answer.expires_at, now))
