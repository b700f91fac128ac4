"""Follows memberships, and remembers by which rows a name is held."""

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from authz_sidecar.rules import Membership

Path = tuple[Membership, ...]
"""The g rows from a name to a role that it holds; empty for the name itself."""


class Holding:
    """Who holds what, by which rows. Where roles are held by domain, `on` says on which server that is meant."""

    def __init__(self, memberships: Iterable[Membership]) -> None:
        """Take the g or g2 rows, in any order; repetitions and cycles do no harm."""
        above: dict[str, list[Membership]] = {}
        below: dict[str, list[str]] = {}
        self._rows: Final = tuple(memberships)
        for row in self._rows:
            above.setdefault(row.member, []).append(row)
            below.setdefault(row.role, []).append(row.member)
        self._above: Final[Mapping[str, list[Membership]]] = MappingProxyType(above)
        self._below: Final[Mapping[str, list[str]]] = MappingProxyType(below)
        self._known: dict[str, frozenset[str]] = {}
        self.servers: Final = frozenset(row.server for row in self._rows if row.server is not None)
        """Those that have roles of their own."""
        self._on: dict[str, Holding] = {}

    def on(self, server: str) -> "Holding":
        """Give what is held on one server; without it, what is held anywhere is followed as if it were one place."""
        if not self.servers:
            return self
        place = server if server in self.servers else ""
        if place not in self._on:
            self._on[place] = Holding(row for row in self._rows if row.server in (None, place))
        return self._on[place]

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
