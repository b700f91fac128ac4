"""Explains one decision: every row considered, the way to each role, the nearest miss and the one thing missing."""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from authz_sidecar.model import NOTHING, Decision, Principal, Question, Reason, Server
from authz_sidecar.policy.findings import quote
from authz_sidecar.policy.holding import Holding, Path
from authz_sidecar.policy.misses import FIELDS, Case, Considered, Miss, Misses
from authz_sidecar.policy.names import closest
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Effect, Rule, ScopeHierarchy

_AT_ONCE: Final = 1_000
"""Rows that are looked at before others may go on."""


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

    def __init__(self, *, policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy) -> None:
        """Take a policy and what it is held against; `servers` is by name."""
        self._policy: Final = policy
        self._holding: Final = Holding(policy.rules.memberships)
        self._grouping: Final = Holding(policy.rules.tool_groups)
        self._servers: Final = servers
        self._misses: Final = Misses(policy, servers, hierarchy, self._holding)

    async def explain(
        self,
        who: Principal,
        server: str,
        question: Question,
        *,
        context: Mapping[str, str] = NOTHING,
        now: float | None = None,
    ) -> Explanation:
        """Decide and explain, at `now` in seconds since the epoch; raises `EngineError`."""
        found = self._servers.get(server)
        if found is None:
            return self._nowhere(who, server, question)
        case = Case(who=who, server=found, question=question, context=context, now=now)
        decision = await self._misses.decide(case)
        held = self._holding.on(server).paths(who.subjects)
        considered = tuple(sorted(await self._considered(held, case, decision), key=_nearest))
        return Explanation(
            principal=who,
            server=server,
            question=question,
            decision=decision,
            held=held,
            groups=self._grouping.paths((question.tool,)) if self._policy.rules.tool_groups else {},
            considered=considered,
            miss=None if decision else await self._misses.find(case, decision, considered),
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

    async def _considered(self, held: Mapping[str, Path], case: Case, decision: Decision) -> list[Considered]:
        deciding = {(ref.source, ref.line) for ref in decision.rules}
        calls = [(method, self._grouping.held(tool)) for method, tool in case.calls()]
        found: list[Considered] = []
        for at, rule in enumerate(self._policy.rules.rules):
            if at % _AT_ONCE == 0:
                await asyncio.sleep(0)  # a running sidecar answers others meanwhile
            missing = min((_missing(rule, held, case.server.name, *call) for call in calls), key=len)
            decides = (rule.source, rule.line) in deciding
            if decides or "subject" not in missing or missing == ("subject",):
                found.append(Considered(rule=rule, missing=missing, decides=decides))
        return found


def _missing(rule: Rule, held: Mapping[str, Path], server: str, method: str, tools: Collection[str]) -> tuple[str, ...]:
    fits = (
        any(map(rule.subject.matches, held)),
        rule.server.matches(server),
        rule.method.matches(method),
        any(map(rule.tool.matches, tools)),
    )
    return tuple(field for field, fit in zip(FIELDS, fits, strict=True) if not fit)


def _nearest(row: Considered) -> tuple[bool, int, bool, int]:
    return not row.decides, len(row.missing), row.rule.effect is Effect.ALLOW, row.rule.line
