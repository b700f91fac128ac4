"""Spells the time of an event."""

from datetime import UTC, datetime

from authz_sidecar.ports import Clock


class Stamp:
    """RFC 3339 in UTC with microseconds. The second is spelled once and kept, as lines come many to a second."""

    def __init__(self, clock: Clock) -> None:
        """Take seconds since the epoch."""
        self._clock = clock
        self._second = -1
        self._spelled = ""

    def __call__(self) -> str:
        """Spell the time of now."""
        micros = int(self._clock() * 1_000_000)
        second, micros = divmod(micros, 1_000_000)
        if second != self._second:
            self._spelled = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            self._second = second
        return f"{self._spelled}.{micros:06d}Z"
