"""A limit on how often an address may do something, in bounded memory."""

import ipaddress
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


def network(address: str) -> str:
    """Give what one person surely has: an IPv4 address, or the /64 of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
