"""Replays the decision log against a policy: which past answers would be other ones."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from authz_sidecar.judge import judge
from authz_sidecar.model import Decision, Question, Reason, Server
from authz_sidecar.policy.assumed import Assumed
from authz_sidecar.policy.callers import caller
from authz_sidecar.policy.logs import Asked, Log
from authz_sidecar.ports import Policy
from authz_sidecar.rules import ScopeHierarchy


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

    @property
    def opens(self) -> bool:
        """Say whether it was denied and would be allowed."""
        return self.after.allowed and not self.asked.allowed

    @property
    def closes(self) -> bool:
        """Say whether it was allowed and would be denied."""
        return self.asked.allowed and not self.after.allowed


async def replay(
    log: Log, policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy
) -> AsyncIterator[Changed]:
    """Ask every question of the log again, each once, and give those whose answer changes; raises `EngineError`."""
    for asked, times in log.asked.items():
        after, certain = await decide(asked, policy, servers, hierarchy)
        if not certain:
            log.conditional += times
        elif after.allowed != asked.allowed or (asked.reason and after.reason != asked.reason):
            last = log.last[asked]
            yield Changed(asked=asked, times=times, last_time=last.time, decision_id=last.decision_id, after=after)


async def decide(
    asked: Asked, policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy
) -> tuple[Decision, bool]:
    """Ask a question of the log as it was asked; raises `EngineError`.

    Say as well whether it is certain: the log keeps no arguments, so a row with a condition could go either way.
    """
    server = servers.get(asked.server)
    if server is None:
        return Decision(allowed=False, reason=Reason.SERVER_UNKNOWN), True
    who = caller(asked.subjects, asked.scopes, issuer="log")
    assumed = Assumed(policy.compiled)
    question = Question(method=asked.method, tool=asked.tool)
    decision = await judge(replace(policy, compiled=assumed), who, server, question, hierarchy)
    return decision, not assumed.met
