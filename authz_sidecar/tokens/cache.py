"""A bounded memory of verified tokens."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from authz_sidecar.model import Principal, Server
from authz_sidecar.tokens.keyset import Keys, KeySet

Name = bytes
"""Which token for which server."""


def name(text: str, server: Server) -> Name:
    """Name a token: the SHA-256 of the whole of it, with the server.

    A cache by signature or `jti` would take a tampered token for the genuine one; without the server, a token for one
    would open another. No name of a server has a NUL, so that every pair has its own text.
    """
    # `surrogatepass`: any text has a name; what is no token is just never found.
    whole = f"{server.name}\0{server.audience}\0{text}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(whole).digest()


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
    """Remembers who a token is while it counts, and forgets what it has known for longest first.

    Not the least recently used: a hit writes nothing, so that one among 100,000 tokens costs little more than one
    alone, and whoever is forgotten is verified anew. Failures are never remembered: their number is up to the
    attacker. It belongs to one event loop.
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
