"""Checks the rows against the configured servers: a name that matches nothing is a typo, and a typo may open."""

from collections.abc import Iterator, Mapping
from typing import Final

from authz_sidecar import methods
from authz_sidecar.breath import breathe
from authz_sidecar.methods import METHODS, Kind
from authz_sidecar.model import Reason, Server
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.names import closest
from authz_sidecar.policy.parse import POLICY, Parsed
from authz_sidecar.policy.qualify import check_names
from authz_sidecar.rules import Effect, Membership, Pattern, Rule, ScopeRow

_NOTIFICATIONS: Final = "notifications/"
_BREATH: Final = 32  # rows; together they take less than a breath
_SUSPECT: Final = frozenset({Kind.PASS, Kind.LIST})
"""Kinds of methods for which a row may do nothing."""


def validate(parsed: Parsed, servers: Mapping[str, Server], qualified_by: frozenset[str], found: Findings) -> None:
    """Report rows that name nothing that is configured; `servers` is by name.

    In a deny or scope row that is an error, since the call it was written for stays open; in an allow row a warning.
    `qualified_by` holds the issuers' aliases when there are several, and is empty when there is one.
    """
    rules = parsed.rules
    if not rules.size and not rules.sources and not found.problems:
        found.warn(POLICY, 0, 0, "empty-policy", "has no p rows, so everything is denied")
    check = _Check(parsed, servers, found)
    sound: set[tuple[int, int]] = set()  # ids: most rows share their patterns, and ids are quick to look up
    for place, rule in enumerate(rules.rules):
        if not place % _BREATH:
            breathe()
        if (id(rule.server), id(rule.method)) in sound:
            continue
        if check.is_sound(rule):
            sound.add((id(rule.server), id(rule.method)))
            continue
        check.row(rule, (2, 3), opens=rule.effect is Effect.DENY)
    for membership in rules.memberships:
        check.held(membership)
    groups = {row.role for row in rules.tool_groups}
    for scope_row in rules.scopes:
        check.row(scope_row, (0, 1), opens=True)
        if not scope_row.tool.prefix and scope_row.tool.text in groups:
            # The scopes of a call are looked up by its own name: what was to be guarded would stay open.
            message = (
                f"{quote(scope_row.tool.text)} is a group, and scope rows name tools; write a row for each of them"
            )
            column = parsed.places[scope_row.source, scope_row.line][2]
            found.error(scope_row.source, scope_row.line, column, "scope-on-group", message)
    check.expectations()
    if qualified_by:
        check_names(parsed, qualified_by, found)


class _Check:
    def __init__(self, parsed: Parsed, servers: Mapping[str, Server], found: Findings) -> None:
        self._parsed, self._servers, self._found = parsed, servers, found
        self._seen: dict[tuple[Pattern, Pattern], tuple[bool, frozenset[str], frozenset[Kind]]] = {}

    def is_sound(self, row: Rule | ScopeRow) -> bool:
        """Say whether there is nothing to report."""
        served, _, kinds = self._meaning(row)
        return served and bool(kinds) and not kinds & _SUSPECT

    def row(self, row: Rule | ScopeRow, fields: tuple[int, int], *, opens: bool) -> None:
        """Look at the server and the method of a row."""
        if self.is_sound(row):
            return
        served, known, kinds = self._meaning(row)
        tell = self._found.error if opens else self._found.warn
        columns = self._parsed.places[row.source, row.line]
        server_column, method_column = (columns[index] for index in fields)
        if not served:
            message = f"no configured server matches {quote(str(row.server))}{_near(row.server, self._servers)}"
            tell(row.source, row.line, server_column, "unknown-server", message)
        if not kinds:
            near = _near(row.method, METHODS.keys() | known)
            message = f"no known method matches {quote(str(row.method))}{near}"
            tell(row.source, row.line, method_column, "unknown-method", message)
        elif kinds == {Kind.PASS}:
            message = f"{quote(str(row.method))} needs a valid token and nothing else; this row would do nothing"
            self._found.error(row.source, row.line, method_column, "method-passes", message)
        elif kinds == {Kind.LIST} and isinstance(row, ScopeRow):
            message = f"{quote(str(row.method))} shows what could be called whatever the scopes; this row does nothing"
            self._found.warn(row.source, row.line, method_column, "scope-on-list", message)

    def held(self, row: Membership) -> None:
        """Look at the server of a role that is held on one: a typo there loses the denies of the role."""
        if row.server is not None and row.server not in self._servers:
            message = f"no configured server is called {quote(row.server)}{_near(Pattern(row.server), self._servers)}"
            column = self._parsed.places[row.source, row.line][3]
            self._found.error(row.source, row.line, column, "unknown-server", message)

    def _meaning(self, row: Rule | ScopeRow) -> tuple[bool, frozenset[str], frozenset[Kind]]:
        """Say whether some server is meant, what methods of their own those have, and how the row's are judged."""
        key = (row.server, row.method)
        known_before = self._seen.get(key)
        if known_before is None:
            meant = [server for name, server in self._servers.items() if row.server.matches(name)]
            known = frozenset[str]().union(*(server.methods for server in meant))
            known_before = self._seen[key] = bool(meant), known, frozenset(_kinds(row.method, known))
        return known_before

    def expectations(self) -> None:
        """Look at what the policy's tests name: one that asks about nothing would hold for ever."""
        for row in self._parsed.rules.expectations:
            columns = self._parsed.places[row.source, row.line]
            server = self._servers.get(row.server)
            if server is None:
                message = f"no configured server is called {quote(row.server)}"
                near = _near(Pattern(row.server), self._servers)
                self._found.error(row.source, row.line, columns[1], "unknown-server", message + near)
            elif methods.find(row.method, server.methods) is None and row.expect != Reason.METHOD_UNKNOWN:
                message = f"no known method is called {quote(row.method)}"
                near = _near(Pattern(row.method), METHODS.keys() | server.methods)
                self._found.error(row.source, row.line, columns[2], "unknown-method", message + near)


def _kinds(method: Pattern, extra: frozenset[str]) -> Iterator[Kind]:
    """Give how each known method that the pattern matches is judged."""
    for name in METHODS.keys() | extra:
        entry = methods.find(name, extra)
        if entry is not None and method.matches(name):
            yield entry.kind
    if method.text.startswith(_NOTIFICATIONS) or (method.prefix and _NOTIFICATIONS.startswith(method.text)):
        yield Kind.PASS


def _near(pattern: Pattern, known: Mapping[str, object] | frozenset[str] | set[str]) -> str:
    near = closest(pattern.text, known)
    return f", did you mean {quote(near)}" if near else ""
