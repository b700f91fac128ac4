"""Where a policy comes from: what the store reads and the watcher looks at."""

from pathlib import Path
from typing import Protocol

from authz_sidecar.policy import files
from authz_sidecar.policy.files import Signature


class Source(Protocol):
    """Gives the files of a policy as they stand together at one moment."""

    @property
    def place(self) -> str:
        """Say where it is, for messages; without a secret."""
        ...

    def read(self) -> dict[str, bytes]:
        """Give the bytes of each file by name, or raise `PolicyProblems` when they cannot be had."""
        ...

    def signature(self) -> Signature:
        """Give what changes when the files do, without reading them; raises nothing, a failure is one as well."""
        ...


class Directory:
    """A directory that people edit."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        """Give the path."""
        return str(self._path)

    def read(self) -> dict[str, bytes]:
        """Read every file; raises `PolicyProblems`."""
        return files.read(self._path)

    def signature(self) -> Signature:
        """Look at the files."""
        return files.signature(self._path)
