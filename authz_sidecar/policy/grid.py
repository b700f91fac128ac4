"""Turns `matrix.csv`, expectations as a table of calls and callers, into expectations."""

from collections.abc import Iterator
from typing import Final

from authz_sidecar.policy import names, tables
from authz_sidecar.policy.cells import Columns, cell, fits, titles
from authz_sidecar.policy.csvrows import Row, read
from authz_sidecar.policy.findings import Findings
from authz_sidecar.rules import Expectation

MATRIX: Final = "matrix.csv"
_CALL: Final = ("server", "method", "tool")
_SCOPES: Final = "scopes"


def parse_matrix(file: str, data: bytes, places: Columns, found: Findings) -> tuple[Expectation, ...]:
    """Read the header `server,method,tool[,scopes],<subjects>…` and the rows below it.

    Each cell says what these subjects get: `allow`, `deny`, a reason, or nothing when it does not matter.
    """
    rows = iter(read(file, data, found))
    header = next(rows, None)
    if header is None:
        if data.strip() and found.problems:
            return ()
        found.error(file, 0, 0, "no-header", "is empty, expected the header `server,method,tool,<subjects>…`")
        return ()
    spelled = titles(header)
    first = 4 if spelled[3:4] == (_SCOPES,) else 3
    if spelled[:3] != _CALL or len(spelled) == first:
        message = "expected the header `server,method,tool,<subjects>…`, for example `server,method,tool,user:alice`"
        found.error(file, header.line, header.fields[0].column, "no-header", message)
        return ()
    places[file, header.line] = header.columns
    callers = [cell(header, index, tables.subjects, found) for index in range(first, len(spelled))]
    if any(one is None for one in callers):
        return ()
    known = [one for one in callers if one is not None]
    return tuple(
        test for row in rows if fits(row, spelled, "this row", found) for test in _row(row, first, known, places, found)
    )


def _row(
    row: Row, first: int, callers: list[tuple[str, ...]], places: Columns, found: Findings
) -> Iterator[Expectation]:
    # As in expectations.csv, where a column for the subjects stands in front.
    places[row.file, row.line] = (row.columns[0], *row.columns)
    server = cell(row, 0, names.literal, found)
    method = cell(row, 1, names.literal, found)
    tool = cell(row, 2, lambda text: tables.target(text, method=row.fields[1].text), found)
    scopes = cell(row, 3, names.scopes, found) if first > len(_CALL) else ()
    for index, subjects in enumerate(callers, start=first):
        if not row.fields[index].text:
            continue
        expect = cell(row, index, tables.outcome, found)
        if server is None or method is None or tool is None or scopes is None or expect is None:
            continue
        yield Expectation(
            subjects=subjects,
            server=server,
            method=method,
            tool=tool,
            scopes=scopes,
            arguments=b"",
            expect=expect,
            source=row.file,
            line=row.line,
            column=row.fields[index].column,
        )
