"""Reads the files of a policy as they stood together at one moment."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from authz_sidecar.errors import PolicyProblems, Problem
from authz_sidecar.model import Revision
from authz_sidecar.policy.grid import MATRIX
from authz_sidecar.policy.lines import LARGEST
from authz_sidecar.policy.parse import ENGINE_FOLDER, EXPECTATIONS, FOLDER, MODEL, POLICY, SCOPES
from authz_sidecar.policy.tools import TOOLS

REQUIRED: Final = (POLICY, MODEL)
NAMES: Final = (POLICY, SCOPES, EXPECTATIONS, MATRIX, MODEL, TOOLS)
_DECIDES_NOTHING: Final = frozenset({EXPECTATIONS, MATRIX, TOOLS})

MOST: Final = 1_000
"""Files that `policy.d` may have."""
LARGEST_TOGETHER: Final = 4 * LARGEST
"""Bytes that all files may have."""

_TRIES: Final = 5
_CHUNK: Final = 1024 * 1024

Signature = tuple[object, ...]
"""What changes when a policy directory or a file in it does; compared, never read."""


class _Moved(Exception):
    """A file changed while it was being read."""


def read(directory: Path, *, names: tuple[str, ...] = NAMES, required: tuple[str, ...] = REQUIRED) -> dict[str, bytes]:
    """Give the bytes of each file by name, or raise `PolicyProblems` when they cannot be had.

    All files are opened through one descriptor of the directory and looked at again afterwards, so a swap of the
    directory or of a symlink in it (how Kubernetes updates a ConfigMap) gives the old files or the new, never both.
    """
    for _ in range(_TRIES):
        try:
            return _read_once(directory, names, required)
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
    for path in (
        directory,
        *(directory / name for name in (*NAMES, *_listed(directory, FOLDER), *_listed(directory, ENGINE_FOLDER))),
    ):
        try:
            found = path.stat()
        except OSError as error:
            seen.append(error.errno)
        else:
            seen.append((found.st_dev, found.st_ino) if path is directory else (path.name, _identity(found)))
    return tuple(seen)


def _listed(directory: Path, folder: str) -> tuple[str, ...]:
    try:
        return _further(folder, (entry.name for entry in (directory / folder).iterdir()))
    except OSError:
        return ()


def _further(folder: str, listed: Iterable[str]) -> tuple[str, ...]:
    """Give the files of a folder that are read, in the order of their names: in `policy.d` `*.csv`, and none hidden."""
    end = ".csv" if folder == FOLDER else ""
    return tuple(folder + name for name in sorted(listed) if name.endswith(end) and not name.startswith("."))


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


def _read_once(directory: Path, names: tuple[str, ...], required: tuple[str, ...]) -> dict[str, bytes]:
    where = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        files: dict[str, bytes] = {}
        stats: dict[str, object] = {}
        problems: list[Problem] = []
        unreadable: set[str] = set()
        own = _folder(where, ENGINE_FOLDER, problems)
        further = (*_folder(where, FOLDER, problems), *own)
        names = (*names, *further)
        required = () if own else required  # a policy in an engine's language needs no rows
        for name in names:
            try:
                files[name], stats[name] = _read_file(where, name)
            except FileNotFoundError:
                if name in required:
                    problems.append(Problem(name, 0, 0, "missing", f"is missing in {directory}"))
            except OSError as error:
                unreadable.add(name)
                problems.append(_unreadable(name, error))
        if any(_look(where, name) != stats.get(name) for name in names if name not in unreadable):
            raise _Moved
        if (*_folder(where, FOLDER, []), *_folder(where, ENGINE_FOLDER, [])) != further:
            raise _Moved
        dangling = [name for name in further if name not in files and name not in unreadable]
        problems += [Problem(name, 0, 0, "missing", "is a link to nothing") for name in dangling]
        if sum(map(len, files.values())) > LARGEST_TOGETHER:
            message = f"all files together have more than {LARGEST_TOGETHER} bytes"
            problems.append(Problem(str(directory), 0, 0, "too-large", message))
        now, then = directory.stat(), os.fstat(where)
        if (now.st_dev, now.st_ino) != (then.st_dev, then.st_ino):
            raise _Moved
    finally:
        os.close(where)
    if problems:
        raise PolicyProblems(problems)
    return files


def _folder(where: int, folder: str, problems: list[Problem]) -> tuple[str, ...]:
    """List a folder, or report why it cannot be listed; a name that people take for one that is read is refused."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=where)
    except FileNotFoundError:
        return ()
    except OSError as error:
        problems.append(_unreadable(folder, error))
        return ()
    try:
        with os.scandir(handle) as entries:
            listed = [entry.name for entry in entries if not entry.name.startswith(".")]
    finally:
        os.close(handle)
    for name in sorted(listed):
        cased = folder == FOLDER and name.lower().endswith(".csv") and not name.endswith(".csv")
        if cased or (not name.isprintable() and (folder == ENGINE_FOLDER or name.lower().endswith(".csv"))):
            message = "is not read, give it a printable name that ends in `.csv`, in lower case"
            problems.append(Problem(folder + ascii(name)[1:-1], 0, 0, "odd-name", message))
    further = _further(folder, (name for name in listed if name.isprintable()))
    if len(further) > MOST:
        problems.append(Problem(folder, 0, 0, "too-many", f"has {len(further)} files, at most {MOST} are read"))
        return ()
    return further


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
