"""Keeps the files of the last good policy, so that a restart beside broken files still answers."""

import json
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from authz_sidecar.errors import PolicyProblems, Problem
from authz_sidecar.model import Revision
from authz_sidecar.policy import files
from authz_sidecar.policy.stored import ROWS
from authz_sidecar.strictjson import loads

_MANIFEST: Final = "manifest.json"
_LARGEST_MANIFEST: Final = 64 * 1024
_WRITABLE_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A policy that was in force."""

    revision: Revision
    files: Mapping[str, bytes]


class LastGood:
    """A directory with the files and a manifest of them, replaced as a whole.

    INVARIANT: whatever moment the process dies at, `directory` or `<directory>.old` holds one whole copy.
    """

    def __init__(self, directory: Path, claim_mapping: bytes) -> None:
        self.directory: Final = directory
        self._old: Final = directory.with_name(directory.name + ".old")
        self._claim_mapping: Final = claim_mapping
        # INVARIANT: one writer at a time; a save whose caller was cancelled still runs when the next one begins.
        self._lock = threading.Lock()

    def save(self, kept: Mapping[str, bytes]) -> None:
        """Replace the copy; raises `OSError`, and then the copy before it is still there."""
        manifest = {"v": 1, "revision": files.revision(kept, self._claim_mapping), "digest": files.digest(kept)}
        with self._lock:
            parent = self.directory.parent
            parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = Path(tempfile.mkdtemp(prefix=f"{self.directory.name}.new-", dir=parent))  # 0700 by promise
            try:
                for name, data in kept.items():
                    if not (folder := (fresh / name).parent).exists():
                        folder.mkdir(mode=0o700)
                    _write(fresh / name, data)
                for folder in {(fresh / name).parent for name in kept} - {fresh}:
                    _sync(folder)
                _write(fresh / _MANIFEST, json.dumps(manifest, indent=1).encode())
                _sync(fresh)
                self._replace(fresh)
                _sync(parent)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(self._old, ignore_errors=True)

    def load(self) -> Copy | None:
        """Give the copy, None when there is none, or raise `PolicyProblems` when it cannot be trusted."""
        try:
            where = self.directory if self.directory.exists() else self._old
            return self._read(where) if where.exists() else None
        except (OSError, ValueError, KeyError) as error:
            raise self._untrusted(f"{type(error).__name__}: {error}") from None

    def _replace(self, fresh: Path) -> None:
        if self.directory.exists():
            # With `directory` there, an older `.old` is only what a crash left behind.
            shutil.rmtree(self._old, ignore_errors=True)
            self.directory.rename(self._old)
        fresh.rename(self.directory)

    def _read(self, where: Path) -> Copy:
        found = where.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _WRITABLE_BY_OTHERS:
            raise self._untrusted("it is not a directory that only this user can write")
        with (where / _MANIFEST).open("rb") as handle:
            manifest = loads(handle.read(_LARGEST_MANIFEST))
        if not isinstance(manifest, dict):
            raise self._untrusted("its manifest is not an object")
        # What was kept is whole by its digest; the rows of a database stand in a file of their own.
        kept = files.read(where, names=(*files.NAMES, ROWS), required=())
        if manifest["digest"] != files.digest(kept):
            raise self._untrusted("its files are not those of its manifest")
        revision = files.revision(kept, self._claim_mapping)
        if manifest["revision"] != revision:
            # The same names would mean other people: a name never changes its meaning in silence.
            raise self._untrusted("it was kept under another mapping of claims")
        return Copy(revision=revision, files=kept)

    def _untrusted(self, why: str) -> PolicyProblems:
        message = f"the last good policy cannot be used: {why}"
        return PolicyProblems([Problem(str(self.directory), 0, 0, "last-good", message)])


def _write(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
