"""Reads a TOML file of settings, and finds the line of each of its keys."""

import re
import tomllib
from pathlib import Path
from typing import Any, Final

_HEADER: Final = re.compile(r"\s*\[(\[)?\s*([A-Za-z0-9_.\-\" ]+?)\s*\]")
_KEY: Final = re.compile(r"\s*[\"']?([A-Za-z0-9_:.\-]+?)[\"']?\s*=")
_PLACE: Final = re.compile(r" \(at line (\d+), column (\d+)\)$")
_LARGEST: Final = 1_048_576
_BOM: Final = b"\xef\xbb\xbf"

Location = tuple[str | int, ...]
"""The keys that lead to a value, with numbers where a list is on the way."""


class TomlError(Exception):
    """What the file holds is no TOML: `file:line:column: what is wrong`."""


def read(path: Path) -> tuple[str, dict[str, Any]]:
    """Give the text and what it says. Raises `TomlError`, and `OSError` for a file that cannot be read."""
    text = _decoded(path, path.read_bytes())
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TomlError(_not_toml(path, str(error))) from None
    except (ValueError, RecursionError):
        raise TomlError(f"{path}: not valid TOML: a number is too long, or the nesting too deep") from None


def _decoded(path: Path, data: bytes) -> str:
    if len(data) > _LARGEST:
        raise TomlError(f"{path}: larger than {_LARGEST} bytes, so surely not a configuration")
    if data.startswith(_BOM):
        raise TomlError(f"{path}:1:1: begins with a byte order mark, save as plain UTF-8")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise TomlError(f"{path}:{line}: not UTF-8") from None


def _not_toml(path: Path, said: str) -> str:
    """Put the place in front, where editors look for it."""
    place = _PLACE.search(said)
    if place is None:
        return f"{path}: not valid TOML: {said}"
    return f"{path}:{place[1]}:{place[2]}: not valid TOML: {said[: place.start()]}"


def lines(text: str) -> dict[Location, int]:
    """Find the line of each key and table; enough for messages, while `tomllib` does the reading."""
    found: dict[Location, int] = {}
    counts: dict[Location, int] = {}
    table: Location = ()
    for number, line in enumerate(text.split("\n"), 1):
        if header := _HEADER.match(line):
            names = [part.strip().strip('"') for part in header[2].split(".")]
            table = _table(names, counts, another=bool(header[1]))
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            found.setdefault((*table, key[1]), number)
    return found


def _table(names: list[str], counts: dict[Location, int], *, another: bool) -> Location:
    """Give the place of a table; one of a list of tables belongs to the last of them so far."""
    found: Location = ()
    for nth, name in enumerate(names, 1):
        found = (*found, name)
        if another and nth == len(names):
            counts[found] = counts.get(found, -1) + 1
        if found in counts:
            found = (*found, counts[found])
    return found
