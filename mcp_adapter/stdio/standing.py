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

_ANEW: Final = 10.0
_SOON: Final = 1.0


class Standing:
    """Judges the caller's own stream, as a GET is judged over HTTP: anew when the token ends, and every ten seconds.

    So a revocation, or an edit of the policy, reaches also a caller that only listens.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        bearer: Bearer,
        recorder: Recorder,
        server: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take who judges, whom, and where it is told; the clock gives seconds since the epoch."""
        self._gate, self._bearer, self._recorder, self._server = gate, bearer, recorder, server
        self._clock = clock
        self._good = False
        self._until = 0.0

    async def holds(self) -> bool:
        """Say whether the caller may hear more."""
        if self._clock() >= self._until:
            await self._judge()
        return self._good

    async def _judge(self) -> None:
        entry = Entry(server=self._server, request_id=uuid.uuid4().hex, http_method="STDIO", path="")
        entry.token, entry.method = self._bearer(), SESSION_STREAM
        ruling = await self._gate.judge(entry.token, (Item(method=SESSION_STREAM),), entry.request_id)
        remember(entry, ruling)
        good = bool(ruling)
        if good is not self._good or not good:
            self._recorder.write(entry)
        self._good = good
        now = self._clock()
        self._until = now + (_ANEW if good else _SOON)
        if good and ruling.answer is not None and ruling.answer.expires_at:
            self._until = min(self._until, max(ruling.answer.expires_at, now))
