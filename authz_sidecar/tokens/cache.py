"""A bounded memory of verified tokens."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from math import inf
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


class _Entry(float):
    """A `Verified` as it is kept: a number, its `ends`, that knows the rest.

    Among many tokens a hit waits for memory, so what it looks at stands in one place: no other object is touched but
    the caller that is given. It costs a third less than to follow a reference to a number.
    """

    __slots__ = ("begins", "epoch", "keys", "principal")

    begins: float
    epoch: int
    keys: Keys
    principal: Principal

    @classmethod
    def of(cls, verified: Verified) -> "_Entry":
        """Make one."""
        entry = cls(verified.ends)
        entry.begins, entry.epoch, entry.keys = verified.begins, verified.epoch, verified.keys
        entry.principal = verified.principal
        return entry


class VerifiedTokens:
    """Remembers who a token is while it counts, and forgets what it has known for longest first.

    Not the least recently used: a hit writes nothing, so that one among 100,000 tokens costs little more than one
    alone, and whoever is forgotten is verified anew. Failures are never remembered: their number is up to the
    attacker. It belongs to one event loop.
    """

    def __init__(self, size: int) -> None:
        """Hold at most `size` tokens; 0 holds none."""
        self._size = size
        self._entries: OrderedDict[Name, _Entry] = OrderedDict()
        self._latest = -inf
        """The latest beginning of all that were ever held: only a clock that was set back comes before it."""

    def __len__(self) -> int:
        """Count what is held."""
        return len(self._entries)

    def find(self, name: Name, now: float) -> Principal | None:
        """Give the caller of a token that was verified and still counts."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        if now < entry and entry.epoch == entry.keys.epoch and (now >= self._latest or now >= entry.begins):
            return entry.principal
        del self._entries[name]
        return None

    def keep(self, name: Name, verified: Verified) -> None:
        """Remember a verified token."""
        self._entries[name] = _Entry.of(verified)
        self._latest = max(self._latest, verified.begins)
        self._entries.move_to_end(name)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
