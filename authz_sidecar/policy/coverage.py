"""Measures the policy's own tests: which rows they exercise, and which could go without one of them failing."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from authz_sidecar.methods import Kind, find, followed
from authz_sidecar.model import Principal, Server
from authz_sidecar.policy.callers import caller
from authz_sidecar.policy.expect import Trial, ask, holds, trials
from authz_sidecar.policy.holding import Holding, Path
from authz_sidecar.ports import CompiledPolicy, Policy
from authz_sidecar.rules import Membership, Pattern, Rule, ScopeHierarchy, ScopeRow, Verdict

Row = Rule | Membership | ScopeRow

_Ways = tuple[Holding, Holding]
"""Who holds what, and which tools are in which groups."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What the expectations exercise."""

    trials: tuple[Trial, ...]
    rules: int
    """p rows."""
    unexercised: tuple[Rule, ...]
    """p rows that decide no expectation."""
    rows: int
    """p, g, g2 and scope rows; beside engine.d, the scope rows alone."""
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
    ways = Holding(policy.rules.memberships), Holding(policy.rules.tool_groups)
    touched = _touched(policy, ran, servers, ways)
    ask = _Ask(policy, servers, hierarchy, ways)
    exercised = {place for trial in ran for place in _places(trial)}
    rules = policy.rules
    spoken = _rules(policy)
    # By which membership a policy of engine.d allows, only its engine knows.
    held = () if rules.sources else (*rules.memberships, *rules.tool_groups)
    rows: tuple[Row, ...] = (*spoken, *held, *rules.scopes)
    deletable = [row for row in rows if not await ask.fails_without(row, touched.get(_place(row), []))]
    return Coverage(
        trials=tuple(ran),
        rules=len(spoken),
        unexercised=tuple(rule for rule in spoken if _place(rule) not in exercised),
        rows=len(rows),
        deletable=tuple(deletable),
    )


class _Ask:
    """Asks expectations of the policy without one row."""

    def __init__(self, policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy, ways: _Ways) -> None:
        self._policy, self._servers, self._hierarchy, self._ways = policy, servers, hierarchy, ways
        self._groups: Final = frozenset(map(_place, policy.rules.tool_groups))

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
                holding, grouping = self._ways
                grouped = _place(row) in self._groups
                keeps = _still_grouped(grouping, row) if grouped else _still_held(holding, row)
                return replace(self._policy, compiled=_Without(self._policy.compiled, keeps))
            case ScopeRow():
                left = tuple(one for one in rules.scopes if one is not row)
                return replace(self._policy, rules=replace(rules, scopes=left))


@dataclass(frozen=True, slots=True)
class _Call:
    subjects: frozenset[str]
    server: str
    tool: str


_Keeps = Callable[[_Call, Rule], bool]


class _Without:
    """A policy that lost a row: the answers are those of the whole one, without what the row gave."""

    def __init__(self, whole: CompiledPolicy, keeps: _Keeps) -> None:
        self._whole: Final = whole
        self._keeps: Final = keeps

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        verdict = await self._whole.judge(subjects, server, method, tool)
        call = _Call(subjects, server, tool)
        return Verdict(
            allows=tuple(rule for rule in verdict.allows if self._keeps(call, rule)),
            denies=tuple(rule for rule in verdict.denies if self._keeps(call, rule)),
        )


def _still_held(holding: Holding, lost: Membership) -> _Keeps:
    def keeps(call: _Call, rule: Rule) -> bool:
        here = holding.on(call.server)
        return _stays(here.paths(call.subjects), here.paths(call.subjects, without=lost), rule.subject)

    return keeps


def _still_grouped(grouping: Holding, lost: Membership) -> _Keeps:
    def keeps(call: _Call, rule: Rule) -> bool:
        return _stays(grouping.paths((call.tool,)), grouping.paths((call.tool,), without=lost), rule.tool)

    return keeps


def _stays(before: Collection[str], after: Collection[str], wanted: Pattern) -> bool:
    """Say whether what matched still does; where only Casbin can say why it did, the row had no hand in it."""
    return any(map(wanted.matches, after)) or not any(map(wanted.matches, before))


def _touched(policy: Policy, ran: list[Trial], servers: Mapping[str, Server], ways: _Ways) -> dict[object, list[Trial]]:
    """Give, for each row, the expectations that hold and that it has a hand in."""
    touched: dict[object, list[Trial]] = {}
    spoken = {_place(rule): rule for rule in _rules(policy)}
    for trial in ran:
        if not trial or trial.decision is None:
            continue
        places = _places(trial)
        for place in places:
            touched.setdefault(place, []).append(trial)
        deciding = [spoken[place] for place in places if place in spoken]
        for way in _ways(ways, trial, deciding, servers):
            touched.setdefault(_place(way), []).append(trial)
        for row in policy.rules.scopes if trial.decision.required_scopes else ():
            if _guards(row, trial, servers):
                touched.setdefault(_place(row), []).append(trial)
    return touched


def _ways(ways: _Ways, trial: Trial, deciding: list[Rule], servers: Mapping[str, Server]) -> set[Membership]:
    """Give the g and g2 rows by which the caller holds and the tool is in what decided; a shortest way is enough.

    A row that is on no shortest way can go: the shortest way stays.
    """
    holding, grouping = ways
    held = holding.on(trial.row.server).paths(_who(trial).subjects)
    found = _on_the_way(held, [rule.subject for rule in deciding])
    for _, tool in _calls(trial, servers):
        found |= _on_the_way(grouping.paths((tool,)), [rule.tool for rule in deciding])
    return found


def _on_the_way(ways: Mapping[str, Path], wanted: Collection[Pattern]) -> set[Membership]:
    return {row for name, way in ways.items() for row in way if any(one.matches(name) for one in wanted)}


def _guards(row: ScopeRow, trial: Trial, servers: Mapping[str, Server]) -> bool:
    test = trial.row
    entry = find(test.method, servers[test.server].methods)
    if entry is None or entry.kind is Kind.LIST or not row.server.matches(test.server):
        return False
    return any(row.method.matches(method) and row.tool.matches(tool) for method, tool in _calls(trial, servers))


def _calls(trial: Trial, servers: Mapping[str, Server]) -> list[tuple[str, str]]:
    """Give the call, and the one whose right it follows from."""
    test = trial.row
    entry = find(test.method, servers[test.server].methods)
    follows = followed(test.method, entry, test.tool) if entry is not None else None
    return [(test.method, test.tool), *([follows] if follows is not None else [])]


def _rules(policy: Policy) -> tuple[Rule, ...]:
    """Give the p rows, also those that only Casbin can read: it names every one that matched."""
    foreign = () if policy.rules.foreign is None else policy.rules.foreign.rows
    return (*policy.rules.rules, *(row.rule for row in foreign))


def _who(trial: Trial) -> Principal:
    return caller(trial.row.subjects, trial.row.scopes, issuer="expectation")


def _places(trial: Trial) -> set[tuple[str, int]]:
    return {(rule.source, rule.line) for rule in trial.decision.rules} if trial.decision is not None else set()


def _place(row: Row) -> tuple[str, int]:
    return row.source, row.line
