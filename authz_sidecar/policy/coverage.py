"""Measures the policy's own tests: which rows they exercise, and which could go without one of them failing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from authz_sidecar.methods import Kind, find, followed
from authz_sidecar.model import Principal, Server
from authz_sidecar.policy.callers import caller
from authz_sidecar.policy.expect import Trial, ask, holds, trials
from authz_sidecar.policy.holding import Holding
from authz_sidecar.ports import CompiledPolicy, Policy
from authz_sidecar.rules import Membership, Pattern, Rule, ScopeHierarchy, ScopeRow, Verdict

Row = Rule | Membership | ScopeRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What the expectations exercise."""

    trials: tuple[Trial, ...]
    rules: int
    """p rows."""
    unexercised: tuple[Rule, ...]
    """p rows that decide no expectation."""
    rows: int
    """p, g and scope rows."""
    deletable: tuple[Row, ...]
    """Rows without which every expectation would hold as it does now, those of `unexercised` among them."""

    @property
    def percent(self) -> float:
        """The share of the p rows that decide at least one expectation."""
        return 100.0 if not self.rules else 100.0 * (self.rules - len(self.unexercised)) / self.rules

    @property
    def guarded_percent(self) -> float:
        """The share of all rows whose loss would fail an expectation."""
        return 100.0 if not self.rows else 100.0 * (self.rows - len(self.deletable)) / self.rows


async def measure(policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy) -> Coverage:
    """Run the expectations, then each row's own ones without the row; raises `EngineError`.

    Only the expectations that a row can touch are run again: the cost grows with the rows that decide expectations,
    not with rows times expectations.
    """
    ran = [trial async for trial in trials(policy, servers, hierarchy)]
    touched = _touched(policy, ran, servers)
    ask = _Ask(policy, servers, hierarchy, Holding(policy.rules.memberships))
    exercised = {place for trial in ran for place in _places(trial)}
    rules = policy.rules
    rows: tuple[Row, ...] = (*rules.rules, *rules.memberships, *rules.scopes)
    deletable = [row for row in rows if not await ask.fails_without(row, touched.get(_place(row), []))]
    return Coverage(
        trials=tuple(ran),
        rules=len(rules.rules),
        unexercised=tuple(rule for rule in rules.rules if _place(rule) not in exercised),
        rows=len(rows),
        deletable=tuple(deletable),
    )


class _Ask:
    """Asks expectations of the policy without one row."""

    def __init__(
        self, policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy, holding: Holding
    ) -> None:
        self._policy, self._servers, self._hierarchy, self._holding = policy, servers, hierarchy, holding

    async def fails_without(self, row: Row, ran: list[Trial]) -> bool:
        """Say whether an expectation that holds would fail without the row."""
        lacking = self._without(row) if ran else self._policy
        for trial in ran:
            test = trial.row
            decision = await ask(lacking, test, self._servers, self._hierarchy)
            if not holds(test.expect, decision):
                return True
        return False

    def _without(self, row: Row) -> Policy:
        rules = self._policy.rules
        match row:
            case Rule():
                compiled: CompiledPolicy = _Without(self._policy.compiled, lambda _, rule: _place(rule) != _place(row))
                return replace(self._policy, compiled=compiled)
            case Membership():
                compiled = _Without(self._policy.compiled, _still_held(self._holding, row))
                return replace(self._policy, compiled=compiled)
            case ScopeRow():
                left = tuple(one for one in rules.scopes if one is not row)
                return replace(self._policy, rules=replace(rules, scopes=left))


_Keeps = Callable[[frozenset[str], Rule], bool]


class _Without:
    """A policy that lost a row: the answers are those of the whole one, without what the row gave."""

    def __init__(self, whole: CompiledPolicy, keeps: _Keeps) -> None:
        self._whole: Final = whole
        self._keeps: Final = keeps

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        verdict = await self._whole.judge(subjects, server, method, tool)
        return Verdict(
            allows=tuple(rule for rule in verdict.allows if self._keeps(subjects, rule)),
            denies=tuple(rule for rule in verdict.denies if self._keeps(subjects, rule)),
        )


def _still_held(holding: Holding, lost: Membership) -> _Keeps:
    known: dict[frozenset[str], frozenset[str]] = {}

    def keeps(subjects: frozenset[str], rule: Rule) -> bool:
        if subjects not in known:
            known[subjects] = frozenset(holding.paths(subjects, without=lost))
        return any(map(rule.subject.matches, known[subjects]))

    return keeps


def _touched(policy: Policy, ran: list[Trial], servers: Mapping[str, Server]) -> dict[object, list[Trial]]:
    """Give, for each row, the expectations that hold and that it has a hand in."""
    touched: dict[object, list[Trial]] = {}
    holding = Holding(policy.rules.memberships)
    subjects = {_place(rule): rule.subject for rule in policy.rules.rules}
    for trial in ran:
        if not trial or trial.decision is None:
            continue
        places = _places(trial)
        for place in places:
            touched.setdefault(place, []).append(trial)
        deciding = [subjects[place] for place in places if place in subjects]
        for way in _ways(holding, trial, deciding):
            touched.setdefault(_place(way), []).append(trial)
        for row in policy.rules.scopes if trial.decision.required_scopes else ():
            if _guards(row, trial, servers):
                touched.setdefault(_place(row), []).append(trial)
    return touched


def _ways(holding: Holding, trial: Trial, deciding: list[Pattern]) -> set[Membership]:
    """Give the g rows by which the caller holds what decided; a shortest way is enough.

    A row that is on no shortest way can go: the shortest way stays.
    """
    ways = holding.paths(_who(trial).subjects)
    return {row for name, way in ways.items() for row in way if any(one.matches(name) for one in deciding)}


def _guards(row: ScopeRow, trial: Trial, servers: Mapping[str, Server]) -> bool:
    test = trial.row
    entry = find(test.method, servers[test.server].methods)
    if entry is None or entry.kind is Kind.LIST or not row.server.matches(test.server):
        return False
    calls = [(test.method, test.tool), followed(test.method, entry, test.tool)]
    return any(row.method.matches(call[0]) and row.tool.matches(call[1]) for call in calls if call is not None)


def _who(trial: Trial) -> Principal:
    return caller(trial.row.subjects, trial.row.scopes, issuer="expectation")


def _places(trial: Trial) -> set[tuple[str, int]]:
    return {(rule.source, rule.line) for rule in trial.decision.rules} if trial.decision is not None else set()


def _place(row: Row) -> tuple[str, int]:
    return row.source, row.line
