"""Finds rows that cover others: whatever one row speaks to, the other speaks to as well.

The rows are a tree by field, as in the index engine; the question is another one, about patterns and not about calls.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from authz_sidecar.rules import Pattern, Rule

_FIELDS: Final[tuple[Callable[[Rule], Pattern], ...]] = (
    lambda rule: rule.subject,
    lambda rule: rule.server,
    lambda rule: rule.method,
    lambda rule: rule.tool,
)


_LOOKED_AT: Final = 4
"""So many rows that say the same are looked at; one of them lasts longest and has no condition, rarely a later one."""


class _Level:
    """One field of the tree: what comes next, by literal and by beginning; at the end, the rows."""

    __slots__ = ("beginnings", "literals", "rows")

    def __init__(self) -> None:
        self.literals: dict[str, _Level] = {}
        self.beginnings: dict[int, dict[str, _Level]] = {}
        self.rows: list[Rule] = []

    def at(self, pattern: Pattern) -> "_Level":
        """Give what comes behind this very pattern, made if need be."""
        table = self.beginnings.setdefault(len(pattern.text), {}) if pattern.prefix else self.literals
        return table.setdefault(pattern.text, _Level())

    def over(self, pattern: Pattern) -> Iterator["_Level"]:
        """Give what comes behind each pattern that matches all that this one matches."""
        if not pattern.prefix and (literal := self.literals.get(pattern.text)) is not None:
            yield literal
        for length, table in self.beginnings.items():
            if length <= len(pattern.text) and (beginning := table.get(pattern.text[:length])) is not None:
                yield beginning


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a row is about: its subject and all roles that it holds, its tool and all groups that it is in.

    Whoever or whatever is meant by the row has them too.
    """

    subjects: Sequence[str]
    tools: Sequence[str]


class Cover:
    """Rows of one effect, ready to be asked which of them covers another."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._root: Final = _Level()
        for rule in rules:
            level = self._root
            for field in _FIELDS:
                level = level.at(field(rule))
            level.rows.append(rule)

    def over(self, rule: Rule, names: Names, fits: Callable[[Rule], bool]) -> Rule | None:
        """Give the first row of the file that covers this one and `fits`, or None; never a row that says the same."""
        levels = [self._root]
        wanted = (_meant(rule.subject, names.subjects), [rule.server], [rule.method], _meant(rule.tool, names.tools))
        for patterns in wanted:
            levels = [deeper for level in levels for pattern in patterns for deeper in level.over(pattern)]
        near = (row for level in levels for row in level.rows[:_LOOKED_AT])
        found = [row for row in near if fits(row) and not same(row, rule)]
        return min(found, key=lambda one: one.line, default=None)


def _meant(field: Pattern, names: Sequence[str]) -> Sequence[Pattern]:
    return [field] if field.prefix else [Pattern(name) for name in names]


def same(one: Rule, other: Rule) -> bool:
    """Say whether two rows say the same."""
    if one.effect is not other.effect or one.until != other.until or one.when != other.when:
        return False
    return all(field(one) == field(other) for field in _FIELDS)


def covers(one: Pattern, other: Pattern) -> bool:
    """Say whether one pattern matches all that the other matches."""
    return one == other or (one.prefix and other.text.startswith(one.text))


def overlap(one: Pattern, other: Pattern) -> bool:
    """Say whether some value matches both patterns."""
    return covers(one, other) or covers(other, one)
