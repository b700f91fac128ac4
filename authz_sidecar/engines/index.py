"""The compiled index: finds every row that speaks to a call without looking at the others.

Rows are sorted by subject, server and method into tables of tools. A step finds a literal by one hash look-up and
beginnings by one look-up for each length in use there. Which tables a caller has on a server for a method is
remembered, so a question costs what the matching rows cost, however many rows there are.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from typing import Any, Final, Generic, TypeVar

from authz_sidecar.breath import breathe
from authz_sidecar.engines.membership import Names
from authz_sidecar.rules import Effect, Pattern, Rule, Rules, Verdict

Rows = tuple[int, ...]
"""Places of rows in the file's order."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

_SILENCE: Final = Verdict()
_BREATH: Final = 32  # rows; together they take less than a breath
_FEW: Final = 100  # places of which a table is made in less time than a question may take
_REMEMBERED: Final = 200_000  # places in each of the two memories; then it begins anew


class Step(Generic[T]):
    """What comes next, by patterns of one field."""

    __slots__ = ("beginnings", "literals")

    def __init__(self, entries: dict[Pattern, T]) -> None:
        """Sort the patterns into literals and, by their length, beginnings."""
        literals: dict[str, T] = {}
        by_length: dict[int, dict[str, T]] = {}
        for pattern, entry in entries.items():
            some = by_length.setdefault(len(pattern.text), {}) if pattern.prefix else literals
            some[pattern.text] = entry
        self.literals: Final = literals
        self.beginnings: Final = tuple(sorted(by_length.items()))


def find(steps: Iterable[Step[T]], values: Collection[str]) -> list[T]:
    """Give what comes next, for every pattern of these steps that matches one of the values."""
    found: list[T] = []
    for step in steps:
        literals, all_beginnings = step.literals, step.beginnings
        for value in values:
            entry = literals.get(value)
            if entry is not None:
                found.append(entry)
            for length, beginnings in all_beginnings:
                # A slice of a value that is too short is shorter than every key here, and finds nothing.
                entry = beginnings.get(value[:length])
                if entry is not None:
                    found.append(entry)
    return found


Tools = Step[Rows]
"""The rows of one subject, server and method, by tool."""


class Memory(Generic[K, T]):
    """Remembers what was found, up to a bound; a plain dict for whoever reads."""

    def __init__(self, room: int = _REMEMBERED) -> None:
        """Take how much may be kept, counted in names and places."""
        self.known: Final[dict[K, T]] = {}
        self._most = self._room = room

    def keep(self, key: K, value: T, size: int) -> T:
        """Keep it and give it back; with no room left, everything else is forgotten first."""
        self._room -= size
        if self._room < 0:
            self.known.clear()
            self._room = self._most - size
        self.known[key] = value
        return value


class IndexPolicy:
    """A policy as tables. Immutable but for what it remembers, which only saves time."""

    def __init__(self, rules: Rules) -> None:
        """Build the tables; takes a few µs a row."""
        self._rules: Final = rules.rules
        self._names: Final = Names(rules)
        self._groups: Final = bool(rules.tool_groups)
        self._literal: Final[dict[tuple[str, str, str], Tools | list[int] | int]] = {}
        """For subjects, servers and methods that are all literals, as most are: found by one look-up.

        One place, or a list of a few, stays that until somebody asks; most are never asked about, and tables take time
        and room.
        """
        self._patterns: Final = self._build()
        self._tables: Final = Memory[tuple[frozenset[str], str, str], tuple[Tools, ...]]()
        self._verdicts: Final = Memory[Rows, Verdict]()

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Give every row that speaks to this call by these subjects, in the order of the file."""
        tables = self._tables.known.get((subjects, server, method))
        if tables is None:
            tables = self._find_tables(subjects, server, method)
        if not tables:
            return _SILENCE
        found: list[Rows] = []
        if self._groups:
            found = find(tables, self._names.of_tool(tool) or (tool,))
        else:  # `find` for one value, written out: this is where the time goes
            for table in tables:
                rows = table.literals.get(tool)
                if rows is not None:
                    found.append(rows)
                for length, beginnings in table.beginnings:
                    rows = beginnings.get(tool[:length])
                    if rows is not None:
                        found.append(rows)
        if not found:
            return _SILENCE
        # A set: two names of the caller can lead to the same row, as with `role:*`.
        places = found[0] if len(found) == 1 else tuple(sorted({place for rows in found for place in rows}))
        verdict = self._verdicts.known.get(places)
        return self._verdict(places) if verdict is None else verdict  # a verdict that denies is false

    def forget(self) -> None:
        """Begin with nothing remembered, as on the first question."""
        self._tables.known.clear()
        self._verdicts.known.clear()

    def pieces(self) -> Iterator[Iterable[object]]:
        """Give what this policy is made of, for whoever wants to let it go piece by piece."""
        yield self._rules
        yield self._literal
        yield self._literal.values()
        for memory in (self._tables.known, self._verdicts.known):
            yield memory
            yield memory.values()

    def _find_tables(self, subjects: frozenset[str], server: str, method: str) -> tuple[Tools, ...]:
        names = self._names.of_caller(subjects, server)
        found: list[Tools] = []
        for name in names:
            table = self._literal.get((name, server, method))
            if isinstance(table, list | int):
                places = table if isinstance(table, list) else [table]
                table = self._literal[name, server, method] = _tools(self._rules, places)
            if table is not None:
                found.append(table)
        if self._patterns is not None:
            found += find(find(find((self._patterns,), names), (server,)), (method,))
        return self._tables.keep((subjects, server, method), tuple(found), len(names) + len(found))

    def _verdict(self, places: Rows) -> Verdict:
        rows = [self._rules[place] for place in places]
        denies = [rule for rule in rows if rule.effect is Effect.DENY]
        allows = [rule for rule in rows if rule.effect is Effect.ALLOW] if denies else rows
        return self._verdicts.keep(places, Verdict(allows=tuple(allows), denies=tuple(denies)), 2 * len(rows))

    def _build(self) -> "Step[Step[Step[Tools]]] | None":
        """Fill the literal tables and give the tree of the others, where there are any."""
        rules = self._rules
        literal: dict[tuple[str, str, str], Any] = self._literal
        others: list[int] = []
        large: list[tuple[str, str, str]] = []
        for place, rule in enumerate(rules):
            if not place % _BREATH:
                breathe()
            subject, server, method = rule.subject, rule.server, rule.method
            if subject.prefix or server.prefix or method.prefix:
                others.append(place)
                continue
            key = subject.text, server.text, method.text
            known = literal.setdefault(key, place)
            if known is place:
                continue  # the first one there, as most are
            if isinstance(known, int):
                literal[key] = [known, place]
            else:
                known.append(place)
                if len(known) == _FEW + 1:
                    large.append(key)
        for key in large:
            literal[key] = _tools(rules, literal[key])
        return _by_subject(rules, others) if others else None


class IndexEngine:
    """Builds the tables."""

    name: Final = "index"

    def compile(self, rules: Rules) -> IndexPolicy:
        """Compile; takes a few µs and some hundred bytes a row."""
        return IndexPolicy(rules)


def _tools(rules: tuple[Rule, ...], places: list[int]) -> Tools:
    if len(places) == 1:  # as most are
        return Step({rules[places[0]].tool: (places[0],)})
    return _grouped(rules, places, lambda rule: rule.tool, tuple)


def _by_subject(rules: tuple[Rule, ...], places: Iterable[int]) -> Step[Step[Step[Tools]]]:
    return _grouped(rules, places, lambda rule: rule.subject, lambda inner: _by_server(rules, inner))


def _by_server(rules: tuple[Rule, ...], places: Iterable[int]) -> Step[Step[Tools]]:
    return _grouped(rules, places, lambda rule: rule.server, lambda inner: _by_method(rules, inner))


def _by_method(rules: tuple[Rule, ...], places: Iterable[int]) -> Step[Tools]:
    return _grouped(rules, places, lambda rule: rule.method, lambda inner: _tools(rules, inner))


def _grouped(
    rules: tuple[Rule, ...],
    places: Iterable[int],
    field: Callable[[Rule], Pattern],
    deeper: Callable[[list[int]], T],
) -> Step[T]:
    groups: dict[Pattern, list[int]] = {}
    for place in places:
        breathe()
        groups.setdefault(field(rules[place]), []).append(place)
    return Step({pattern: deeper(group) for pattern, group in groups.items()})
