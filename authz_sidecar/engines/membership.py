"""Closes memberships: which roles a set of subjects holds, and which groups a tool is in, to any depth."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from authz_sidecar.rules import Membership, Rules

_REMEMBERED: Final = 1_000_000  # names in all remembered sets; beyond that a role is followed anew each time


class Closure:
    """Knows who holds what.

    What a role leads to is remembered, what a caller holds is not: there are few roles, and callers without end.
    """

    def __init__(self, above: Mapping[str, tuple[str, ...]]) -> None:
        """Take the roles that each name holds directly."""
        self._above: Final = above
        self._remembered: dict[str, frozenset[str]] = {}
        self._room = _REMEMBERED

    def held(self, subjects: frozenset[str]) -> frozenset[str]:
        """Give the subjects and every role that they hold; a cycle ends where it began."""
        roles = {role for subject in subjects for role in self._above.get(subject, ())}
        if roles <= subjects:
            return subjects
        return subjects.union(*map(self._from, roles))

    def _from(self, role: str) -> frozenset[str]:
        known = self._remembered.get(role)
        if known is not None:
            return known
        found = frozenset(self._follow(role))
        if len(found) <= self._room:
            self._room -= len(found)
            self._remembered[role] = found
        return found

    def _follow(self, role: str) -> set[str]:
        # Not recursive: Casbin stops at depth 10 without a word, Python at 1,000 with an exception.
        found = {role}
        waiting = [role]
        while waiting:
            fresh = [above for above in self._above.get(waiting.pop(), ()) if above not in found]
            found.update(fresh)
            waiting += fresh
        return found


def close(memberships: Iterable[Membership]) -> Closure:
    """Take the `g` rows, in any order, with or without cycles and repetitions."""
    above: dict[str, list[str]] = {}
    for row in memberships:
        above.setdefault(row.member, []).append(row.role)
    return Closure(MappingProxyType({member: tuple(dict.fromkeys(roles)) for member, roles in above.items()}))


class Names:
    """Knows under which names the rows may speak of a caller and of a tool."""

    def __init__(self, rules: Rules) -> None:
        """Close the `g` rows, for each server that has rows of its own, and the `g2` rows."""
        everywhere = [row for row in rules.memberships if row.server is None]
        own: dict[str, list[Membership]] = {}
        for row in rules.memberships:
            if row.server is not None:
                own.setdefault(row.server, []).append(row)
        self._everywhere: Final = close(everywhere)
        self._by_server: Final = {server: close([*everywhere, *rows]) for server, rows in own.items()}
        self._tools: Final = close(rules.tool_groups) if rules.tool_groups else None

    def of_caller(self, subjects: frozenset[str], server: str) -> frozenset[str]:
        """Give the subjects and every role that they hold on this server."""
        return self._by_server.get(server, self._everywhere).held(subjects)

    def of_tool(self, tool: str) -> frozenset[str] | None:
        """Give the tool and every group that it is in, or None when the policy knows no groups of tools."""
        return None if self._tools is None else self._tools.held(frozenset({tool}))
