"""Looks for tokens where none may ever be: in every file that a test leaves or removes, and in all that it printed.

Every JWT is its own canary. What looks like one is a leak anywhere but in a file that tests keep tokens in, and so is
the bare signature of one that this run has minted or kept in such a file.
"""

import re
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

TOKEN_FILES: Final = (".token", ".jwt")
"""How the names of files end that tests keep tokens in."""

_WHOLE: Final = re.compile(rb"eyJ[\w-]{8,}\.eyJ[\w-]{4,}\.([\w-]{20,})")
_RUN: Final = re.compile(rb"[\w-]{40,}")
_LARGEST: Final = 64 * 1024 * 1024
_OTHERS: Final = frozenset({"node_modules", "site-packages", "go-build", "pkg", ".git"})
"""Folders of other people's programs; their manuals show tokens of their own."""
_KEYCLOAK: Final = "keycloak-"

_minted: Final[set[bytes]] = set()
leaks: Final[list[str]] = []
"""What was found since somebody last looked."""


def minted(token: str) -> str:
    """Remember a token that a test made, and give it back."""
    _minted.add(token.rpartition(".")[2].encode("utf-8", "surrogatepass"))
    return token


def in_bytes(data: bytes) -> str:
    """Say what stands there that may not, without its secret part; empty when there is nothing."""
    if found := _WHOLE.search(data):
        return f"a token that begins with `{found[0][:16].decode()}…`"
    if any(run in _minted for run in _RUN.findall(data)):
        return "the signature of a token"
    return ""


def below(root: Path) -> Iterator[tuple[Path, str]]:
    """Look into every file below a folder, or into the one file."""
    # Those that may hold tokens first: what they hold may stand nowhere else.
    for path in sorted(_files(root), key=lambda path: not path.name.endswith(TOKEN_FILES)):
        try:
            data = path.read_bytes()
        except OSError:
            continue  # nobody can read it, or it is gone
        if path.name.endswith(TOKEN_FILES):
            _minted.update(found[1] for found in _WHOLE.finditer(data))
        elif said := in_bytes(data):
            yield path, said


def note(roots: Iterable[Path]) -> None:
    """Look into all of these, and keep what is found for the report of the test."""
    for root in roots:
        leaks.extend(f"{path}: {said}" for path, said in below(root))


def taken() -> list[str]:
    """Give what was found since the last time."""
    found, leaks[:] = list(dict.fromkeys(leaks)), []
    return found


def watch() -> None:
    """Look into every folder just before it is removed, for as long as this process lives."""
    sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    if event == "shutil.rmtree" and isinstance(arguments[0], str | Path):
        note([Path(arguments[0])])


def _files(root: Path) -> Iterator[Path]:
    try:
        found = root.lstat()
        if stat.S_ISREG(found.st_mode):
            if found.st_size <= _LARGEST:
                yield root
        elif stat.S_ISDIR(found.st_mode) and root.name not in _OTHERS and not root.name.startswith(_KEYCLOAK):
            for path in sorted(root.iterdir()):
                yield from _files(path)
    except OSError:
        return
