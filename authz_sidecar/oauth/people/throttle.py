"""Slows down guessing of passwords, per account and per address, in a memory of fixed size."""

from array import array
from dataclasses import dataclass
from hashlib import blake2b
from secrets import token_bytes
from typing import Final

from authz_sidecar.oauth.limit import network
from authz_sidecar.ports import Clock

_SLOTS: Final = 1 << 14
_ROWS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many failures at once, and another one whenever so many seconds have passed."""

    most: int
    refill_seconds: float


PAIR: Final = Rate(most=5, refill_seconds=60)
"""One account from one address."""
ACCOUNT: Final = Rate(most=30, refill_seconds=20)
"""One account from everywhere; wide, so that a stranger who knows a name cannot easily lock its owner out."""
ADDRESS: Final = Rate(most=40, refill_seconds=10)
"""One address, whatever the account: a house or an office has one."""


class Throttle:
    """Counts attempts that were not right.

    A sketch instead of a table: every key falls into one slot of each row, and its count is the smaller one. So a flood
    of keys takes no memory and makes nothing be forgotten; at worst it slows down somebody who did nothing.
    """

    def __init__(self, clock: Clock) -> None:
        """Take a clock that never goes back, in seconds."""
        self._clock = clock
        self._key = token_bytes(16)
        self._counts = array("d", bytes(8 * _SLOTS * _ROWS))
        self._since = array("d", bytes(8 * _SLOTS * _ROWS))

    def take(self, account: str, address: str) -> float:
        """Count an attempt before it is checked, and give the seconds to wait: 0 lets it through.

        INVARIANT: it is counted before the password is looked at, so a hundred guesses at once are a hundred guesses.
        """
        keys = _keys(account, address)
        wait = max(0.0, *(self._wait(key, rate) for key, rate in keys))
        if not wait:
            for key, rate in keys:
                self._add(key, rate, 1)
        return wait

    def give_back(self, account: str, address: str) -> None:
        """Take the attempt back: it was right."""
        for key, rate in _keys(account, address):
            self._add(key, rate, -1)

    def _wait(self, key: str, rate: Rate) -> float:
        level = min(self._level(slot, rate) for slot in self._slots(key))
        return (level + 1 - rate.most) * rate.refill_seconds

    def _add(self, key: str, rate: Rate, count: int) -> None:
        now = self._clock()
        for slot in self._slots(key):
            self._counts[slot] = max(0.0, self._level(slot, rate) + count)
            self._since[slot] = now

    def _level(self, slot: int, rate: Rate) -> float:
        return max(0.0, self._counts[slot] - (self._clock() - self._since[slot]) / rate.refill_seconds)

    def _slots(self, key: str) -> tuple[int, ...]:
        """Find the slots by a keyed hash, so that nobody can choose names that fall together."""
        digest = blake2b(key.encode(errors="surrogatepass"), key=self._key, digest_size=4 * _ROWS).digest()
        parts = (int.from_bytes(digest[4 * row : 4 * row + 4]) for row in range(_ROWS))
        return tuple(row * _SLOTS + part % _SLOTS for row, part in enumerate(parts))


def _keys(account: str, address: str) -> tuple[tuple[str, Rate], ...]:
    place = network(address)
    return (f"pair\0{account}\0{place}", PAIR), (f"account\0{account}", ACCOUNT), (f"address\0{place}", ADDRESS)
