"""Lets grants end: a compiled policy whose allow rows count only as long as they were meant to."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from authz_sidecar.errors import Problem
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.until import spelled
from authz_sidecar.ports import Clock, CompiledPolicy
from authz_sidecar.rules import Effect, Membership, Rule, Rules, Verdict

SOON: Final = 7 * 86_400.0
"""Seconds before an end from which on it is told."""


class EndingPolicy:
    """Is a `CompiledPolicy` and holds one over all rows, ended or not.

    What has ended allows nothing from that very second on. INVARIANT: an end never takes a deny row away: neither its
    own, nor that of a membership by which the row is reached. A deny that ended by itself would open.
    """

    def __init__(self, compiled: CompiledPolicy, rules: Rules, clock: Clock) -> None:
        self._compiled, self._clock = compiled, clock
        self._ends: Final = tuple(row.until for row in rules.memberships if row.until is not None)
        self._above: Final = _above(rules) if self._ends else MappingProxyType({})

    @property
    def inner(self) -> CompiledPolicy:
        """Give the policy over all rows."""
        return self._compiled

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Find the rules as the compiled policy does, without the allowing ones that have ended."""
        verdict = await self._compiled.judge(subjects, server, method, tool)
        if not verdict.allows:
            return verdict
        now = self._clock()
        allows = tuple(rule for rule in verdict.allows if rule.until is None or now < rule.until)
        if allows and any(until <= now for until in self._ends):
            held = self._held(subjects, server, now)
            allows = tuple(rule for rule in allows if any(rule.subject.matches(name) for name in held))
        return Verdict(allows=allows, denies=verdict.denies)

    def _held(self, subjects: frozenset[str], server: str, now: float) -> set[str]:
        """Follow the memberships that have not ended."""
        held = set(subjects)
        waiting = list(subjects)
        while waiting:
            for row in self._above.get(waiting.pop(), ()):
                live = (row.until is None or now < row.until) and row.server in (None, server)
                if live and row.role not in held:
                    held.add(row.role)
                    waiting.append(row.role)
        return held


def ending(rules: Rules) -> tuple[Rule | Membership, ...]:
    """Give the rows that end."""
    foreign = () if rules.foreign is None else tuple(row.rule for row in rules.foreign.rows)
    ends: list[Rule | Membership] = [row for row in rules.rules if row.until is not None]
    ends += [row for row in foreign if row.until is not None]
    return (*ends, *(row for row in rules.memberships if row.until is not None))


def check_ends(rules: Rules, found: Findings) -> None:
    """Report an end where none can be: on a `g2` row, whose tools may be reached by other ways.

    And on a `g` row beside an engine's own files: by which membership a policy there allows only that engine knows.
    """
    for row in rules.memberships if rules.sources else ():
        if row.until is not None:
            message = "a membership cannot end beside engine.d, whose policies would go on; remove the row in time"
            found.error(row.source, row.line, 0, "bad-until", message)
    for row in rules.tool_groups:
        if row.until is not None:
            found.error(
                row.source, row.line, 0, "bad-until", "a g2 row cannot end, put the `# until` above a p or g row"
            )


def reminders(rows: Iterable[Rule | Membership], now: float) -> tuple[Problem, ...]:
    """Tell what has ended or ends within a week, and which ends mean nothing; in the order of the files."""
    return tuple(sorted(problem for row in rows for problem in _reminder(row, now)))


def _reminder(row: Rule | Membership, now: float) -> Iterator[Problem]:
    if row.until is None:
        return
    if isinstance(row, Rule) and row.effect is Effect.DENY:
        message = "a deny row does not end, it denies until it is removed; remove the `# until` line or the row"
        yield Problem(row.source, row.line, 0, "deny-does-not-end", message)
    elif row.until <= now:
        message = f"this row ended {spelled(row.until)} and grants nothing, remove it or move the date"
        yield Problem(row.source, row.line, 0, "ended", message)
    elif row.until - now <= SOON:
        message = f"this row ends {spelled(row.until)}, move the date if it should not"
        yield Problem(row.source, row.line, 0, "ends-soon", message)


def _above(rules: Rules) -> Mapping[str, tuple[Membership, ...]]:
    above: dict[str, list[Membership]] = {}
    for row in rules.memberships:
        above.setdefault(row.member, []).append(row)
    return MappingProxyType({member: tuple(rows) for member, rows in above.items()})
