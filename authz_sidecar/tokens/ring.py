"""The keys of an issuer while they change: what verifies now, since when, and until when."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from authz_sidecar.errors import TokenError
from authz_sidecar.model import Reason
from authz_sidecar.ports import Clock
from authz_sidecar.tokens.keyset import Key, KeySet

Monotonic = Callable[[], float]
"""Seconds that only ever grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Which keys came and went, by `kid`."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Ring:
    """Holds a key set that is swapped as a whole."""

    def __init__(self, *, clock: Clock, monotonic: Monotonic, max_age: float = math.inf) -> None:
        """Hold nothing yet; keys that nobody confirmed for `max_age` seconds verify nothing."""
        self._clock = clock
        self._monotonic = monotonic
        self._max_age = max_age
        self._set = KeySet()
        self._confirmed: tuple[float, float] | None = None
        self.epoch = 0
        """Grows whenever a key is taken away: what it verified must be forgotten."""
        self.version = 0
        """Grows with every change."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """Give the keys that were read last, whatever their age."""
        return self._set.keys

    @property
    def age(self) -> float | None:
        """Give the seconds since somebody confirmed the keys; None before the first time.

        The wall clock may be set and the other stands still while the machine sleeps, so the larger answer counts.
        """
        if self._confirmed is None:
            return None
        wall, steady = self._confirmed
        return max(self._clock() - wall, self._monotonic() - steady, 0.0)

    @property
    def good_for(self) -> float:
        """Give the seconds for which what these keys verified may be remembered."""
        age = self.age
        return 0.0 if age is None else max(self._max_age - age, 0.0)

    def replace(self, keys: KeySet) -> Change:
        """Take a set that was just read."""
        old, new = self._set.keys, keys.keys
        added = tuple(_name(key) for key in new if key not in old)
        removed = tuple(_name(key) for key in old if key not in new)
        self._set = keys
        self._confirmed = (self._clock(), self._monotonic())
        if added or removed:
            self.version += 1
        if removed:
            self.epoch += 1
        return Change(added=added, removed=removed)

    def expire(self) -> bool:
        """Throw keys away that are too old, and say whether there were any."""
        if not self._set.keys or self.good_for > 0:
            return False
        self._set = KeySet()
        self.version += 1
        self.epoch += 1
        return True

    def find(self, kid: str | None, algorithm: str) -> Key:
        """Give the key that a token means, or raise `TokenError`."""
        if self.good_for <= 0:
            why = "were never read" if self._confirmed is None else "are too old, and nobody could confirm them"
            raise TokenError(Reason.TOKEN_KEY_UNKNOWN, f"the keys of the issuer {why}")
        return self._set.find(kid, algorithm)


def _name(key: Key) -> str:
    return "-" if key.kid is None else key.kid
