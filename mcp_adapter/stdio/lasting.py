"""Stands beside the requests that stay open, and ends those to which the right has ended."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from mcp_adapter.asked import Asked
from mcp_adapter.challenge import Challenger
from mcp_adapter.gate import Ruling
from mcp_adapter.judged import ended
from mcp_adapter.record import ENDED, Entry
from mcp_adapter.stdio.calls import Calls, Id
from mcp_adapter.stdio.lines import LineWriter
from mcp_adapter.streams import Streams
from mcp_adapter.vigil import Vigil


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting:
    """Watches over the requests of one client.

    One that may go on no more is answered with the error that says why, and the server hears that it is cancelled.
    """

    streams: Streams
    challenger: Challenger
    calls: Calls
    to_server: LineWriter
    to_client: LineWriter

    def beside(
        self,
        asked: Asked,
        ruling: Ruling,
        mark: int | None,
        *,
        request_id: Id,
        judge: Callable[[], Awaitable[Ruling]],
        entry: Entry,
    ) -> Vigil:
        """Give what stands beside a request; `mark` is what had been told before `ruling` was made."""

        async def end(last: Ruling) -> None:
            ended(entry, last)
            body = self.challenger.ruled(last, request_id, token_sent=True, modern=asked.modern).body
            self.calls.leave(request_id, ENDED)
            words = [self.to_client.put(body)]
            if entry.method != "initialize":  # which cannot be cancelled
                words.append(self.to_server.put(_cancelled(request_id)))
            await asyncio.gather(*words, return_exceptions=True)  # whoever is gone needs no word

        vigil = Vigil(self.streams, ruling, mark, judge=judge, end=end)
        vigil.begin()
        return vigil


def _cancelled(request_id: Id) -> bytes:
    params = {"requestId": request_id, "reason": "the authorization has ended"}
    return msgspec.json.encode({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})
