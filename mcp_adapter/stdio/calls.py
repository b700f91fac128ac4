"""The requests that are open, in both directions; only what answers one of them passes."""

from dataclasses import dataclass
from typing import Final

from mcp_adapter.filter import Filter
from mcp_adapter.pdp import Item
from mcp_adapter.record import Entry, Recorder
from mcp_adapter.refusal import INVALID_REQUEST, Refusal
from mcp_adapter.vigil import Vigil

Id = str | int
_MOST: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request of the client that the server has."""

    entry: Entry
    item: Item
    """What it asked for first."""
    vigil: Vigil
    filtering: Filter | None = None


class Calls:
    """Remembers who waits for what, a bounded number of them."""

    def __init__(self, recorder: Recorder, *, most: int = _MOST) -> None:
        """Take where the events of requests go when they end, and how many may be open in each direction."""
        self._recorder = recorder
        self._most = most
        self._of_client: dict[Id, Call] = {}
        self._of_server: set[Id] = set()
        self._left: dict[Id, None] = {}

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
        """Give an open request of the client; one that we are about to end is open no more."""
        call = self._of_client.get(request_id)
        return None if call is None or call.vigil.ended else call

    def sure(self, request_id: Id) -> bool:
        """Say whether an answer to it can be no late one to another request of the same id, which was left."""
        return request_id not in self._left

    def listens(self, subscription: Id) -> bool:
        """Say whether a request is open by which the client subscribed; some servers spell a number as a string."""
        return any(str(one) == str(subscription) and self.look(one) is not None for one in self._of_client)

    def end(self, request_id: Id, outcome: str = "") -> None:
        """Forget a request of the client that was answered, and write its event."""
        call = self._of_client.pop(request_id, None)
        if call is None:
            return
        call.vigil.leave()
        call.entry.outcome = outcome or call.entry.outcome
        self._recorder.write(call.entry)

    def leave(self, request_id: Id, outcome: str) -> None:
        """Forget a request of the client to which the server may still send an answer, and write its event."""
        if request_id in self._of_client:
            self._left[request_id] = None
            if len(self._left) > self._most:
                del self._left[next(iter(self._left))]
        self.end(request_id, outcome)

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
