"""A bounded memory of verified tokens."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from authz_sidecar.model import Principal, Server
from authz_sidecar.tokens.keyset import Keys, KeySet

Name = tuple[bytes, str, str]
"""Which token for which server."""


def name(text: str, server: Server) -> Name:
    """Name a token: the SHA-256 of the whole of it, with the server.

    A cache by signature or `jti` would take a tampered token for the genuine one; without the server, a token for one
    would open another.
    """
    # `surrogatepass`: any text has a name; what is no token is just never found.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), server.name, server.audience


_FIXED: Final = KeySet()


@dataclass(frozen=True, slots=True)
class Verified:
    """Who a token is, and from when until just before when (seconds since the epoch)."""

    begins: float
    ends: float
    principal: Principal
    keys: Keys = _FIXED
    """The issuer's keys, one of which vouched for the token,"""
    epoch: int = 0
    """and their epoch then."""


class VerifiedTokens:
    """Remembers who a token is while it counts, and forgets the least recently used first.

    Failures are never remembered: their number is up to the attacker. It belongs to one event loop.
    """

    def __init__(self, size: int) -> None:
        """Hold at most `size` tokens; 0 holds none."""
        self._size = size
        self._entries: OrderedDict[Name, Verified] = OrderedDict()

    def __len__(self) -> int:
        """Count what is held."""
        return len(self._entries)

    def find(self, name: Name, now: float) -> Principal | None:
        """Give the caller of a token that was verified and still counts."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        if entry.begins <= now < entry.ends and entry.epoch == entry.keys.epoch:
            self._entries.move_to_end(name)
            return entry.principal
        del self._entries[name]
        return None

    def keep(self, name: Name, verified: Verified) -> None:
        """Remember a verified token."""
        self._entries[name] = verified
        self._entries.move_to_end(name)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
