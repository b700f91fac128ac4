"""Files and directories of our own: shut to readers, and refused where others could have written."""

import os
import stat
from pathlib import Path
from typing import Final

import structlog

from authz_sidecar.errors import ConfigError

KEYS: Final = "signing-keys.json"
"""The file of the signing keys, in their directory."""

_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022

_log: Final = structlog.stdlib.get_logger("authz_sidecar.oauth")


def of_database(path: Path) -> tuple[Path, ...]:
    """Name the files of an SQLite database, which keeps the last changes beside it."""
    return (path, *(path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm")))


def trouble(path: Path, *, secret: bool = False) -> str | None:
    """Say why a place cannot be used, and what to do; None for one that is well, or is not there yet.

    What others can write, they may have written: an account, or a key. A `secret` that others can read is refused, too;
    everything else is only to be shut. Raises `OSError`.
    """
    found = _found(path)
    if found is None:
        return None
    mode, us = stat.S_IMODE(found.st_mode), os.geteuid()
    if us not in (found.st_uid, 0):
        return f"{path}: belongs to user id {found.st_uid}, expected {us}"
    if mode & _OTHERS_WRITE:
        return f"{path}: has mode {mode:04o}, so others could write there; look at it, then run `chmod go= {path}`"
    if secret and mode & _OTHERS:
        return f"{path}: has mode {mode:04o}, so others can read it, expected 0600: run `chmod go= {path}`"
    return None


def readable(path: Path) -> bool:
    """Say whether others can read it; raises `OSError`."""
    found = _found(path)
    return found is not None and bool(found.st_mode & _OTHERS)


def shut(path: Path) -> None:
    """Shut readers out of a place that is well; raises `ConfigError` for any other."""
    try:
        if (why := trouble(path)) is not None:
            raise ConfigError(why)
        if readable(path):
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode & ~_OTHERS)
            _log.warning("oauth_place_shut", path=str(path), mode=f"{mode:04o}", now=f"{mode & ~_OTHERS:04o}")
    except FileNotFoundError:
        return  # the files beside a database come and go
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def check(path: Path, *, secret: bool = False) -> None:
    """Raise `ConfigError` for a place that cannot be used."""
    try:
        why = trouble(path, secret=secret)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None
    if why is not None:
        raise ConfigError(why)


def _found(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
