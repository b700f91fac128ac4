"""Runs the policy's own tests."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from authz_sidecar.errors import EngineError
from authz_sidecar.judge import judge
from authz_sidecar.model import Decision, Question, Server
from authz_sidecar.policy.callers import caller
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Expectation, ScopeHierarchy


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What became of one expectation; `failure` is empty when it holds."""

    row: Expectation
    decision: Decision | None
    """None when the engine failed."""
    failure: str

    def __bool__(self) -> bool:
        """Say whether it holds."""
        return not self.failure


async def run(policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy, found: Findings) -> int:
    """Run every expectation, report those that fail, and give their number; `servers` is by name."""
    async for trial in trials(policy, servers, hierarchy):
        if not trial:
            found.error(trial.row.source, trial.row.line, trial.row.column, "expectation-failed", trial.failure)
    return len(policy.rules.expectations)


async def trials(policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy) -> AsyncIterator[Trial]:
    """Run every expectation in the order of the files."""
    for row in policy.rules.expectations:
        try:
            decision = await ask(policy, row, servers, hierarchy)
        except EngineError as error:
            yield Trial(row=row, decision=None, failure=_failure(row, f"the engine failed: {error}"))
        else:
            failure = "" if holds(row.expect, decision) else _failure(row, _said(decision))
            yield Trial(row=row, decision=decision, failure=failure)
        await asyncio.sleep(0)  # a thousand expectations must not hold up a call that is waiting


async def ask(policy: Policy, row: Expectation, servers: Mapping[str, Server], hierarchy: ScopeHierarchy) -> Decision:
    """Ask what an expectation asks; raises `EngineError`."""
    question = Question(method=row.method, tool=row.tool, arguments=row.arguments)
    who = replace(caller(row.subjects, row.scopes, issuer="expectation"), claims=row.given.claims)
    given = row.given
    return await judge(policy, who, servers[row.server], question, hierarchy, context=given.context, now=given.now)


def holds(expect: str, decision: Decision) -> bool:
    """Say whether the answer is the expected one: `allow`, `deny`, or the exact reason."""
    match expect:
        case "allow":
            return decision.allowed
        case "deny":
            return not decision.allowed
        case reason:
            return decision.reason == reason


def asked(row: Expectation) -> str:
    """Spell what an expectation asks, for people."""
    scopes = f" with {' '.join(row.scopes)}" if row.scopes else ""
    return f"{' '.join(row.subjects)}{scopes}: {row.method} {row.tool}".rstrip()


def _failure(row: Expectation, said: str) -> str:
    return f"expected {quote(row.expect)} for {asked(row)}, got {said}"


def _said(decision: Decision) -> str:
    rules = ", ".join(f"{rule.source}:{rule.line} {quote(rule.text)}" for rule in decision.rules)
    by = f" by {rules}" if rules else ""
    needs = f", scopes needed: {' '.join(decision.required_scopes)}" if decision.required_scopes else ""
    why = f": {decision.detail}" if decision.detail else ""
    return f"{quote(decision.reason)}{by}{needs}{why}"
