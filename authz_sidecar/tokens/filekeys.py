"""The keys of an issuer in a file, read again when the file changes."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens.keyset import Key, KeySet
from authz_sidecar.tokens.news import KeyNews, Tell
from authz_sidecar.tokens.pages import Outcome
from authz_sidecar.tokens.ring import Change

INTERVAL: Final = 1.0
"""Seconds between two looks at the file."""

Signature = tuple[int, int, int, int] | None
Load = Callable[[Path], KeySet]


class FileKeys:
    """Keys from a file; a `Keys`. An edit that cannot be used changes nothing and is told."""

    def __init__(
        self,
        *,
        alias: str,
        path: Path,
        load: Load,
        tell: Tell,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Read the file; raises `ConfigError`."""
        self._alias, self._path, self._load, self._tell, self._sleep = alias, path, load, tell, sleep
        self._seen = _signature(path)
        self._set = load(path)
        self._development = self._set.development
        self.epoch = 0
        """Grows whenever a key is taken away."""
        self.trouble = ""
        """Why the last edit was refused; empty when it was not."""

    @property
    def good_for(self) -> float:
        """Stay good: a file is what the operator says now, whatever its age."""
        return math.inf

    @property
    def keys(self) -> tuple[Key, ...]:
        """Give the keys in force."""
        return self._set.keys

    def find(self, kid: str | None, algorithm: str) -> Key:
        """Give the key that a token means, or raise `TokenError`."""
        return self._set.find(kid, algorithm)

    async def seek(self) -> bool:
        """Say no: the file is looked at often enough."""
        return False

    async def run(self) -> None:
        """Look at the file every second and read it when an edit has come to rest; ends only when cancelled."""
        pending = self._seen
        while True:
            await self._sleep(INTERVAL)
            now = await asyncio.to_thread(_signature, self._path)
            if now != self._seen and now == pending:
                self._seen = now
                await self._read()
            pending = now

    async def _read(self) -> None:
        try:
            keys = await asyncio.to_thread(self._load, self._path)
            if keys.development and not self._development:
                # The checks at start on development keys would be gone round.
                raise ConfigError(f"{self._path}: now holds a key for development; restart to accept it")
        except ConfigError as error:
            self._say(Outcome.BAD_CONTENT, detail=str(error))
            return
        old, self._set = self._set.keys, keys
        removed = tuple(key.kid or "-" for key in old if key not in keys.keys)
        self.epoch += bool(removed)
        added = tuple(key.kid or "-" for key in keys.keys if key not in old)
        self._say(Outcome.FETCHED, change=Change(added=added, removed=removed))

    def _say(self, outcome: Outcome, *, detail: str = "", change: Change | None = None) -> None:
        self.trouble = detail
        change = change or Change()
        self._tell(
            KeyNews(
                issuer=self._alias,
                outcome=outcome,
                detail=detail,
                added=change.added,
                removed=change.removed,
                ignored=self._set.ignored,
                keys=len(self._set.keys),
            )
        )


def _signature(path: Path) -> Signature:
    """Give what changes with the file, also when a directory above it is swapped; None when it is not there."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
