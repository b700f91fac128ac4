"""Finds the one thing that is missing for a yes, and proves that it would do."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from authz_sidecar import methods
from authz_sidecar.judge import judge
from authz_sidecar.methods import METHODS
from authz_sidecar.model import NOTHING, Decision, Principal, Question, Reason, Server
from authz_sidecar.policy.findings import quote
from authz_sidecar.policy.holding import Holding
from authz_sidecar.policy.names import closest
from authz_sidecar.policy.opaque import unread
from authz_sidecar.policy.until import spelled
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Effect, Membership, Rule, ScopeHierarchy

FIELDS: Final = ("subject", "server", "method", "tool")
"""Of a row; what a row probably misses by alone comes first."""
_TRIED: Final = 20
"""So many near rows are tried out; a policy with more of them has no nearest miss worth reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Who asks for what, where and when."""

    who: Principal
    server: Server
    question: Question
    context: Mapping[str, str] = field(default_factory=lambda: NOTHING)
    now: float | None = None

    def calls(self) -> Iterator[tuple[str, str]]:
        """Give the call, and the one whose right it follows from."""
        asked = self.question
        yield asked.method, asked.tool
        entry = methods.find(asked.method, self.server.methods)
        follows = methods.followed(asked.method, entry, asked.tool) if entry is not None else None
        if follows is not None:
            yield follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """A row that names the caller or the call; `missing` are the fields that do not fit."""

    rule: Rule
    missing: tuple[str, ...]
    decides: bool

    @property
    def matches(self) -> bool:
        """Say whether the row speaks to this call by this caller."""
        return not self.missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """What would have to change for a yes."""

    missing: str
    """A word: `scope`, `subject`, `tool`, `method`, `server`, `condition`, `until`, `claim`, `deny`, `rule`."""
    advice: str
    rule: Rule | None = None


class Misses:
    """Knows what stands between a caller and a yes of one policy."""

    def __init__(
        self, policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy, holding: Holding
    ) -> None:
        """Take a policy, what it is held against, and who holds what in it."""
        self._policy, self._servers, self._hierarchy = policy, servers, hierarchy
        self._holding: Final = holding
        self._groups: Final = frozenset(row.role for row in policy.rules.tool_groups)

    async def decide(self, case: Case) -> Decision:
        """Ask the decision itself; raises `EngineError`."""
        return await judge(
            self._policy,
            case.who,
            case.server,
            case.question,
            self._hierarchy,
            context=case.context,
            now=case.now,
        )

    async def find(self, case: Case, decision: Decision, rows: Iterable[Considered]) -> Miss:
        """Say what is missing where the answer is no; raises `EngineError`."""
        match decision.reason:
            case Reason.METHOD_UNKNOWN:
                return _no_method(case)
            case Reason.INSUFFICIENT_SCOPE:
                lacking = sorted(set(decision.required_scopes) - self._hierarchy.held(case.who.scopes))
                return Miss(missing="scope", advice=f"the token lacks the scope {quote(' '.join(lacking))}")
            case Reason.CONDITION_ERROR:
                return Miss(missing="condition", advice=f"a condition cannot be evaluated: {decision.detail}")
            case Reason.DENIED_BY_RULE:
                return _denied(decision, rows)
            case Reason.TOKEN_CLAIM_MISSING:
                called = quote(str(case.who.user))
                advice = f"the policy has a role that is called like {called}, and no prefixes that tell the two apart"
                return Miss(missing="claim", advice=advice)
            case _ if why := unread(self._policy.rules):
                return Miss(missing="rule", advice=f"no row allows this call to this caller; {why}, so none is near")
            case _:
                return self._ended(case, rows) or await self._nearest(case, rows)

    def _ended(self, case: Case, rows: Iterable[Considered]) -> Miss | None:
        """Find an allow row that speaks to this call and has ended, or that is held by a row that has."""
        held = self._holding.on(case.server.name).paths(case.who.subjects)
        for row in rows:
            if not row.matches or row.rule.effect is not Effect.ALLOW:
                continue
            ways = [way for name, way in held.items() if row.rule.subject.matches(name)]
            steps: tuple[Rule | Membership, ...] = (row.rule, *min(ways, key=len, default=()))
            for one in steps:
                if one.until is not None and case.now is not None and one.until <= case.now:
                    advice = f"the grant has ended: `# until {spelled(one.until)}` at {one.source}:{one.line}"
                    return Miss(missing="until", advice=advice, rule=row.rule)
        return None

    async def _nearest(self, case: Case, rows: Iterable[Considered]) -> Miss:
        """Find the allow row that misses by one thing, and prove that this thing would do."""
        for row in rows:
            if row.matches and row.rule.effect is Effect.ALLOW and row.rule.when is not None:
                advice = f"the condition {quote(row.rule.when.text)} does not hold"
                return Miss(missing="condition", advice=advice, rule=row.rule)
        near = [row for row in rows if row.rule.effect is Effect.ALLOW and len(row.missing) == 1]
        spelled_so = {row.rule.tool.text for row in near if row.missing == ("tool",)}
        known = any(rule.tool.text == case.question.tool for rule in self._policy.rules.rules)
        # A name that some row spells is no slip of the pen.
        meant = None if known else closest(case.question.tool, spelled_so)
        near.sort(key=lambda row: (meant is None or row.rule.tool.text != meant, FIELDS.index(row.missing[0])))
        for row in near[:_TRIED]:
            miss = await self._tried(case, row.rule, row.missing[0])
            if miss is not None:
                return miss
        said = "no allow row misses by one thing only, a row for this call is needed"
        return Miss(missing="rule", advice=said)

    async def _tried(self, case: Case, rule: Rule, missing: str) -> Miss | None:
        meant = getattr(rule, missing)
        fits = meant.text if not meant.prefix else meant.text + "~"
        advice = f"the row is for the {missing} {quote(str(meant))}"
        match missing:
            case "subject" if not fits.startswith(("role:", "group:")):
                return Miss(missing=missing, advice=f"the caller is not {quote(str(meant))}", rule=rule)
            case "subject":
                changed = replace(case, who=replace(case.who, groups=case.who.groups | {fits}))
                where = f" on {quote(case.server.name)}" if self._holding.servers else ""
                advice = f"the caller does not hold {quote(str(meant))}{where}"
            case "server":
                other = self._servers.get(fits)
                if other is None:
                    return None
                changed = replace(case, server=other)
            case "tool":
                changed = replace(case, question=replace(case.question, tool=fits))
                if fits in self._groups:
                    advice = f"{quote(case.question.tool)} is not in the group {quote(fits)}"
            case _:
                changed = replace(case, question=replace(case.question, method=fits))
        decision = await self.decide(changed)
        if decision.reason is Reason.INSUFFICIENT_SCOPE:
            advice += f"; and then the token would need the scope {quote(' '.join(decision.required_scopes))}"
        elif not decision:
            return None
        return Miss(missing=missing, advice=advice, rule=rule)


def _no_method(case: Case) -> Miss:
    asked = case.question.method
    near = closest(asked, METHODS.keys() | case.server.methods)
    hint = f", did you mean {quote(near)}" if near else ""
    return Miss(missing="method", advice=f"{quote(asked)} is no method of MCP and none of this server{hint}")


def _denied(decision: Decision, rows: Iterable[Considered]) -> Miss:
    deciding = [row.rule for row in rows if row.decides and row.rule.effect is Effect.DENY]
    where = ", ".join(f"{ref.source}:{ref.line}" for ref in decision.rules)
    more = "" if any(row.matches and row.rule.effect is Effect.ALLOW for row in rows) else ", and no row allows it"
    advice = f"a deny row stands in the way ({where}){more}"
    return Miss(missing="deny", advice=advice, rule=deciding[0] if deciding else None)
