"""Reads one field of a row by its spelling and reports the exact character where it is wrong."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from authz_sidecar.policy.csvrows import Row
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.names import Misspelt
from authz_sidecar.rules import Membership, Rule

Places = Mapping[tuple[str, int], tuple[int, ...]]
"""The columns of the fields of each row, by file and line."""

Columns = dict[tuple[str, int], tuple[int, ...]]
"""Places while they are being gathered."""

_T = TypeVar("_T")


def cell(row: Row, index: int, spelling: Callable[[str], _T], found: Findings) -> _T | None:
    """Read a field, or report it and give None."""
    field = row.fields[index]
    try:
        return spelling(field.text)
    except Misspelt as error:
        # Behind a quote, doubled quotes shift what follows: the quote itself is the honest place.
        column = field.column if field.quoted else field.column + error.offset
        found.error(row.file, row.line, column, error.code, str(error))
        return None


def fits(row: Row, names: tuple[str, ...], kind: str, found: Findings) -> bool:
    """Say whether the row has these fields; if not, report it.

    Empty cells behind them count for nothing: a spreadsheet makes all rows as long as the longest.
    """
    have, want = _filled(row, len(names)), len(names)
    spelled = ", ".join(names)
    if have < want:
        message = f"{kind} has {have} fields, expected {want}: {spelled}"
        found.error(row.file, row.line, row.fields[0].column, "row-too-short", message)
    elif have > want:
        message = f"{kind} has {have} fields, expected {want}: {spelled}"
        found.error(row.file, row.line, row.fields[want].column, "row-too-long", message)
    return have == want


def titles(header: Row) -> tuple[str, ...]:
    """Give the fields of a header, without the empty cells that a spreadsheet puts behind them."""
    return tuple(field.text for field in header.fields[: _filled(header, 1)])


def _filled(row: Row, least: int) -> int:
    have = len(row.fields)
    while have > least and row.fields[have - 1].text == "" and not row.fields[have - 1].quoted:
        have -= 1
    return have


def where(row: Rule | Membership, file: str) -> str:
    """Spell the place of a row for a message about a row of this file."""
    if row.source == file:
        return f"line {row.line}"
    return f"{row.source}:{row.line}" if row.line else row.source
