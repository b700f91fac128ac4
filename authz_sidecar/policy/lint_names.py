"""Lint: names that differ only by case."""

from collections.abc import Iterator

from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.parse import Parsed

_Name = tuple[str, str, str, int, int]
"""Kind, spelling, file, line, column."""


def check(parsed: Parsed, found: Findings) -> None:
    """Report each further spelling of a name once, where it first stands."""
    spellings: dict[tuple[str, str], dict[str, tuple[str, int]]] = {}
    for kind, name, file, line, column in _names(parsed):
        known = spellings.setdefault((kind, name.casefold()), {})
        if name in known:
            continue
        if known:
            other, (where, at) = next(iter(known.items()))
            message = f"{quote(name)} and {quote(other)} ({where}:{at}) differ only by case, and are two names"
            found.warn(file, line, column, "differs-by-case", message)
        known[name] = (file, line)


def _names(parsed: Parsed) -> Iterator[_Name]:
    places, rules = parsed.places, parsed.rules
    for rule in rules.rules:
        columns = places[rule.source, rule.line]
        yield "subject", str(rule.subject), rule.source, rule.line, columns[1]
        yield "server", str(rule.server), rule.source, rule.line, columns[2]
        yield "tool", str(rule.tool), rule.source, rule.line, columns[4]
    for row in rules.memberships:
        columns = places[row.source, row.line]
        yield "subject", row.member, row.source, row.line, columns[1]
        yield "subject", row.role, row.source, row.line, columns[2]
    for row in rules.tool_groups:
        columns = places[row.source, row.line]
        yield "tool", row.member, row.source, row.line, columns[1]
        yield "tool", row.role, row.source, row.line, columns[2]
    for scope in rules.scopes:
        columns = places[scope.source, scope.line]
        yield "server", str(scope.server), scope.source, scope.line, columns[0]
        yield "tool", str(scope.tool), scope.source, scope.line, columns[2]
