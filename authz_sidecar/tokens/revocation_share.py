"""Keeps this sidecar's revocations and those of the others the same, and knows how long ago that was certain."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from math import inf
from typing import Final, Protocol

import structlog

from authz_sidecar.errors import RevocationsFull
from authz_sidecar.ports import Clock
from authz_sidecar.tokens.revocation_entry import EntryUnreadable

Entry = tuple[str, bytes]
"""The id of a revocation, and the revocation as bytes."""

_PUSHED_AT_ONCE: Final = 500
_PAUSES: Final = (0.0, 0.1, 0.2, 0.5)
"""Seconds before the next try; the last one again and again."""


class StoreUnreachable(Exception):
    """The shared store gave no answer, or not the one that it should."""


class SharedStore(Protocol):
    """What several sidecars share. Everything raises `StoreUnreachable`, within a few seconds."""

    async def begin(self) -> None:
        """Connect; `news` begins here."""
        ...

    def everything(self) -> AsyncGenerator[Sequence[Entry], None]:
        """Give every entry, in parts; those that come while it runs may be among them or among the news."""
        ...

    async def news(self) -> Sequence[Entry] | None:
        """Wait up to half a second for entries that are new; None when the store lost its memory: begin anew."""
        ...

    async def add(self, entries: Sequence[Entry]) -> None:
        """Add entries and tell everybody."""
        ...

    async def horizons(self) -> Mapping[str, float]:
        """Give what stands in for forgotten entries: for each issuer, up to when they were made."""
        ...

    async def drop(self, names: Sequence[str], horizons: Mapping[str, float]) -> None:
        """Drop forgotten entries by id, and keep the later of the horizons given and known."""
        ...

    async def close(self) -> None:
        """Let go; it does not raise."""
        ...


class Home(Protocol):
    """What this sidecar knows."""

    @property
    def horizons(self) -> Mapping[str, float]:
        """Give our own."""
        ...

    def learn_horizons(self, horizons: Mapping[str, float]) -> None:
        """Take those of others."""
        ...

    async def learn(self, entries: Sequence[Entry]) -> None:
        """Put entries in force that are new; raises `EntryUnreadable` or `RevocationsFull`."""
        ...

    def missing(self, there: frozenset[str]) -> Iterable[Entry]:
        """Give what we have in force and the store has not."""
        ...


class Sharing:
    """Follows a shared store for ever. It belongs to one event loop."""

    def __init__(self, *, store: SharedStore, home: Home, monotonic: Clock, patience: float) -> None:
        """Take both sides; for `patience` seconds after the last certain moment, what we know still counts as all."""
        self._store = store
        self._home = home
        self._monotonic = monotonic
        self._patience = patience
        self._certain_at = -inf
        self._log = structlog.stdlib.get_logger("authz_sidecar.revocation")

    @property
    def certain(self) -> bool:
        """Say whether we know, as of a moment ago, everything that was revoked anywhere."""
        return self._monotonic() - self._certain_at <= self._patience

    async def follow(self) -> None:
        """Know the same as the store, and come back after every loss."""
        failures = 0
        while True:
            try:
                await self._sync()
                self._reached(failures)
                failures = 0
                await self._listen()
            except (StoreUnreachable, EntryUnreadable, RevocationsFull) as error:
                if not failures:
                    self._log.error("revocation_store_lost", detail=str(error))
                failures += 1
            await asyncio.sleep(_PAUSES[min(failures, len(_PAUSES) - 1)])

    async def push(self, entries: Sequence[Entry]) -> bool:
        """Tell the others, and say whether that worked; if not, the next sync tells them."""
        try:
            await self._store.add(entries)
        except StoreUnreachable as error:
            self._log.warning("revocation_not_shared_yet", detail=str(error))
            return False
        return True

    async def drop(self, names: Sequence[str]) -> None:
        """Drop what may be forgotten; what remains there is harmless, and the next who forgets drops it."""
        try:
            await self._store.drop(names, self._home.horizons)
        except StoreUnreachable as error:
            self._log.warning("revocations_not_dropped_yet", detail=str(error))

    async def close(self) -> None:
        """Let go of the store."""
        await self._store.close()

    async def _sync(self) -> None:
        """Make both sides the same, whatever each has missed: an outage, a restart, a store that lost its memory."""
        await self._store.begin()
        there: set[str] = set()
        failed: EntryUnreadable | RevocationsFull | None = None
        async with aclosing(self._store.everything()) as parts:
            async for part in parts:
                there.update(name for name, _ in part)
                try:
                    await self._home.learn(part)
                except (EntryUnreadable, RevocationsFull) as error:
                    failed = error  # the rest is learned all the same: `allow_known` goes on with what is known
        if failed is not None:
            raise failed
        missing = [*self._home.missing(frozenset(there))]
        for start in range(0, len(missing), _PUSHED_AT_ONCE):
            await self._store.add(missing[start : start + _PUSHED_AT_ONCE])
        self._home.learn_horizons(await self._store.horizons())
        await self._store.drop((), self._home.horizons)
        self._certain_at = self._monotonic()

    async def _listen(self) -> None:
        """Take news until the store, or we ourselves, may have missed some."""
        while (entries := await self._store.news()) is not None:
            if not self.certain:
                return  # this process was stopped for a while: the store may have let old news go
            await self._home.learn(entries)
            self._certain_at = self._monotonic()

    def _reached(self, failures: int) -> None:
        if failures:
            self._log.info("revocation_store_reached", tries=failures)
