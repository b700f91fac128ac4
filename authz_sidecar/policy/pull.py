"""Spells rows that stand in no file as `policy.csv`."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Final

from authz_sidecar.errors import PolicyProblems, Problem
from authz_sidecar.policy.csvrows import read
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import POLICY
from authz_sidecar.policy.stored import ROWS, Stored, decode, place
from authz_sidecar.policy.until import moment

_TITLES: Final = {
    "p": ("# p", "subject", "server", "method", "tool", "effect"),
    "g": ("# g", "member", "role"),
}
_NEEDS_QUOTES: Final = re.compile(r'[",#\s]|^$|[^\x20-\x7e]')


def as_files(found: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give what a directory of this policy holds; raises `PolicyProblems` for rows that no file can spell."""
    rows = decode(found[ROWS])
    return {POLICY: as_csv(rows)} | {name: data for name, data in found.items() if name != ROWS}


def as_csv(rows: list[Stored]) -> bytes:
    """Spell the rows, the rules first, each kind in columns; raises `PolicyProblems` where that cannot be."""
    text = "\n".join(_blocks(rows)).encode()
    _check(text, rows)
    return text


def _blocks(rows: list[Stored]) -> Iterable[str]:
    for kind, members in groupby(
        sorted(rows, key=lambda row: (row.values[0] != "p", row.values[0])), key=lambda row: row.values[0]
    ):
        some = list(members)
        titles = _TITLES.get(kind, (f"# {kind}",))
        if any(len(row.values) > len(titles) for row in some) and kind == "p":
            titles = (*titles, "when")
        spelled = [[_field(value) for value in row.values] for row in some]
        widths = [max(map(len, column)) for column in _columns([list(titles), *spelled])]
        lines = [_line(titles, widths)]
        for row, fields in zip(some, spelled, strict=True):
            if row.until:
                lines.append(f"# until {row.until}")
            lines.append(_line(fields, widths))
        yield "\n".join(lines) + "\n"


def _columns(rows: list[list[str]]) -> list[list[str]]:
    longest = max(map(len, rows))
    return [[row[index] for row in rows if index < len(row)] for index in range(longest)]


def _line(fields: Iterable[str], widths: list[int]) -> str:
    shown = list(fields)
    ends = [*(f"{field}," for field in shown[:-1]), shown[-1]]
    return " ".join(end.ljust(width + 1) for end, width in zip(ends, widths, strict=False)).rstrip()


def _field(value: str) -> str:
    return '"' + value.replace('"', '""') + '"' if _NEEDS_QUOTES.search(value) else value


def _check(text: bytes, rows: list[Stored]) -> None:
    """See that the file says what the table says: a line end inside a value would be another row."""
    found = Findings()
    read_back = Counter(
        (tuple(field.text for field in row.fields), row.until) for row in read(POLICY, text, found, ends=True)
    )
    wanted = Counter((row.values, moment(row.until) if row.until else None) for row in rows)
    if found.problems or read_back != wanted:
        odd = next((row for row in rows if any(not value.isprintable() for value in row.values)), rows[0])
        message = "cannot be spelled in a file, mend it in the database"
        raise PolicyProblems([Problem(place(odd.id), 0, 0, "not-spellable", message)])
