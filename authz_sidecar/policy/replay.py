"""Replays the decision log against a policy: which past answers would be other ones."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from authz_sidecar.errors import ConditionError
from authz_sidecar.facts import Facts
from authz_sidecar.judge import judge
from authz_sidecar.model import Decision, Question, Reason, Server
from authz_sidecar.policy.assumed import Assumed
from authz_sidecar.policy.callers import caller
from authz_sidecar.policy.logs import Asked, Log
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Condition, ScopeHierarchy


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A past answer that would be another one."""

    asked: Asked
    times: int
    last_time: str
    """RFC 3339; when it was last asked."""
    decision_id: str
    """Of the last time."""
    after: Decision
    hangs_on: tuple[str, ...] = ()
    """Conditions without which nobody can say what the answer would be; `after` is what it could be."""

    @property
    def opens(self) -> bool:
        """Say whether it was denied and would be allowed."""
        return self.after.allowed and not self.asked.allowed and not self.hangs_on

    @property
    def closes(self) -> bool:
        """Say whether it was allowed and would be denied."""
        return self.asked.allowed and not self.after.allowed and not self.hangs_on


async def replay(
    log: Log, policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy
) -> AsyncIterator[Changed]:
    """Ask every question of the log again, each once, and give those whose answer changes; raises `EngineError`.

    Those that nobody can answer are given as well, with the conditions that they hang on, and counted in the log.
    """
    for asked, times in log.asked.items():
        after, hangs_on = await decide(asked, policy, servers, hierarchy)
        if hangs_on:
            log.conditional += times
        elif after.allowed == asked.allowed and (not asked.reason or after.reason == asked.reason):
            continue
        last = log.last[asked]
        yield Changed(
            asked=asked,
            times=times,
            last_time=last.time,
            decision_id=last.decision_id,
            after=after,
            hangs_on=hangs_on,
        )


async def decide(
    asked: Asked, policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy
) -> tuple[Decision, tuple[str, ...]]:
    """Ask a question of the log as it was asked; raises `EngineError`.

    Say as well on which conditions the answer hangs: the log keeps the context of a question, and neither its arguments
    nor claims. Where the answer is the same whether they hold or not, it hangs on none.
    """
    server = servers.get(asked.server)
    if server is None:
        return Decision(allowed=False, reason=Reason.SERVER_UNKNOWN), ()
    who = caller(asked.subjects, asked.scopes, issuer="log")
    question = Question(method=asked.method, tool=asked.tool)
    known = partial(_holds, facts=Facts(context=dict(asked.context)))
    could = Assumed(policy.compiled, known)
    decision = await judge(replace(policy, compiled=could), who, server, question, hierarchy)
    if not could.met:
        return decision, ()
    surely = Assumed(policy.compiled, known, surely=True)
    least = await judge(replace(policy, compiled=surely), who, server, question, hierarchy)
    if least.allowed is decision.allowed:
        return (least if least.reason == asked.reason else decision), ()
    return decision, tuple(sorted({rule.when.text for rule in could.met.values() if rule.when is not None}))


def _holds(when: Condition, facts: Facts) -> bool | None:
    """Say whether a condition holds by what the log keeps, or None where it looks at more or cannot be evaluated."""
    needs: frozenset[str] = getattr(when, "needs", frozenset({"args"}))
    if not needs <= {"context"}:
        return None
    try:
        return when.holds(facts)
    except ConditionError:
        return None
