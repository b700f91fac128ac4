"""Keeps from asking where nobody answers, for a short while."""

import time
from collections.abc import Callable
from typing import Final

_LOSSES: Final = 5
_SHORTEST: Final = 0.25
_LONGEST: Final = 1.0


class Breaker:
    """Counts losses of the transport, and nothing that a caller can bring about.

    After five in a row nobody is asked for a quarter of a second, then one question is let through as a trial; while
    trials fail, the pause doubles up to a second. Any answer, also an error that the sidecar sent, closes it again.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Take a clock in seconds."""
        self._clock = clock
        self._losses = 0
        self._pause = _SHORTEST
        self._until = 0.0

    @property
    def open(self) -> bool:
        """Whether nobody is asked but for trials."""
        return self._losses >= _LOSSES

    def admits(self) -> bool:
        """Say whether to ask now. While it is open, one question in each pause is a trial."""
        if not self.open:
            return True
        now = self._clock()
        if now < self._until:
            return False
        self._until = now + self._pause  # a trial that is given up says nothing: the next one is a pause away
        return True

    def lost(self) -> None:
        """Note that the transport failed."""
        self._losses += 1
        if self.open:
            self._until = self._clock() + self._pause
            self._pause = min(2 * self._pause, _LONGEST)

    def heard(self) -> None:
        """Note that the sidecar said something."""
        if self._losses:
            self._losses, self._pause = 0, _SHORTEST
