"""Revocations on disk: a SQLite database that survives a kill at any moment."""

import os
import sqlite3
import stat
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authz_sidecar.errors import ConfigError
from authz_sidecar.revocation import Kept
from authz_sidecar.tokens.revocation_entry import EntryUnreadable, decode, encode

_SCHEMA: Final = """
CREATE TABLE revocations (epoch INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, entry BLOB NOT NULL);
CREATE TABLE horizons (issuer TEXT PRIMARY KEY, at REAL NOT NULL);
PRAGMA user_version = 1;
"""
_VERSION: Final = 1
_WRITABLE_BY_OTHERS: Final = 0o022


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the database held."""

    kept: tuple[Kept, ...]
    horizons: Mapping[str, float]
    epoch: int
    """The highest that was ever given, also to what is forgotten."""


class Disk:
    """One database, for one process. Its methods wait for the disk, so call them from one thread that may wait."""

    def __init__(self, path: Path) -> None:
        """Open it (mode 0600), or raise `ConfigError`: without it, what was revoked would count again."""
        self.path: Final = path
        try:
            self._db = self._open()
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from None

    def load(self) -> Found:
        """Read everything; raises `ConfigError`."""
        try:
            rows = self._db.execute("SELECT epoch, id, entry FROM revocations ORDER BY epoch").fetchall()
            horizons = dict(self._db.execute("SELECT issuer, at FROM horizons").fetchall())
            last = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'revocations'").fetchone()
            kept = tuple(decode(entry, name=name, epoch=epoch) for epoch, name, entry in rows)
        except (sqlite3.Error, EntryUnreadable) as error:
            raise self._unusable(error) from None
        return Found(kept=kept, horizons=horizons, epoch=0 if last is None else int(last[0]))

    def save(self, kept: Iterable[Kept]) -> None:
        """Write revocations, all or none; they are on the disk when this returns. Raises `sqlite3.Error`."""
        rows = [(one.epoch, one.id, encode(one)) for one in kept]
        with self._db:
            self._db.executemany(
                "INSERT INTO revocations (epoch, id, entry) VALUES (?, ?, ?) ON CONFLICT (id) DO NOTHING", rows
            )

    def forget(self, names: Iterable[str], horizons: Mapping[str, float]) -> None:
        """Drop revocations by id, and keep what stands in for them; raises `sqlite3.Error`."""
        with self._db:
            self._db.executemany("INSERT OR REPLACE INTO horizons (issuer, at) VALUES (?, ?)", [*horizons.items()])
            self._db.executemany("DELETE FROM revocations WHERE id = ?", [(name,) for name in names])

    def close(self) -> None:
        """Close it."""
        self._db.close()

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # SQLite would make it by the umask; its `-wal` takes the mode of the database.
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle) as file:
            found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _WRITABLE_BY_OTHERS:
            raise sqlite3.DatabaseError("it is not a file that only this user can write")
        db = sqlite3.connect(self.path, timeout=1.0)
        try:
            self._prepare(db)
        except BaseException:
            db.close()
            raise
        return db

    def _prepare(self, db: sqlite3.Connection) -> None:
        # A second sidecar on this database would not hear what the first revokes, so it is not let in.
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        with closing(db.execute("PRAGMA user_version")) as cursor:
            (version,) = cursor.fetchone()
        if version == 0:
            db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        elif version != _VERSION:
            raise sqlite3.DatabaseError(f"it is of version {version}, and this sidecar knows version {_VERSION}")
        db.execute("BEGIN IMMEDIATE")  # takes the lock now and keeps it
        db.commit()

    def _unusable(self, error: Exception) -> ConfigError:
        if "locked" in str(error):
            return ConfigError(f"{self.path}: in use by another process; give each sidecar its own `state_dir`")
        detail = error.strerror if isinstance(error, OSError) else str(error)
        return ConfigError(
            f"{self.path}: cannot be used: {detail}; it says what was revoked: restore it, or move it away and "
            "revoke anew"
        )
