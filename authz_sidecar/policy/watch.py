"""Watches the policy files and loads them when an edit has come to rest."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from authz_sidecar.errors import PolicyProblems
from authz_sidecar.policy.files import Signature
from authz_sidecar.policy.store import PolicyStore

_AGAIN: Final = 2.0


async def watch(
    store: PolicyStore, *, interval: float = 0.1, quiet: float = 0.2, wake: asyncio.Event | None = None
) -> None:
    """Load the files whenever they have changed and then rested for `quiet` seconds; ends only when cancelled.

    The files are looked at every `interval` seconds, and when `wake` is set. Notification by the kernel is not used:
    it misses network mounts and the symlink swaps of Kubernetes.
    """
    watcher = _Watcher(store, quiet, asyncio.get_running_loop().time)
    wake = wake or asyncio.Event()
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(interval):
                await wake.wait()
        wake.clear()  # before the look: what changes during it wakes again
        try:
            store.remind()
            await watcher.look()
        except Exception as error:  # noqa: BLE001 - the watcher outlives every error; it is counted and told
            with suppress(Exception):
                store.fail(error)


class _Watcher:
    def __init__(self, store: PolicyStore, quiet: float, clock: Callable[[], float]) -> None:
        self._store, self._quiet, self._clock = store, quiet, clock
        self._pending: Signature | None = None
        self._since = self._tried = self._clock()

    async def look(self) -> None:
        """Load when an edit has rested, or when files that could not be read now can."""
        now = await asyncio.to_thread(self._store.source.signature)
        if now == self._store.seen:
            self._pending = None
            if self._store.unread and self._clock() - self._tried >= _AGAIN:
                await self._try_again()
            return
        if now != self._pending:
            self._pending, self._since = now, self._clock()
        if self._clock() - self._since >= self._quiet:
            self._tried = self._clock()
            await self._store.load()

    async def _try_again(self) -> None:
        """Read once more in silence: too many open files, or a network mount, mend without an edit."""
        self._tried = self._clock()
        try:
            await asyncio.to_thread(self._store.source.read)
        except PolicyProblems:
            return
        await self._store.load()
