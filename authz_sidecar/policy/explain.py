"""Explains one decision: every row considered, the way to each role, the nearest miss and the one thing missing."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from authz_sidecar import methods
from authz_sidecar.judge import judge
from authz_sidecar.methods import METHODS
from authz_sidecar.model import Decision, Principal, Question, Reason, Server
from authz_sidecar.policy.findings import quote
from authz_sidecar.policy.holding import Holding, Path
from authz_sidecar.policy.names import closest
from authz_sidecar.policy.opaque import unsaid
from authz_sidecar.policy.until import spelled
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Effect, Membership, Rule, ScopeHierarchy

_FIELDS: Final = ("subject", "server", "method", "tool")
"""Of a row; what a row probably misses by alone comes first."""
_TRIED: Final = 20
"""So many near rows are tried out; a policy with more of them has no nearest miss worth reading."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why the answer is what it is."""

    principal: Principal
    server: str
    question: Question
    decision: Decision
    held: Mapping[str, Path]
    """Every name of the caller and every role held, each with the g rows that lead to it."""
    groups: Mapping[str, Path]
    """The tool and every group that it is in, each with the g2 rows that lead to it; empty where there are none."""
    considered: tuple[Considered, ...]
    """Those that decided first, then by how much is missing. Rows that only an engine reads are not among them."""
    miss: Miss | None
    """None when the answer is yes."""


class Explainer:
    """Explains the answers of one policy."""

    def __init__(
        self, *, policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy, now: float | None = None
    ) -> None:
        """Take a policy and what it is held against; `servers` is by name, `now` in seconds since the epoch."""
        self._now = now
        self._policy = policy
        self._holding: Final = Holding(policy.rules.memberships)
        self._grouping: Final = Holding(policy.rules.tool_groups)
        self._groups: Final = frozenset(row.role for row in policy.rules.tool_groups)
        self._servers = servers
        self._hierarchy = hierarchy

    async def explain(self, who: Principal, server: str, question: Question) -> Explanation:
        """Decide and explain; raises `EngineError`."""
        found = self._servers.get(server)
        if found is None:
            return self._nowhere(who, server, question)
        decision = await self._decide(who, found, question)
        held = self._holding.on(server).paths(who.subjects)
        considered = tuple(sorted(self._considered(held, server, question, decision), key=_nearest))
        miss = None if decision else await self._miss(who, found, question, decision, considered)
        return Explanation(
            principal=who,
            server=server,
            question=question,
            decision=decision,
            held=held,
            groups=self._grouping.paths((question.tool,)) if self._policy.rules.tool_groups else {},
            considered=considered,
            miss=miss,
        )

    def _nowhere(self, who: Principal, server: str, question: Question) -> Explanation:
        near = closest(server, self._servers)
        hint = f", did you mean {quote(near)}" if near else ""
        return Explanation(
            principal=who,
            server=server,
            question=question,
            decision=Decision(allowed=False, reason=Reason.SERVER_UNKNOWN),
            held={},
            groups={},
            considered=(),
            miss=Miss(missing="server", advice=f"no configured server is called {quote(server)}{hint}"),
        )

    async def _decide(self, who: Principal, server: Server, question: Question) -> Decision:
        return await judge(self._policy, who, server, question, self._hierarchy, now=self._now)

    def _considered(
        self, held: Mapping[str, Path], server: str, question: Question, decision: Decision
    ) -> Iterator[Considered]:
        deciding = {(ref.source, ref.line) for ref in decision.rules}
        calls = [(method, self._grouping.held(tool)) for method, tool in _calls(self._servers[server], question)]
        for rule in self._policy.rules.rules:
            missing = min((_missing(rule, held, server, *call) for call in calls), key=len)
            decides = (rule.source, rule.line) in deciding
            if decides or "subject" not in missing or missing == ("subject",):
                yield Considered(rule=rule, missing=missing, decides=decides)

    async def _miss(
        self, who: Principal, server: Server, question: Question, decision: Decision, rows: Iterable[Considered]
    ) -> Miss:
        match decision.reason:
            case Reason.METHOD_UNKNOWN:
                near = closest(question.method, METHODS.keys() | server.methods)
                hint = f", did you mean {quote(near)}" if near else ""
                advice = f"{quote(question.method)} is no method of MCP and none of this server{hint}"
                return Miss(missing="method", advice=advice)
            case Reason.INSUFFICIENT_SCOPE:
                lacking = sorted(set(decision.required_scopes) - self._hierarchy.held(who.scopes))
                words = " ".join(lacking)
                return Miss(missing="scope", advice=f"the token lacks the scope {quote(words)}")
            case Reason.CONDITION_ERROR:
                return Miss(missing="condition", advice=f"a condition cannot be evaluated: {decision.detail}")
            case Reason.DENIED_BY_RULE:
                return self._denied(decision, rows)
            case Reason.TOKEN_CLAIM_MISSING:
                called = quote(str(who.user))
                advice = f"the policy has a role that is called like {called}, and no prefixes that tell the two apart"
                return Miss(missing="claim", advice=advice)
            case _ if unread := unsaid(self._policy.rules):
                return Miss(missing="rule", advice=f"no row for this call and caller; {unread}")
            case _:
                ended = self._ended(who, server, rows)
                return ended or await self._nearest(who, server, question, rows)

    def _denied(self, decision: Decision, rows: Iterable[Considered]) -> Miss:
        deciding = [row.rule for row in rows if row.decides and row.rule.effect is Effect.DENY]
        where = ", ".join(f"{ref.source}:{ref.line}" for ref in decision.rules)
        more = "" if any(row.matches and row.rule.effect is Effect.ALLOW for row in rows) else ", and no row allows it"
        advice = f"a deny row stands in the way ({where}){more}"
        return Miss(missing="deny", advice=advice, rule=deciding[0] if deciding else None)

    def _ended(self, who: Principal, server: Server, rows: Iterable[Considered]) -> Miss | None:
        """Find an allow row that speaks to this call and has ended, or that is held by a row that has."""
        held = self._holding.on(server.name).paths(who.subjects)
        for row in rows:
            if not row.matches or row.rule.effect is not Effect.ALLOW:
                continue
            ways = [way for name, way in held.items() if row.rule.subject.matches(name)]
            rows_of: tuple[Rule | Membership, ...] = (row.rule, *min(ways, key=len, default=()))
            for one in rows_of:
                if one.until is not None and self._now is not None and one.until <= self._now:
                    advice = f"the grant has ended: `# until {spelled(one.until)}` at {one.source}:{one.line}"
                    return Miss(missing="until", advice=advice, rule=row.rule)
        return None

    async def _nearest(self, who: Principal, server: Server, question: Question, rows: Iterable[Considered]) -> Miss:
        """Find the allow row that misses by one thing, and prove that this thing would do."""
        for row in rows:
            if row.matches and row.rule.effect is Effect.ALLOW and row.rule.when is not None:
                advice = f"the condition {quote(row.rule.when.text)} does not hold"
                return Miss(missing="condition", advice=advice, rule=row.rule)
        near = [row for row in rows if row.rule.effect is Effect.ALLOW and len(row.missing) == 1]
        spelled = {row.rule.tool.text for row in near if row.missing == ("tool",)}
        known = any(rule.tool.text == question.tool for rule in self._policy.rules.rules)
        # A name that some row spells is no slip of the pen.
        meant = None if known else closest(question.tool, spelled)
        near.sort(key=lambda row: (meant is None or row.rule.tool.text != meant, _FIELDS.index(row.missing[0])))
        for row in near[:_TRIED]:
            miss = await self._tried(who, server, question, row.rule, row.missing[0])
            if miss is not None:
                return miss
        said = "no allow row misses by one thing only, a row for this call is needed"
        return Miss(missing="rule", advice=said)

    async def _tried(self, who: Principal, server: Server, question: Question, rule: Rule, missing: str) -> Miss | None:
        meant = getattr(rule, missing)
        fits = meant.text if not meant.prefix else meant.text + "~"
        if missing == "subject":
            if not fits.startswith(("role:", "group:")):
                return Miss(missing=missing, advice=f"the caller is not {quote(str(meant))}", rule=rule)
            decision = await self._decide(replace(who, groups=who.groups | {fits}), server, question)
            where = f" on {quote(server.name)}" if self._holding.servers else ""
            advice = f"the caller does not hold {quote(str(meant))}{where}"
        elif missing == "server":
            other = self._servers.get(fits)
            if other is None:
                return None
            decision = await self._decide(who, other, question)
            advice = f"the row is for the server {quote(str(meant))}"
        else:
            change = replace(question, tool=fits) if missing == "tool" else replace(question, method=fits)
            decision = await self._decide(who, server, change)
            advice = f"the row is for the {missing} {quote(str(meant))}"
            if missing == "tool" and fits in self._groups:
                advice = f"{quote(question.tool)} is not in the group {quote(fits)}"
        if decision.reason is Reason.INSUFFICIENT_SCOPE:
            advice += f"; and then the token would need the scope {quote(' '.join(decision.required_scopes))}"
        elif not decision:
            return None
        return Miss(missing=missing, advice=advice, rule=rule)


def _calls(server: Server, question: Question) -> Iterator[tuple[str, str]]:
    """Give the call, and the one whose right it follows from."""
    yield question.method, question.tool
    entry = methods.find(question.method, server.methods)
    follows = methods.followed(question.method, entry, question.tool) if entry is not None else None
    if follows is not None:
        yield follows


def _missing(rule: Rule, held: Mapping[str, Path], server: str, method: str, tools: Collection[str]) -> tuple[str, ...]:
    fits = (
        any(map(rule.subject.matches, held)),
        rule.server.matches(server),
        rule.method.matches(method),
        any(map(rule.tool.matches, tools)),
    )
    return tuple(field for field, fit in zip(_FIELDS, fits, strict=True) if not fit)


def _nearest(row: Considered) -> tuple[bool, int, bool, int]:
    return not row.decides, len(row.missing), row.rule.effect is Effect.ALLOW, row.rule.line
