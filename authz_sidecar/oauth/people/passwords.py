"""Hashes passwords with argon2id, and checks them in a time that does not tell who exists."""

import asyncio
import os
import sys
import threading
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

SHORTEST: Final = 12
"""Characters. Length is the one rule about what a password looks like (NIST SP 800-63B section 3.1.1)."""
LONGEST: Final = 1_024
"""Bytes; nobody types more, and hashing must not be a way to keep us busy."""
_NOBODY: Final = "$argon2id$v=19$m=65536,t=3,p=4$KzU8m3ru7KefppkVLC0FNg$e46qoxjae0aGQo1unGd3ljPRkQLwv7rzA4vfT9SMBbI"
"""Nobody's, at the default cost: what a password is compared with when there is no account."""
_AT_ONCE: Final = 2
_WAITING: Final = 64
_NICE: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one guess costs. The default is the second recommendation of RFC 9106 section 4."""

    rounds: int = 3
    memory_kib: int = 65_536
    lanes: int = 4


class Busy(Exception):
    """More people are logging in than we hash for at a time; they may try again in a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of a password: whether it was right, and a new hash when the old one was made more cheaply."""

    right: bool
    rehashed: str | None = None

    def __bool__(self) -> bool:
        return self.right


class Passwords:
    """Hashes and checks in threads, few at a time: each takes 64 MiB."""

    def __init__(self, cost: Cost | None = None) -> None:
        """Take what a guess costs."""
        cost = cost or Cost()
        self._hasher = PasswordHasher(
            time_cost=cost.rounds,
            memory_cost=cost.memory_kib,
            parallelism=cost.lanes,
            hash_len=32,
            salt_len=16,
            type=Type.ID,
        )
        # Made anew only for another cost: a comparison must cost the same as with a hash of somebody.
        self._nobody = _NOBODY if cost == Cost() else self._hasher.hash("nobody has this password")
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hashing", initializer=_give_way)
        self._waiting = 0

    def hash(self, password: str) -> str:
        """Hash a new password; raises `ValueError` that says which rule it breaks."""
        if len(password) < SHORTEST:
            raise ValueError(f"a password has at least {SHORTEST} characters")
        if len(password.encode(errors="surrogatepass")) > LONGEST:
            raise ValueError(f"a password has at most {LONGEST} bytes")
        return self._hasher.hash(_one_spelling(password))

    async def check(self, known: str | None, password: str) -> Checked:
        """Compare with a hash, or with nobody's when there is none: both cost the same (user enumeration).

        Raises `Busy` when too many wait already.
        """
        if self._waiting >= _WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with self._turns:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self._threads, self._check, known, password)
        finally:
            self._waiting -= 1

    def _check(self, known: str | None, password: str) -> Checked:
        try:
            spelled = _one_spelling(password[:LONGEST])
            self._hasher.verify(self._nobody if known is None else known, spelled)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return Checked(right=False)
        # The nobody's password is written above for all to read, so a match with it counts for nothing.
        if known is None or len(password.encode()) > LONGEST:
            return Checked(right=False)
        stale = self._hasher.check_needs_rehash(known)
        return Checked(right=True, rehashed=self._hasher.hash(spelled) if stale else None)


def _give_way() -> None:
    """Let everything else go first: a hash keeps four processors busy, and a flood of logins must not hold up tokens.

    Its lanes are threads that inherit this. Only Linux ranks single threads.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _one_spelling(password: str) -> str:
    """Keyboards spell one letter in several ways; NFC makes them one (RFC 8265 section 4.2)."""
    return unicodedata.normalize("NFC", password)
