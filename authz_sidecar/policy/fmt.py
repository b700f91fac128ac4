"""Aligns the columns of policy files; comments, order, quotes and meaning stay as they are."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from authz_sidecar.policy.csvrows import Row, read
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.fix import is_policy
from authz_sidecar.policy.grid import MATRIX
from authz_sidecar.policy.parse import EXPECTATIONS, POLICY, SCOPES

FILES: Final = (POLICY, SCOPES, EXPECTATIONS, MATRIX)
_LONGEST: Final = 48
"""A field longer than this stands out and does not widen its column."""
_LEGEND: Final = re.compile(r"#[ \t]+(p|g|g2)[ \t]*,")


@dataclass(frozen=True, slots=True)
class _Cells:
    group: str
    cells: tuple[str, ...]


def fmt(file: str, data: bytes) -> bytes:
    """Give the file with its columns aligned; doing it twice changes nothing.

    Rows that cannot be read stay as they are. The kinds of rows of `policy.csv` are aligned each for itself, together
    with comments that name their columns (`# p, subject, …`).
    """
    doubts = Findings()
    rows = {row.line: row for row in read(file, data, doubts)}
    doubtful = {problem.line for problem in doubts.problems}
    lines = data.split(b"\n")
    found: dict[int, _Cells] = {}
    sizes: dict[str, set[int]] = {}
    for number, row in rows.items():
        cells = None if number in doubtful else _cells(lines[number - 1], row)
        if cells is not None:
            group = row.fields[0].text if is_policy(file) else ""
            found[number] = _Cells(group, cells)
            sizes.setdefault(group, set()).add(len(cells))
    if is_policy(file):
        found |= _legends(lines, rows, sizes)
    widths = _widths(found.values())
    for number, row_cells in found.items():
        line = lines[number - 1]
        end = b"\r" if line.endswith(b"\r") else b""
        lines[number - 1] = _joined(row_cells, widths).encode() + end
    return b"\n".join(lines)


def fmt_all(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give the files whose columns are not aligned, aligned."""
    aligned = {name: fmt(name, data) for name, data in files.items() if name in FILES or is_policy(name)}
    return {name: data for name, data in aligned.items() if data != files[name]}


def _cells(line: bytes, row: Row) -> tuple[str, ...] | None:
    """Give the fields as they are written, quotes and all."""
    text = line.decode().removesuffix("\r").removeprefix("\ufeff")
    starts = [field.column - 1 for field in row.fields]
    ends = [*starts[1:], len(text)]
    cells: list[str] = []
    for start, end in zip(starts, ends, strict=True):
        cell = text[start:end].rstrip(" \t")
        if end < len(text) or len(cells) < len(starts) - 1:
            if not cell.endswith(","):
                return None  # separated in another way: not ours to touch
            cell = cell[:-1].rstrip(" \t")
        if cell.startswith("#"):
            return None  # behind a blank it would be a note
        cells.append(cell)
    return tuple(cells)


def _legends(lines: list[bytes], rows: Mapping[int, Row], sizes: Mapping[str, set[int]]) -> dict[int, _Cells]:
    found: dict[int, _Cells] = {}
    for number, line in enumerate(lines, start=1):
        if number in rows or not line.startswith(b"#"):
            continue
        try:
            text = line.decode().removesuffix("\r")
        except UnicodeDecodeError:
            continue
        legend = _LEGEND.match(text)
        cells = tuple(part.strip(" \t") for part in text.split(","))
        if legend is not None and '"' not in text and len(cells) in sizes.get(legend[1], ()):
            found[number] = _Cells(legend[1], (f"# {legend[1]}", *cells[1:]))
    return found


def _widths(rows: Iterable[_Cells]) -> dict[tuple[str, int], int]:
    widths: dict[tuple[str, int], int] = {}
    for row in rows:
        for index, cell in enumerate(row.cells):
            if len(cell) <= _LONGEST:
                widths[row.group, index] = max(widths.get((row.group, index), 0), len(cell))
    return widths


def _joined(row: _Cells, widths: Mapping[tuple[str, int], int]) -> str:
    *front, last = row.cells
    padded = (f"{cell + ',':<{widths.get((row.group, index), 0) + 1}} " for index, cell in enumerate(front))
    return ("".join(padded) + last).rstrip(" ")
