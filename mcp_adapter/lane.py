"""A bound on the lines of callers that were never verified, so that nobody can fill the log and lock out the rest."""

import time
from collections.abc import Callable


class Lane:
    """Lets `rate` lines through each second, and counts the others for the next line to tell."""

    def __init__(self, *, rate: int = 100, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the rate, and a clock in seconds."""
        self.skipped = 0
        self._rate = rate
        self._clock = clock
        self._second = 0.0
        self._taken = 0

    def admits(self) -> bool:
        """Say whether a line may go now; where not, it is counted."""
        now = self._clock()
        if now - self._second >= 1:
            self._second, self._taken = now, 0
        self._taken += 1
        if self._taken <= self._rate:
            return True
        self.skipped += 1
        return False

    def told(self) -> str:
        """Say how many were skipped since this was last asked; empty for none."""
        skipped, self.skipped = self.skipped, 0
        return f"; and {skipped} further requests that were never verified" if skipped else ""
