"""A question with 0, 1 and 8 matching rows that have a condition, against the same rows without; rounds interleaved,
medians. `python -m bench.conditions [--quick]`"""

import argparse
import asyncio
import importlib.util
import statistics
import time
from dataclasses import replace

from authz_sidecar.conditions.late import Late
from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.judge import judge
from authz_sidecar.model import Question, Revision, Server
from authz_sidecar.policy.callers import caller
from authz_sidecar.ports import Known, Policy
from authz_sidecar.rules import Rules, ScopeHierarchy
from authz_sidecar.testing.cases import rows

TEXTS = (
    "args.amount <= 100 && args.currency in ['EUR', 'CHF']",
    "args.to.all(to, to.endsWith('@example.com'))",
    "args.note.matches('^[a-z ]{0,80}$')",
    "claims.tenant == args.tenant",
    "has(args.note) && size(args.note) < 100",
    "now > timestamp('2026-01-01T00:00:00Z')",
    "args.amount * 2 < 1000",
    "!(args.currency == 'USD') || args.amount == 0",
)
ARGUMENTS = (
    b'{"amount": 80, "currency": "EUR", "tenant": "a", "note": "thank you", "to": ["a@example.com", "b@example.com"]}'
)
SERVER = Server(name="ops", audience="https://ops.example/mcp")
ALLOW = ("user:ann", "ops", "tools/call", "refund", "allow")


def policy(matching: int, *, conditional: bool) -> Policy:
    """Compile 1,000 rows of which this many match."""
    found = rows(*([ALLOW] * matching), *((f"user:{n}", *ALLOW[1:]) for n in range(1_000 - matching)))
    if conditional:
        known = Known(claims=frozenset({"tenant"}))
        read = [Late().read(TEXTS[n % len(TEXTS)], known).condition for n in range(matching)]
        changed = [replace(rule, when=when) for rule, when in zip(found.rules, read, strict=False)]
        found = Rules(rules=(*changed, *found.rules[matching:]))
    return Policy(revision=Revision("sha256:0"), rules=found, compiled=IndexEngine().compile(found))


async def measure(asked: Policy, calls: int) -> float:
    """Give the microseconds of a question."""
    who = replace(caller(("user:ann",)), claims={"tenant": "a"})
    question = Question(method="tools/call", tool="refund", arguments=ARGUMENTS)
    hierarchy = ScopeHierarchy()
    decision = await judge(asked, who, SERVER, question, hierarchy, now=1_790_000_000.0)
    assert decision.allowed, decision  # a fast wrong answer is worthless
    begun = time.perf_counter()
    for _ in range(calls):
        await judge(asked, who, SERVER, question, hierarchy, now=1_790_000_000.0)
    spent = time.perf_counter() - begun
    return spent / calls * 1e6


async def run(*, quick: bool) -> None:
    """Measure and print."""
    rounds, calls = (5, 1_000) if quick else (15, 5_000)
    cases = {(n, conditional): policy(n, conditional=conditional) for n in (1, 8) for conditional in (False, True)}
    found: dict[tuple[int, bool], list[float]] = {case: [] for case in cases}
    for _ in range(rounds):
        for case, asked in cases.items():
            found[case].append(await measure(asked, calls))
    plain = {n: statistics.median(found[n, False]) for n in (1, 8)}
    print(f"{'matching rows':>14} {'without':>10} {'with a condition':>17} {'ratio':>6}")
    for n in (1, 8):
        with_conditions = statistics.median(found[n, True])
        print(f"{n:14} {plain[n]:7.1f} µs {with_conditions:14.1f} µs {with_conditions / plain[n]:6.1f}")


def main() -> None:
    """Run, or say what is missing."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    quick = options.parse_args().quick
    if importlib.util.find_spec("cel_expr_python") is None:
        print("the extra `conditions` is not installed")
        return
    asyncio.run(run(quick=quick))


if __name__ == "__main__":
    main()
