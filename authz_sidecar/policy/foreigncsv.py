"""Turns CSV of another dialect into the one that is read here, line by line."""

import csv
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from authz_sidecar.policy.findings import Findings

SEPARATORS: Final[Mapping[str, str]] = MappingProxyType(
    {"casbin": "", "comma": ",", "semicolon": ";", "tab": "\t", "excel": ";"}
)
"""Dialects by name. `casbin` is taken as it stands."""

_MARKS: Final = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def translated(file: str, data: bytes, dialect: str, found: Findings) -> bytes:
    """Give the same rows, separated by commas and in UTF-8; each stays on its line, problems are reported."""
    separator = SEPARATORS[dialect]
    if not separator:
        return data
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        found.error(file, data[: error.start].count(b"\n") + 1, 0, "not-utf-8", f"is not {encoding.upper()}")
        return b""
    return b"".join(
        _line(file, number, line, separator, found) for number, line in enumerate(text.splitlines(), start=1)
    )


def _line(file: str, number: int, line: str, separator: str, found: Findings) -> bytes:
    bare = line.strip(f" \t{separator}")
    if not bare or bare.lstrip('" ').startswith("#") or bare.strip('"').lower().startswith("sep="):
        return b"# " + bare.encode() + b"\n" if bare and not bare.startswith("#") else bare.encode() + b"\n"
    try:
        (row,) = csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        found.error(file, number, 0, "bad-row", f"is not CSV: {error}")
        return b"\n"
    while row and not row[-1].strip():
        row.pop()
    return ",".join(_field(value.strip()) for value in row).encode() + b"\n"


def _field(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if any(char in value for char in ',"#\t') else value
