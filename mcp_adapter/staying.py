"""Makes what stands beside each answer that goes out, in case it stays open."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from mcp_adapter import methods
from mcp_adapter.asked import Asked
from mcp_adapter.challenge import Challenger
from mcp_adapter.gate import Ruling, Way
from mcp_adapter.judged import ended
from mcp_adapter.listener import Listener
from mcp_adapter.outcome import Tap
from mcp_adapter.overheard import Overheard
from mcp_adapter.record import Entry
from mcp_adapter.reply import Reply
from mcp_adapter.seen import Seen, Sift
from mcp_adapter.streams import Streams
from mcp_adapter.vigil import Vigil

_LISTEN: Final = "subscriptions/listen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What stands beside one answer."""

    vigil: Vigil
    tap: Tap | None = None
    """Hears of which lists the server will say that they have changed, where this answer says so."""


class Staying:
    """Watches over the answers of one server that stay open."""

    def __init__(self, streams: Streams, challenger: Challenger) -> None:
        """Take where they are held, and who finds the last words."""
        self.streams: Final = streams
        self.seen: Final = Seen()
        self._challenger = challenger
        self._declared: frozenset[str] = frozenset()

    def beside(
        self,
        asked: Asked,
        ruling: Ruling,
        mark: int | None,
        *,
        judge: Callable[[], Awaitable[Ruling]],
        sift: Sift,
        reply: Reply,
        entry: Entry,
    ) -> Stay:
        """Give what stands beside an answer; `mark` is what had been told before `ruling` was made."""

        async def end(last: Ruling) -> None:
            ended(entry, last)
            await reply.end(self._words(asked, last))

        listener, tap = self._listener(asked, ruling, sift, reply)
        told = None if listener is None else listener.told
        vigil = Vigil(self.streams, ruling, mark, judge=judge, end=end, told=told)
        return Stay(vigil=vigil, tap=tap)

    def _listener(self, asked: Asked, ruling: Ruling, sift: Sift, reply: Reply) -> tuple[Listener | None, Tap | None]:
        who = None if ruling.answer is None else ruling.answer.principal
        if ruling.way is not Way.PASS:  # where the operator only watches, everybody sees everything
            return None, None
        if asked.message is None:
            if asked.items[0].method != methods.SESSION_STREAM:
                return None, None
            return Listener(self.seen, who, kinds=lambda: self._declared, sift=sift, send=reply.insert), None
        if asked.message.method == "initialize":
            return None, Overheard(asked.id, self._declare)
        if asked.message.method != _LISTEN:
            return None, None
        honored: list[frozenset[str]] = []
        listener = Listener(
            self.seen,
            who,
            kinds=lambda: honored[0] if honored else frozenset(),
            sift=sift,
            send=reply.insert,
            subscription=asked.id,
        )
        return listener, Overheard(asked.id, honored.append)

    def _declare(self, kinds: frozenset[str]) -> None:
        self._declared = kinds

    def _words(self, asked: Asked, last: Ruling) -> bytes:
        """Give the error that answers the request whose stream it is; a session's own stream just ends."""
        if asked.id is None:
            return b""
        said = self._challenger.ruled(last, asked.id, token_sent=True, modern=asked.modern)
        return b"event: message\ndata: " + said.body + b"\n\n"
