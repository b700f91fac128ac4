"""Lists the names that a policy can tell apart: every name in it, and one for each pattern."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from authz_sidecar.policy import opaque
from authz_sidecar.policy.holding import Holding
from authz_sidecar.policy.universe import unlike
from authz_sidecar.rules import PREFIXES, Rule, Rules


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A subject to ask about. When it stands for `more`, it is one of the many that only the pattern `label` means."""

    name: str
    label: str
    more: bool = False

    @property
    def kind(self) -> str:
        """Give `user:`, `role:` …"""
        return self.name[: self.name.find(":") + 1]


class People:
    """The names of a policy, and the rows that are about them."""

    def __init__(self, rules: Rules) -> None:
        """Sort the rows by whom they are about."""
        self.holding: Final = Holding(rules.memberships)
        self._rules: Final = rules
        self._literal: dict[str, list[Rule]] = {}
        self._beginning: list[Rule] = []
        for rule in rules.rules:
            if rule.subject.prefix:
                self._beginning.append(rule)
            else:
                self._literal.setdefault(rule.subject.text, []).append(rule)

    def about(self, names: Iterable[str]) -> Iterator[Rule]:
        """Give the rows that are about one of these names or a role that it holds."""
        held = frozenset[str]().union(*map(self.holding.held, names))
        for name in held:
            yield from self._literal.get(name, ())
        for rule in self._beginning:
            if any(map(rule.subject.matches, held)):
                yield rule


def names(policies: Sequence[Rules]) -> tuple[Name, ...]:
    """Give every name that these policies tell apart: users first, then roles and the others, each in order."""
    rules = [rule for policy in policies for rule in policy.rules]
    members = [row for policy in policies for row in policy.memberships]
    literals = {rule.subject.text for rule in rules if not rule.subject.prefix}
    literals |= {row.member for row in members} | {row.role for row in members}
    literals |= {name for policy in policies for name in opaque.subjects(policy)}
    found = {name: Name(name=name, label=name) for name in literals}
    patterns = {rule.subject for rule in rules if rule.subject.prefix}
    known = sorted(literals | {pattern.text for pattern in patterns})
    for pattern in sorted(patterns, key=str):
        # `*` means everybody; a user is as good as any, and no kind of name begins so.
        text = pattern.text or PREFIXES[0]
        other = unlike(text, known)
        found.setdefault(other, Name(name=other, label=str(pattern), more=True))
    return tuple(sorted(found.values(), key=lambda one: (_rank(one.kind), one.more, one.label)))


def _rank(kind: str) -> int:
    return PREFIXES.index(kind) if kind in PREFIXES else len(PREFIXES)
