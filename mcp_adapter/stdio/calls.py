"""The requests that are open, in both directions; only what answers one of them passes."""

from dataclasses import dataclass
from typing import Final

from mcp_adapter.filter import Filter
from mcp_adapter.record import Entry, Recorder
from mcp_adapter.refusal import INVALID_REQUEST, Refusal

Id = str | int
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request of the client that the server has."""

    entry: Entry
    filtering: Filter | None = None


class Calls:
    """Remembers who waits for what, a bounded number of them."""

    def __init__(self, recorder: Recorder, *, most: int = _MOST) -> None:
        """Take where the events of requests go when they end, and how many may be open in each direction."""
        self._recorder = recorder
        self._most = most
        self._of_client: dict[Id, Call] = {}
        self._of_server: set[Id] = set()

    def room(self, request_id: Id) -> None:
        """Return when the client may open this request; raises `Refusal`.

        An id in use would leave open which of two requests an answer is to, and so whether it must be filtered.
        """
        if request_id in self._of_client:
            raise Refusal(400, INVALID_REQUEST, "the `id` belongs to a request that is still open")
        if len(self._of_client) >= self._most:
            raise Refusal(400, INVALID_REQUEST, f"{self._most} requests are open already", request_id=request_id)

    def open(self, request_id: Id, call: Call) -> None:
        """Remember a request of the client."""
        self._of_client[request_id] = call

    def look(self, request_id: Id) -> Call | None:
        """Give an open request of the client."""
        return self._of_client.get(request_id)

    def end(self, request_id: Id, outcome: str = "") -> None:
        """Forget a request of the client, and write its event."""
        call = self._of_client.pop(request_id, None)
        if call is not None:
            call.entry.outcome = outcome or call.entry.outcome
            self._recorder.write(call.entry)

    def end_all(self) -> None:
        """Write the events of what is left when the server is gone."""
        for request_id in list(self._of_client):
            self.end(request_id, "aborted")

    def ask(self, request_id: Id) -> bool:
        """Remember a request of the server; say no when there are too many."""
        if len(self._of_server) >= self._most:
            return False
        self._of_server.add(request_id)
        return True

    def answers(self, request_id: Id | None) -> bool:
        """Say whether the server waits for this answer; from now on it does no more."""
        if request_id not in self._of_server:
            return False
        self._of_server.discard(request_id)
        return True
