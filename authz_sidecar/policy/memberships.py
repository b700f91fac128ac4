"""Checks that memberships lead somewhere: nothing holds itself, and no row says what another says."""

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import Final

from authz_sidecar.policy.cells import Places, where
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.rules import Membership

_MOST_CYCLES: Final = 20


def check_memberships(memberships: Sequence[Membership], places: Places, found: Findings) -> None:
    """Report self-memberships and cycles as errors and duplicate rows as warnings."""
    edges: dict[tuple[str, str], Membership] = {}
    for row in memberships:
        column = places[row.source, row.line][1]
        if row.member == row.role:
            found.error(row.source, row.line, column, "self-membership", f"{quote(row.member)} is a member of itself")
            continue
        first = edges.setdefault((row.member, row.role), row)
        if first is not row:
            found.warn(row.source, row.line, column, "duplicate-row", f"says the same as {where(first, row.source)}")
    # Each cycle that was found is cut, to find the next; a hundred thousand of them are not worth the search.
    for _ in range(_MOST_CYCLES):
        cycle = _cycle(edges)
        if not cycle:
            return
        first = cycle[0]
        way = " → ".join(f"{quote(row.member)} ({where(row, first.source)})" for row in cycle)
        message = f"membership cycle: {way} → {quote(first.member)}, remove one of these rows"
        found.error(first.source, first.line, places[first.source, first.line][1], "membership-cycle", message)
        del edges[first.member, first.role]


def _cycle(edges: dict[tuple[str, str], Membership]) -> list[Membership]:
    """Give the rows of one cycle, the first row of the file in front, or nothing."""
    graph: TopologicalSorter[str] = TopologicalSorter()
    for member, role in edges:
        graph.add(role, member)
    try:
        graph.prepare()
    except CycleError as error:
        way: list[str] = error.args[1]
        rows = [edges[pair] for pair in pairwise(way)]
        start = rows.index(min(rows, key=lambda row: (row.source, row.line)))
        return rows[start:] + rows[:start]
    return []
