"""Takes the path of a Unix socket for the life of the process."""

import errno
import fcntl
import os
import socket
import stat
from pathlib import Path
from typing import Final

from authz_sidecar.errors import ConfigError

LONGEST: Final = 107
"""Bytes of a socket's path that Linux takes (`sun_path` less its end)."""
_OTHERS: Final = 0o077
_TRIES: Final = 10


class UnixSocket:
    """A path that is ours while the lock file beside it is held; made by `take`."""

    def __init__(self, path: Path, lock: int) -> None:
        """Take the path and the open, locked lock file."""
        self.path: Final = path
        self._lock = lock

    @classmethod
    def take(cls, path: Path) -> "UnixSocket":
        """Make the directory, lock, and clear what a dead process left.

        Raises `ConfigError` when the directory is open to others, another process listens, or the path is too long.
        """
        size = len(os.fsencode(path))
        if size > LONGEST:
            raise ConfigError(
                f"the socket path `{path}` has {size} bytes, expected at most {LONGEST}: use a shorter one"
            )
        try:
            _private_directory(path.parent)
            taken = cls(path, _locked(_lock_path(path), path))
        except OSError as error:
            raise ConfigError(f"cannot listen on `{path}`: {error.strerror}") from None
        try:
            _clear_stale(path)
        except (ConfigError, OSError) as error:
            taken._unlock()
            if isinstance(error, OSError):
                raise ConfigError(f"cannot listen on `{path}`: {error.strerror}") from None
            raise
        return taken

    def release(self) -> None:
        """Remove the socket and the lock; once is enough, twice does no harm."""
        if self._lock >= 0:
            self.path.unlink(missing_ok=True)
            self._unlock()

    def _unlock(self) -> None:
        # INVARIANT: unlinked before it is unlocked, so that whoever locks it next sees that it has no name any more
        _lock_path(self.path).unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = -1


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _private_directory(directory: Path) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        directory.mkdir(mode=0o700)
        directory.chmod(0o700)  # whatever the umask takes away
    except FileExistsError:
        pass
    found = directory.lstat()  # a symbolic link would let its owner lead callers elsewhere
    if not stat.S_ISDIR(found.st_mode):
        raise ConfigError(f"`{directory}` is not a directory, expected one of our own for the socket")
    if found.st_uid != os.geteuid():
        raise ConfigError(
            f"the socket directory `{directory}` belongs to user id {found.st_uid}, expected {os.geteuid()}: "
            "whoever owns it can answer in our place; use a directory of your own"
        )
    if found.st_mode & _OTHERS:
        raise ConfigError(
            f"the socket directory `{directory}` has mode {stat.S_IMODE(found.st_mode):04o}, expected 0700: "
            f"{to_close(directory)}"
        )


def to_close(directory: Path) -> str:
    """Say what to do about a directory that is open to others; raises `OSError`.

    Whoever closes `/run` or `/tmp` stops others who live there, so that is advised for sockets' own directories alone.
    """
    if all(entry.suffix in (".sock", ".lock") for entry in directory.iterdir()):
        return f"run `chmod 0700 {directory}`"
    return f"others live there too, so use a directory of its own, for example `{directory / 'authz'}`"


def _locked(lock: Path, path: Path) -> int:
    for _ in range(_TRIES):
        held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(lock, held):
                return held
        except BlockingIOError:
            os.close(held)
            raise ConfigError(f"another process is listening on `{path}`: stop it or use another path") from None
        os.close(held)  # its last holder removed it between our opening and our locking
    raise ConfigError(f"another process is taking `{path}` again and again: stop it or use another path")


def _is_still(lock: Path, held: int) -> bool:
    try:
        return os.path.samestat(lock.lstat(), os.fstat(held))
    except FileNotFoundError:
        return False


def _clear_stale(path: Path) -> None:
    """Remove a dead socket; what lives without our lock, or is no socket, is not ours to remove."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"`{path}` exists and is not a socket: move it away or use another path")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        if probe.connect_ex(os.fspath(path)) not in (errno.ECONNREFUSED, errno.ENOENT):
            raise ConfigError(f"something is listening on `{path}` without our lock: stop it or use another path")
    path.unlink(missing_ok=True)
