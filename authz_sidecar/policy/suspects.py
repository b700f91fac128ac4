"""Sorts out the few rows that another row may cover, so that only those need to be looked at closely."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from authz_sidecar.breath import breathe
from authz_sidecar.policy.holding import Holding
from authz_sidecar.rules import Pattern, Rule

_Part = str | Pattern
"""A literal as its text, which is quick to look up, or a beginning."""

_Key = tuple[_Part, _Part, _Part]
"""Subject, server and method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspects:
    """What is left to be looked at."""

    places: frozenset[int]
    """Where the rows stand that others may cover. INVARIANT: nothing covers a row that is not among them."""
    rows: tuple[Rule, ...]
    """These rows and every row that covers one of them, in the order of the file."""


def suspects(rules: Sequence[Rule], holding: Holding, grouping: Holding) -> Suspects:
    """Group the rows by subject, server and method; a group of one, with no broader group, costs two look-ups."""
    groups: dict[_Key, list[int]] = {}
    for place, rule in enumerate(rules):
        breathe()
        who, server, method = rule.subject, rule.server, rule.method
        key = (
            who if who.prefix else who.text,
            server if server.prefix else server.text,
            method if method.prefix else method.text,
        )
        known = groups.get(key)
        if known is None:
            groups[key] = [place]
        else:
            known.append(place)
    broader = _Broader(groups, holding)
    tables: dict[_Key, _Tools] = {}
    doubtful: set[int] = set()
    wanted: set[_Key] = set()
    for key, places in groups.items():
        breathe()
        others = broader.than(key)
        if len(places) == 1 and not others:
            continue
        for one in (key, *others):
            if one not in tables:
                tables[one] = _Tools(rules[place].tool for place in groups[one])
        for place in places:
            tool = rules[place].tool
            names = [tool.text] if tool.prefix else grouping.held(tool.text)
            # In its own group a row meets itself.
            if tables[key].count(tool, names) > 1 or any(tables[one].count(tool, names) for one in others):
                doubtful.add(place)
                wanted.update((key, *others))
    found = sorted(place for key in wanted for place in groups[key])
    return Suspects(places=frozenset(doubtful), rows=tuple(rules[place] for place in found))


class _Broader:
    """Knows which groups are about all that another one is about."""

    def __init__(self, groups: dict[_Key, list[int]], holding: Holding) -> None:
        self._groups, self._holding = groups, holding
        self._pairs: Final = {(server, method) for _, server, method in groups}
        self._subjects: Final = _Parts({subject for subject, _, _ in groups})
        self._servers: Final = _Parts({server for server, _ in self._pairs})
        self._methods: Final = _Parts({method for _, method in self._pairs})
        self._by_subject: dict[tuple[_Part, str], list[_Part]] = {}
        self._by_pair: dict[tuple[_Part, _Part], list[tuple[_Part, _Part]]] = {}

    def than(self, key: _Key) -> list[_Key]:
        """Give the broader groups, and not the group itself."""
        subject, server, method = key
        # A row for many servers is covered only by roles that are held on all of them.
        place = server if self._holding.servers and isinstance(server, str) else ""
        subjects = self._by_subject.get((subject, place))
        if subjects is None:
            names = self._holding.on(place).held(subject) if isinstance(subject, str) else (subject,)
            subjects = self._by_subject[subject, place] = self._subjects.over(names)
        pairs = self._by_pair.get((server, method))
        if pairs is None:
            both = [(one, two) for one in self._servers.over([server]) for two in self._methods.over([method])]
            pairs = self._by_pair[server, method] = [pair for pair in both if pair in self._pairs]
        if len(subjects) == len(pairs) == 1:
            return []  # it can only be the group itself
        found = [(one, *pair) for one in subjects for pair in pairs]
        return [one for one in found if one in self._groups and one != key]


class _Parts:
    """The patterns of one field."""

    def __init__(self, parts: Iterable[_Part]) -> None:
        self._literals: set[str] = set()
        self._beginnings: dict[int, dict[str, Pattern]] = {}
        for part in parts:
            if isinstance(part, str):
                self._literals.add(part)
            else:
                self._beginnings.setdefault(len(part.text), {})[part.text] = part

    def over(self, wanted: Iterable[_Part]) -> list[_Part]:
        """Give each pattern that matches all that one of these matches."""
        found: dict[_Part, None] = {}
        for part in wanted:
            text = part if isinstance(part, str) else part.text
            if isinstance(part, str) and part in self._literals:
                found[part] = None
            for length, beginnings in self._beginnings.items():
                # A text that is too short is shorter than every key here, and finds nothing.
                if (beginning := beginnings.get(text[:length])) is not None:
                    found[beginning] = None
        return list(found)


class _Tools:
    """The tools of a group, and how many rows are about each."""

    def __init__(self, tools: Iterable[Pattern]) -> None:
        self._literals: dict[str, int] = {}
        self._beginnings: dict[int, dict[str, int]] = {}
        for tool in tools:
            some = self._beginnings.setdefault(len(tool.text), {}) if tool.prefix else self._literals
            some[tool.text] = some.get(tool.text, 0) + 1

    def count(self, tool: Pattern, names: Iterable[str]) -> int:
        """Count the rows that cover a tool with these names, none of them too seldom."""
        found = 0
        for name in names:
            found += 0 if tool.prefix else self._literals.get(name, 0)
            for length, beginnings in self._beginnings.items():
                found += beginnings.get(name[:length], 0)
        return found
