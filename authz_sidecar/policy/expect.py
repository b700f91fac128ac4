"""Runs the policy's own tests."""

import asyncio
import math
from collections.abc import Mapping

from authz_sidecar.errors import EngineError
from authz_sidecar.judge import judge
from authz_sidecar.model import Decision, Principal, Question, Server
from authz_sidecar.policy.cells import Places
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Expectation, ScopeHierarchy

_NOBODY = "user:"
"""Stands for the user of a row that names none: no row can name it, but `user:*` and `*` mean it as well."""

_EXPECT = 6


async def run(
    policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy, places: Places, found: Findings
) -> int:
    """Run every expectation, report those that fail, and give their number; `servers` is by name."""
    for row in policy.rules.expectations:
        try:
            decision = await judge(policy, _principal(row), servers[row.server], _question(row), hierarchy)
        except EngineError as error:
            said = f"the engine failed: {error}"
        else:
            said = "" if _holds(row.expect, decision) else _said(decision)
        if said:
            column = places[row.source, row.line][_EXPECT]
            message = f"expected {quote(row.expect)} for {_asked(row)}, got {said}"
            found.error(row.source, row.line, column, "expectation-failed", message)
        await asyncio.sleep(0)  # a thousand expectations must not hold up a call that is waiting
    return len(policy.rules.expectations)


def _principal(row: Expectation) -> Principal:
    def one(prefix: str) -> str | None:
        return next((name for name in row.subjects if name.startswith(prefix)), None)

    client = one("client:")
    user = one("user:") or (None if client else _NOBODY)
    return Principal(
        issuer="expectation",
        subject=(user or "").removeprefix("user:"),
        user=user,
        groups=frozenset(name for name in row.subjects if name.startswith(("role:", "group:"))),
        client=client,
        agent=one("agent:"),
        scopes=frozenset(row.scopes),
        expires_at=math.inf,
    )


def _question(row: Expectation) -> Question:
    return Question(method=row.method, tool=row.tool, arguments=row.arguments)


def _holds(expect: str, decision: Decision) -> bool:
    match expect:
        case "allow":
            return decision.allowed
        case "deny":
            return not decision.allowed
        case reason:
            return decision.reason == reason


def _said(decision: Decision) -> str:
    rules = ", ".join(f"{rule.source}:{rule.line} {quote(rule.text)}" for rule in decision.rules)
    by = f" by {rules}" if rules else ""
    needs = f", scopes needed: {' '.join(decision.required_scopes)}" if decision.required_scopes else ""
    return f"{quote(decision.reason)}{by}{needs}"


def _asked(row: Expectation) -> str:
    scopes = f" with {' '.join(row.scopes)}" if row.scopes else ""
    return f"{' '.join(row.subjects)}{scopes}: {row.method} {row.tool}".rstrip()
