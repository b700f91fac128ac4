"""Joins the allow rows of engines that must all allow: no row may outlive what another engine says only sometimes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from authz_sidecar.errors import ConditionError
from authz_sidecar.facts import Facts
from authz_sidecar.rules import Condition, Rule

Option = tuple[Condition | None, float | None]
"""When and until when an engine allows by one of its rows."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """Is a `Condition`: the row's own, and that each of the other engines allows as well."""

    own: Condition | None
    others: tuple[tuple[Option, ...], ...]

    @property
    def text(self) -> str:
        """Give the conditions as they are written, for people."""
        terms = [] if self.own is None else [self.own.text]
        terms += [" || ".join(f"({when.text})" for when, _ in options if when is not None) for options in self.others]
        return " && ".join(terms)

    @property
    def needs_arguments(self) -> bool:
        """Say whether one of the conditions may depend on the arguments."""
        return any(when.needs_arguments for when in self._conditions())

    def holds(self, facts: Facts) -> bool:
        """Say whether all agree, or raise `ConditionError`."""
        if self.own is not None and not self.own.holds(facts):
            return False
        return all(_some(options, facts) for options in self.others)

    def _conditions(self) -> Iterator[Condition]:
        if self.own is not None:
            yield self.own
        yield from (when for options in self.others for when, _ in options if when is not None)


def agree(allows: Sequence[Sequence[Rule]]) -> Iterator[Rule]:
    """Give every allow row of every engine, each bound to what the other engines say; `allows` is by engine.

    INVARIANT: a row that is given counts at some moment, by some facts, only if each engine has one that counts then.
    """
    bound = [tuple((rule.when, rule.until) for rule in rules) for rules in allows]
    # Who has a row that always counts binds nobody.
    bound = [() if (None, None) in options else options for options in bound]
    for at, rules in enumerate(allows):
        others = tuple(options for other, options in enumerate(bound) if options and other != at)
        yield from (_bind(rule, others) for rule in rules) if others else rules


def _bind(rule: Rule, others: tuple[tuple[Option, ...], ...]) -> Rule:
    # Who has this very row allows whenever it counts.
    others = tuple(options for options in others if (rule.when, rule.until) not in options)
    ends = [rule.until, *(_last(options) for options in others)]
    until = min((end for end in ends if end is not None), default=None)
    sometimes = tuple(options for options in others if any(when is not None for when, _ in options))
    return replace(rule, until=until, when=Agreed(rule.when, sometimes) if sometimes else rule.when)


def _last(options: tuple[Option, ...]) -> float | None:
    last = max(math.inf if until is None else until for _, until in options)
    return None if last == math.inf else last


def _some(options: tuple[Option, ...], facts: Facts) -> bool:
    """Say whether one of them counts; an error counts only where none does."""
    wrong: ConditionError | None = None
    for when, until in options:
        if until is not None and facts.now is None:
            wrong = ConditionError("nobody knows the time")
        elif until is not None and facts.now is not None and facts.now >= until:
            continue
        elif when is None:
            return True
        else:
            try:
                if when.holds(facts):
                    return True
            except ConditionError as error:
                wrong = error
    if wrong is not None:
        raise wrong
    return False
