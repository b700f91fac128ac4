"""The compiled index: finds every row that speaks to a call without looking at the others.

The rows are a tree: subject, then server, then method, then tool. At each step a literal is one hash look-up, and
beginnings are one look-up for each length in use there. A question costs what the caller's names and the matching rows
cost, however many rows there are.
"""

from collections.abc import Callable, Collection, Iterable
from typing import Final, Generic, TypeVar

from authz_sidecar.engines.membership import close
from authz_sidecar.rules import Effect, Pattern, Rule, Rules, Verdict

Rows = tuple[int, ...]
"""Places of rows in the file's order."""

T = TypeVar("T")

_SILENCE: Final = Verdict()


class Step(Generic[T]):
    """What comes next, by patterns of one field."""

    __slots__ = ("beginnings", "literals")

    def __init__(self, entries: dict[Pattern, T]) -> None:
        """Sort the patterns into literals and, by their length, beginnings."""
        self.literals: Final = {pattern.text: entry for pattern, entry in entries.items() if not pattern.prefix}
        by_length: dict[int, dict[str, T]] = {}
        for pattern, entry in entries.items():
            if pattern.prefix:
                by_length.setdefault(len(pattern.text), {})[pattern.text] = entry
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


class IndexPolicy:
    """A policy as a tree. Immutable but for what the closure remembers."""

    def __init__(self, rules: Rules) -> None:
        """Build the tree; takes a few µs a row."""
        self._rules: Final = rules.rules
        self._closure: Final = close(rules.memberships)
        self._tree: Final = (_by_subject(rules.rules),)

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Give every row that speaks to this call by these subjects, in the order of the file."""
        servers = find(self._tree, self._closure.held(subjects))
        places = find(find(find(servers, (server,)), (method,)), (tool,))
        return self._verdict(places) if places else _SILENCE

    def _verdict(self, places: list[Rows]) -> Verdict:
        # A set: two names of the caller can lead to the same row, as with `role:*`.
        rows = [self._rules[place] for place in sorted({place for group in places for place in group})]
        denies = [rule for rule in rows if rule.effect is Effect.DENY]
        allows = [rule for rule in rows if rule.effect is Effect.ALLOW] if denies else rows
        return Verdict(allows=tuple(allows), denies=tuple(denies))


class IndexEngine:
    """Builds the tree."""

    name: Final = "index"

    def compile(self, rules: Rules) -> IndexPolicy:
        """Compile; takes a few µs a row and about 1 KiB for a subject with rows of its own."""
        return IndexPolicy(rules)


def _by_subject(rules: tuple[Rule, ...]) -> Step[Step[Step[Step[Rows]]]]:
    return _grouped(rules, range(len(rules)), lambda rule: rule.subject, lambda places: _by_server(rules, places))


def _by_server(rules: tuple[Rule, ...], places: Iterable[int]) -> Step[Step[Step[Rows]]]:
    return _grouped(rules, places, lambda rule: rule.server, lambda inner: _by_method(rules, inner))


def _by_method(rules: tuple[Rule, ...], places: Iterable[int]) -> Step[Step[Rows]]:
    return _grouped(rules, places, lambda rule: rule.method, lambda inner: _by_tool(rules, inner))


def _by_tool(rules: tuple[Rule, ...], places: Iterable[int]) -> Step[Rows]:
    return _grouped(rules, places, lambda rule: rule.tool, tuple)


def _grouped(
    rules: tuple[Rule, ...],
    places: Iterable[int],
    field: Callable[[Rule], Pattern],
    deeper: Callable[[list[int]], T],
) -> Step[T]:
    groups: dict[Pattern, list[int]] = {}
    for place in places:
        groups.setdefault(field(rules[place]), []).append(place)
    return Step({pattern: deeper(group) for pattern, group in groups.items()})
