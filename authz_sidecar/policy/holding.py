"""Follows memberships, and remembers by which rows a name is held."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from authz_sidecar.rules import Membership

Path = tuple[Membership, ...]
"""The g rows from a name to a role that it holds; empty for the name itself."""


class Holding:
    """Who holds what, by which rows."""

    def __init__(self, memberships: Iterable[Membership]) -> None:
        """Take the g rows, in any order; repetitions and cycles do no harm."""
        above: dict[str, list[Membership]] = {}
        below: dict[str, list[str]] = {}
        for row in memberships:
            above.setdefault(row.member, []).append(row)
            below.setdefault(row.role, []).append(row.member)
        self._above: Mapping[str, list[Membership]] = MappingProxyType(above)
        self._below: Mapping[str, list[str]] = MappingProxyType(below)
        self._known: dict[str, frozenset[str]] = {}

    def held(self, name: str) -> frozenset[str]:
        """Give the name and every role that it holds, to any depth; remembered."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = frozenset(self.paths((name,)))
        return found

    def paths(self, names: Collection[str], *, without: Membership | None = None) -> dict[str, Path]:
        """Give the names and every role that they hold, each with a shortest way to it, and not by way of one row."""
        found: dict[str, Path] = dict.fromkeys(names, ())
        waiting = list(found)
        for name in waiting:  # grows while it is read: breadth first, so the first way is a shortest
            for row in self._above.get(name, ()):
                if row.role not in found and row is not without:
                    found[row.role] = (*found[name], row)
                    waiting.append(row.role)
        return found

    def holders(self, names: Iterable[str]) -> set[str]:
        """Give the names and everybody who holds one of them, to any depth."""
        found = set(names)
        waiting = list(found)
        while waiting:
            fresh = [member for member in self._below.get(waiting.pop(), ()) if member not in found]
            found.update(fresh)
            waiting += fresh
        return found
