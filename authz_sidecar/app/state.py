"""Takes the state directory: ours alone, and one sidecar's alone."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog

from authz_sidecar.errors import ConfigError

_OTHERS: Final = 0o077
_OTHERS_WRITE: Final = 0o022
_OURS: Final = frozenset({"audit", "gateway", "lost+found", "oauth", "run"})
"""What may lie in a state directory before the first start; the lock file says that it has been one."""

_log = structlog.get_logger("authz_sidecar")


@contextmanager
def taken(directory: Path) -> Iterator[None]:
    """Hold the directory until the block ends, made with mode 0700 where there is none.

    Two sidecars over one state would each keep the other's policy as the last good one. Raises `ConfigError`.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_private(directory)
        lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise ConfigError(f"`state_dir` {directory}: is not a directory") from None
    except OSError as error:
        raise ConfigError(f"`state_dir` {directory}: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise ConfigError(
            f"`state_dir` {directory}: another sidecar keeps its state there; stop it, or name another directory"
        ) from None
    try:
        yield
    finally:
        os.close(lock)  # which unlocks; the file stays, since a name that comes and goes can be locked twice


def _make_private(directory: Path) -> None:
    """Shut readers out, and refuse what others could write: a policy that they left there would be put in force."""
    found = directory.stat()
    mode = stat.S_IMODE(found.st_mode)
    if found.st_uid != os.geteuid():
        raise ConfigError(f"`state_dir` {directory}: belongs to user id {found.st_uid}, expected {os.geteuid()}")
    if mode & _OTHERS_WRITE:
        raise ConfigError(
            f"`state_dir` {directory}: has mode {mode:04o}, so others could write a policy there; look at what is in "
            f"it, then run `chmod 0700 {directory}`"
        )
    if mode & _OTHERS:
        check_own(directory)
        directory.chmod(0o700)
        _log.warning("state_dir_closed", path=str(directory), mode=f"{mode:04o}", now="0700")


def check_own(directory: Path) -> None:
    """Raise `ConfigError` for a directory that others can read and that holds what is not ours, or `OSError`.

    Closing `/var` or a home directory, for a slash too many in `state_dir`, would stop others who live there.
    """
    if not stat.S_IMODE(directory.stat().st_mode) & _OTHERS:
        return
    strangers = sorted({entry.name for entry in directory.iterdir()} - _OURS)
    if strangers and not _was_taken(directory):
        raise ConfigError(
            f"`state_dir` {directory}: holds `{strangers[0]}`, which is not the sidecar's, and others can read it; "
            f"name a directory of its own, or, if all in it is the sidecar's, run `chmod 0700 {directory}`"
        )


def _was_taken(directory: Path) -> bool:
    try:
        found = (directory / "lock").lstat()  # `/var/lock` is a link
    except FileNotFoundError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
