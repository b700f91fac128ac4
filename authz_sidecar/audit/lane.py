"""A narrow lane for failures of callers that were never verified, so that strangers cannot fill the log."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec

from authz_sidecar.events import DecisionEvent

_QUOTED: Final = re.compile(r"[`'\":0-9]")
_OTHER: Final = ("", "", "other")

Key = tuple[str, str, str]


@dataclass(slots=True)
class _Heap:
    """Equal failures: the event of the first one, and how many."""

    event: DecisionEvent
    count: int


class Lane:
    """Passes the first failures of each second and heaps up the rest; every one is counted, none is lost.

    INVARIANT: at most `full` + `kinds` + 1 lines a second leave the lane, and none at all while the log has more than
    its share waiting; what cannot leave stays on its heap until it can.
    """

    def __init__(
        self, *, write: Callable[[DecisionEvent], bool], roomy: Callable[[], bool], full: int = 50, kinds: int = 64
    ) -> None:
        """Take what writes an event and says whether it was taken, and what says whether strangers may write now."""
        self._write = write
        self._roomy = roomy
        self._full = full
        self._kinds = kinds
        self._second = -1
        self._passed = 0
        self._heaps: dict[Key, _Heap] = {}

    def take(self, second: int, key: Key, make: Callable[[], DecisionEvent]) -> None:
        """Take a failure; it never raises and never waits. `make` is called only for an event that is kept."""
        self.turn(second)
        if self._passed < self._full:
            event = make()
            if self._roomy() and self._write(event):
                self._passed += 1
                return
            self._heap(key, lambda: event)
        else:
            self._heap(key, make)

    def turn(self, second: int) -> None:
        """Write the heaps when a new second has begun; called with each failure, and by a clock when none comes."""
        if second != self._second:
            self._second = second
            self._passed = 0
            self.flush()

    def flush(self) -> None:
        """Write every heap that the log takes; the others stay."""
        for key, heap in list(self._heaps.items()):
            if not (self._roomy() and self._write(msgspec.structs.replace(heap.event, repeated=heap.count - 1))):
                return
            del self._heaps[key]

    @property
    def heaped(self) -> int:
        """How many failures wait to be written."""
        return sum(heap.count for heap in self._heaps.values())

    def _heap(self, key: Key, make: Callable[[], DecisionEvent]) -> None:
        if key not in self._heaps and len(self._heaps) >= self._kinds:
            key = _OTHER
        heap = self._heaps.get(key)
        if heap is None:
            event = make()
            if key == _OTHER:
                event = msgspec.structs.replace(event, detail=f"more than {self._kinds} kinds of failures at once")
            self._heaps[key] = _Heap(event, 1)
        else:
            heap.count += 1


def kind_of(detail: str) -> str:
    """Give the words of a detail up to what a stranger chose."""
    return _QUOTED.split(detail, maxsplit=1)[0].strip()
