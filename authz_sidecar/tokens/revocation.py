"""The revocations in force: looked up in memory, written to disk, shared with other sidecars where configured."""

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from secrets import token_hex
from typing import Final, Literal, TypeVar

import structlog

from authz_sidecar.errors import (
    BadRequest,
    NotReady,
    RevocationsFull,
    RevocationsUnknown,
    RevocationUnsaved,
    TokenError,
)
from authz_sidecar.model import Principal, Reason
from authz_sidecar.ports import Clock
from authz_sidecar.revocation import Kept, Receipt, Revocation
from authz_sidecar.tokens.issuer import LONGEST_LEEWAY
from authz_sidecar.tokens.revocation_disk import Disk, Found
from authz_sidecar.tokens.revocation_entry import EntryUnreadable, decode, encode
from authz_sidecar.tokens.revocation_marks import Marks
from authz_sidecar.tokens.revocation_share import Entry, SharedStore, Sharing

OnUnreachable = Literal["deny", "allow_known"]
T = TypeVar("T")


class Revocations:
    """A `RevocationCheck` and a `Revokes`. It belongs to one event loop."""

    def __init__(
        self,
        *,
        path: Path,
        clock: Clock,
        keep_seconds: float = 86_400,
        max_entries: int = 200_000,
        shared: SharedStore | None = None,
        on_unreachable: OnUnreachable = "deny",
        patience: float = 5.0,
        monotonic: Clock,
        learned: Callable[[int, int], None] = lambda count, epoch: None,
    ) -> None:
        """Take where they lie and how long they are kept; `open` reads them.

        `learned` hears how many revocations of other sidecars went in force, and the epoch then. For `patience`
        seconds without an answer of the shared store, what we know counts as all.
        """
        self.epoch = 0
        self._path = path
        self._clock = clock
        self._keep = keep_seconds
        self._max = max_entries
        self._on_unreachable: Final = on_unreachable
        self._learned = learned
        self._marks = Marks()
        self._unsaved: dict[str, Kept] = {}
        self._saving = asyncio.Lock()  # INVARIANT: one write at a time, and it takes all that waits
        self._disk: Disk | None = None
        self._thread: Final = ThreadPoolExecutor(1, thread_name_prefix="revocations")
        self._changed = asyncio.Event()
        self._busy: set[asyncio.Task[Receipt]] = set()
        self._sharing = (
            Sharing(store=shared, home=self, monotonic=monotonic, patience=patience) if shared is not None else None
        )
        self._log = structlog.stdlib.get_logger("authz_sidecar.revocation")

    def __len__(self) -> int:
        """Count the revocations in force."""
        return len(self._marks)

    @property
    def stale(self) -> bool:
        """True while other sidecars may have revoked what we do not know of."""
        return self._sharing is not None and not self._sharing.certain

    @property
    def unanswerable(self) -> bool:
        """True while no question is answered for want of knowledge."""
        return self._disk is None or (self._on_unreachable == "deny" and self.stale)

    async def open(self) -> None:
        """Read what is in force from the disk; raises `ConfigError`."""
        self._disk, found = await self._in_thread(lambda: _open(self._path))
        for kept in found.kept:
            self._marks.add(kept)
        self.learn_horizons(found.horizons)
        self.epoch = found.epoch
        await self.tidy()
        self._ring()

    def check(self, principal: Principal) -> None:
        """Return when the token of this caller counts; raises `TokenError`, or `NotReady` when that cannot be said."""
        if why := self._marks.find(principal):
            raise TokenError(Reason.TOKEN_REVOKED, why)
        if self.unanswerable:
            raise RevocationsUnknown("the shared store of revocations was not reached, or nothing is loaded yet")

    async def revoke(self, entry: Revocation) -> Receipt:
        """Revoke, from the next question on, and return when it is written; who stops waiting changes nothing."""
        if self._disk is None:
            raise NotReady("the revocations are not loaded")
        if entry.issued_before is not None and entry.issued_before > self._clock() + LONGEST_LEEWAY:
            raise BadRequest("`issued_before` lies in the future, where no token was issued yet")
        task = asyncio.create_task(self._revoke(entry))
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)
        return await asyncio.shield(task)

    def listed(self, *, after: int, limit: int) -> Sequence[Kept]:
        """Give revocations in force with an epoch beyond `after`, the oldest first."""
        return [*itertools.islice((kept for kept in self._marks if kept.epoch > after), limit)]

    async def changes(self) -> AsyncIterator[int]:
        """Yield the epoch at once and then at each change, for ever; a slow listener sees the newest only."""
        while True:
            changed = self._changed  # taken before the epoch: a change in between is not missed
            yield self.epoch
            await changed.wait()

    async def follow(self) -> None:
        """Follow the other sidecars for ever; returns at once where none are configured."""
        if self._sharing is not None:
            await self._sharing.follow()

    async def tend(self, every: float = 30.0) -> None:
        """Forget what may be forgotten, and write again what could not be written, for ever."""
        while True:
            await asyncio.sleep(every)
            await self.tidy()

    async def tidy(self) -> None:
        """Forget what may be forgotten, and write again what could not be written; it does not raise."""
        gone = [kept.id for kept in self._marks.forget(self._clock(), skew=LONGEST_LEEWAY)]
        for name in gone:
            self._unsaved.pop(name, None)
        await self._saved()
        if gone and self._disk is not None:
            disk, horizons = self._disk, self._marks.horizons
            try:
                await self._in_thread(lambda: disk.forget(gone, horizons))
            except sqlite3.Error as error:
                self._log.error("revocations_not_forgotten_yet", detail=str(error), path=str(self._path))
            if self._sharing is not None:
                await self._sharing.drop(gone)

    async def close(self) -> None:
        """Finish what is under way and let go."""
        await asyncio.gather(*self._busy, return_exceptions=True)
        if self._sharing is not None:
            await self._sharing.close()
        if self._disk is not None:
            await self._saved()
            await self._in_thread(self._disk.close)
            self._disk = None
        self._thread.shutdown(wait=False)

    # What the other sidecars ask.

    @property
    def horizons(self) -> Mapping[str, float]:
        """Give, for each issuer, up to when revocations were made that are forgotten now."""
        return self._marks.horizons

    def learn_horizons(self, horizons: Mapping[str, float]) -> None:
        """Learn what others have forgotten."""
        for issuer, at in horizons.items():
            self._marks.horizon(issuer, at)

    async def learn(self, entries: Sequence[Entry]) -> None:
        """Put others' revocations in force, all that can be; then raises `EntryUnreadable` or `RevocationsFull`."""
        now, before = self._clock(), self.epoch
        failed: EntryUnreadable | RevocationsFull | None = None
        for name, data in entries:
            try:
                self._learn(name, data, now)
            except (EntryUnreadable, RevocationsFull) as error:
                failed = error
        if self.epoch > before:
            self._ring()
            self._learned(self.epoch - before, self.epoch)
            await self._saved()
        if failed is not None:
            raise failed

    def missing(self, there: frozenset[str]) -> Iterator[Entry]:
        """Give what is in force here and not there."""
        now = self._clock()
        return ((kept.id, encode(kept)) for kept in self._marks if kept.id not in there and kept.keep_until > now)

    async def _revoke(self, entry: Revocation) -> Receipt:
        now = self._clock()
        until = now + self._keep if entry.ends is None else max(now, entry.ends) + LONGEST_LEEWAY
        if len(self._marks) >= self._max:
            await self.tidy()
        kept = Kept(id=token_hex(16), epoch=self.epoch + 1, revocation=entry, at=now, keep_until=until)
        self._take(kept)
        self._ring()
        saved = await self._saved()
        pending = self._sharing is not None and not await self._sharing.push([(kept.id, encode(kept))])
        if not saved:
            raise RevocationUnsaved("the revocation could not be written")
        return Receipt(kept=kept, pending=pending)

    def _learn(self, name: str, data: bytes, now: float) -> None:
        if name not in self._marks:
            kept = decode(data, name=name, epoch=self.epoch + 1)
            if kept.keep_until > now:
                self._take(kept)

    def _take(self, kept: Kept) -> None:
        if len(self._marks) >= self._max:
            raise RevocationsFull(f"{self._max} revocations are in force")
        self._marks.add(kept)
        self._unsaved[kept.id] = kept
        self.epoch = kept.epoch

    async def _saved(self) -> bool:
        """Write what waits, and say whether everything is on the disk."""
        async with self._saving:
            batch, disk = [*self._unsaved.values()], self._disk
            if not batch or disk is None:
                return not batch
            try:
                await self._in_thread(lambda: disk.save(batch))
            except sqlite3.Error as error:
                self._log.error("revocations_unsaved", count=len(batch), detail=str(error), path=str(self._path))
                return False
            self._discard(batch)
            return True

    def _discard(self, saved: Iterable[Kept]) -> None:
        for kept in saved:
            self._unsaved.pop(kept.id, None)

    def _ring(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        # Shielded: one that is cancelled is still finished, in its turn, before the next.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(self._thread, work))


def _open(path: Path) -> tuple[Disk, Found]:
    disk = Disk(path)
    try:
        return disk, disk.load()
    except BaseException:
        disk.close()
        raise
