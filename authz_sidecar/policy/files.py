"""Reads the files of a policy as they stood together at one moment."""

import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from authz_sidecar.errors import PolicyProblems, Problem
from authz_sidecar.model import Revision
from authz_sidecar.policy.grid import MATRIX
from authz_sidecar.policy.lines import LARGEST
from authz_sidecar.policy.parse import EXPECTATIONS, MODEL, POLICY, SCOPES
from authz_sidecar.policy.tools import TOOLS

REQUIRED: Final = (POLICY, MODEL)
NAMES: Final = (POLICY, SCOPES, EXPECTATIONS, MATRIX, MODEL, TOOLS)
_DECIDES_NOTHING: Final = frozenset({EXPECTATIONS, MATRIX, TOOLS})

_TRIES: Final = 5
_CHUNK: Final = 1024 * 1024

Signature = tuple[object, ...]
"""What changes when a policy directory or a file in it does; compared, never read."""


class _Moved(Exception):
    """A file changed while it was being read."""


def read(directory: Path) -> dict[str, bytes]:
    """Give the bytes of each file by name, or raise `PolicyProblems` when they cannot be had.

    All files are opened through one descriptor of the directory and looked at again afterwards, so a swap of the
    directory or of a symlink in it (how Kubernetes updates a ConfigMap) gives the old files or the new, never both.
    """
    for _ in range(_TRIES):
        try:
            return _read_once(directory)
        except _Moved:
            continue
        except OSError as error:
            raise PolicyProblems([_unreadable(str(directory), error)]) from None
    raise PolicyProblems([Problem(str(directory), 0, 0, "unsteady", "the files change faster than they can be read")])


def signature(directory: Path) -> Signature:
    """Look at the directory and the files without reading them; raises nothing, a failure is a signature as well.

    Of the directory only its identity counts: its times change with every swap file of an editor.
    """
    seen: list[object] = []
    for path in (directory, *(directory / name for name in NAMES)):
        try:
            found = path.stat()
        except OSError as error:
            seen.append(error.errno)
        else:
            seen.append((found.st_dev, found.st_ino) if path is directory else _identity(found))
    return tuple(seen)


def revision(files: Mapping[str, bytes], claim_mapping: bytes) -> Revision:
    """Name what decides: policy, scopes, model and how claims become names. Tests and recorded lists do not."""
    parts = {name: data for name, data in files.items() if name not in _DECIDES_NOTHING}
    return Revision("sha256:" + digest({**parts, "claim mapping": claim_mapping}))


def digest(files: Mapping[str, bytes]) -> str:
    """Hash names, lengths and bytes; the lengths keep two files from reading as one."""
    total = hashlib.sha256()
    for name, data in sorted(files.items()):
        total.update(b"%d:%s%d:" % (len(name.encode()), name.encode(), len(data)))
        total.update(data)
    return total.hexdigest()


def _read_once(directory: Path) -> dict[str, bytes]:
    where = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files: dict[str, bytes] = {}
        stats: dict[str, object] = {}
        problems: list[Problem] = []
        unreadable: set[str] = set()
        for name in NAMES:
            try:
                files[name], stats[name] = _read_file(where, name)
            except FileNotFoundError:
                if name in REQUIRED:
                    problems.append(Problem(name, 0, 0, "missing", f"is missing in {directory}"))
            except OSError as error:
                unreadable.add(name)
                problems.append(_unreadable(name, error))
        if any(_look(where, name) != stats.get(name) for name in NAMES if name not in unreadable):
            raise _Moved
        now, then = directory.stat(), os.fstat(where)
        if (now.st_dev, now.st_ino) != (then.st_dev, then.st_ino):
            raise _Moved
    finally:
        os.close(where)
    if problems:
        raise PolicyProblems(problems)
    return files


def _read_file(where: int, name: str) -> tuple[bytes, object]:
    # Without O_NONBLOCK, opening a FIFO would wait for its writer.
    handle = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=where)
    try:
        before = os.fstat(handle)
        if not stat.S_ISREG(before.st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        if before.st_size > LARGEST:
            raise OSError(errno.EFBIG, f"has {before.st_size} bytes, at most {LARGEST} are read")
        data = bytearray()
        while len(data) <= LARGEST and (chunk := os.read(handle, _CHUNK)):
            data += chunk
        if len(data) != before.st_size or _identity(os.fstat(handle)) != _identity(before):
            raise _Moved
    finally:
        os.close(handle)
    return bytes(data), _identity(before)


def _look(where: int, name: str) -> object:
    try:
        return _identity(os.stat(name, dir_fd=where))
    except FileNotFoundError:
        return None


def _identity(found: os.stat_result) -> tuple[int, ...]:
    # The change time sees what a restored modification time hides, and a mended mode.
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _unreadable(file: str, error: OSError) -> Problem:
    return Problem(file, 0, 0, "unreadable", f"cannot be read: {(error.strerror or str(error)).lower()}")
