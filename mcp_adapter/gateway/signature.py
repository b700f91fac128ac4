"""Tells by a look at their metadata whether files have changed."""

from collections.abc import Iterable
from pathlib import Path

Signature = tuple[tuple[int, int, int], ...]


def signature(files: Iterable[Path]) -> Signature:
    """Give a value that differs when a file was written, replaced or removed."""
    return tuple(map(_of, files))


def _of(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return (0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino)
