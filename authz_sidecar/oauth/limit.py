"""A limit on how often an address may do something, in bounded memory."""

from collections import OrderedDict

from authz_sidecar.ports import Clock

_MOST: int = 10_000


class Limit:
    """Lets each name take `count` times within `seconds`, counted from its first."""

    def __init__(self, count: int, *, seconds: float, clock: Clock, most: int = _MOST) -> None:
        """Remember at most `most` names; the one that began first is forgotten for the next."""
        self._count = count
        self._seconds = seconds
        self._clock = clock
        self._most = most
        self._since: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def take(self, name: str) -> bool:
        """Count one more, and say whether it is within the limit."""
        now = self._clock()
        since, taken = self._since.get(name, (now, 0))
        if now - since >= self._seconds:
            self._since.pop(name)
            since, taken = now, 0
        if taken >= self._count:
            return False
        self._since[name] = (since, taken + 1)
        if len(self._since) > self._most:
            self._since.popitem(last=False)
        return True
