"""Makers and fakes for the tests of revocation."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from authz_sidecar.model import Principal
from authz_sidecar.revocation import Kept, Kind, Revocation
from authz_sidecar.tokens.revocation import Revocations
from authz_sidecar.tokens.revocation_share import Entry, StoreUnreachable
from tests.tokens.makers import ISSUER, NOW, Clock

OTHER = "https://other.example"


def who(**changes: Any) -> Principal:
    """Make the caller that the revocations of the tests are about, with changes."""
    usual: dict[str, Any] = {
        "issuer": ISSUER,
        "subject": "alice",
        "user": "user:alice",
        "client_id": "cli",
        "actor": "bot",
        "token_id": "t-1",
        "family": "g-1",
        "issued_at": NOW - 10,
        "expires_at": NOW + 300,
    }
    return Principal(**usual | changes)


def revocation(kind: Kind = Kind.SUBJECT, value: str = "alice", **changes: Any) -> Revocation:
    """Make a revocation, with changes."""
    return Revocation(**{"issuer": ISSUER, "kind": kind, "value": value} | changes)


def kept(name: str, entry: Revocation | None = None, *, epoch: int = 1, at: float = NOW, until: float = 0.0) -> Kept:
    """Make what is remembered of a revocation; without `until`, for a day."""
    return Kept(id=name, epoch=epoch, revocation=entry or revocation(), at=at, keep_until=until or at + 86_400)


class FakeRedis:
    """What several fake stores share. A test cuts it off, empties it, or makes it forget whom it served."""

    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.horizons: dict[str, float] = {}
        self.log: list[Entry] = []
        self.generation = 0
        self.down = False
        self.moved = asyncio.Event()

    def ring(self) -> None:
        moved, self.moved = self.moved, asyncio.Event()
        moved.set()

    def cut(self, *, down: bool) -> None:
        self.down = down
        self.ring()

    def lose_everything(self) -> None:
        self.entries.clear()
        self.horizons.clear()
        self.log.clear()
        self.generation += 1
        self.ring()


class FakeStore:
    """A `SharedStore` on a `FakeRedis`; `ticks` counts how often its news came back."""

    def __init__(self, redis: FakeRedis) -> None:
        self.redis = redis
        self.place = 0
        self.generation = -1
        self.ticks = 0
        self.closed = False
        self.begun = 0

    def _reach(self) -> None:
        if self.redis.down:
            raise StoreUnreachable("ConnectionError: cut off")

    async def begin(self) -> None:
        self.begun += 1
        await asyncio.sleep(0)
        self._reach()
        self.place, self.generation = len(self.redis.log), self.redis.generation

    async def everything(self) -> AsyncGenerator[Sequence[Entry], None]:
        for entry in [*self.redis.entries.items()]:
            self._reach()
            yield [entry]

    async def news(self) -> Sequence[Entry] | None:
        moved = self.redis.moved
        if self.place == len(self.redis.log) and not self.redis.down and self.generation == self.redis.generation:
            await moved.wait()
        self._reach()
        self.ticks += 1
        if self.generation != self.redis.generation:
            return None
        fresh, self.place = self.redis.log[self.place :], len(self.redis.log)
        return fresh

    async def add(self, entries: Sequence[Entry]) -> None:
        self._reach()
        self.redis.entries.update(entries)
        self.redis.log.extend(entries)
        self.redis.ring()

    async def horizons(self) -> Mapping[str, float]:
        self._reach()
        return dict(self.redis.horizons)

    async def drop(self, names: Sequence[str], horizons: Mapping[str, float]) -> None:
        self._reach()
        for name in names:
            self.redis.entries.pop(name, None)
        for issuer, at in horizons.items():
            self.redis.horizons[issuer] = max(at, self.redis.horizons.get(issuer, at))

    async def close(self) -> None:
        self.closed = True


@asynccontextmanager
async def opened(path: Path, clock: Clock | None = None, **options: Any) -> AsyncIterator[Revocations]:
    """Open revocations, follow the others where there are any, and close all in the end."""
    clock = clock or Clock()
    given: dict[str, Any] = {"clock": clock, "monotonic": Clock(0.0)} | options
    it = Revocations(path=path / "state" / "revocations.db", **given)
    try:
        await it.open()
        following = asyncio.create_task(it.follow())
        try:
            yield it
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
    finally:
        await it.close()


async def until(look: Any) -> None:
    """Let others run until something is so, ten seconds at most."""
    async with asyncio.timeout(10):
        while not look():  # noqa: ASYNC110 - what is looked at is in another task, or another process
            await asyncio.sleep(0.001)
