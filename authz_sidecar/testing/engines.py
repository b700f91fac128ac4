"""The contract of a policy engine, for the author of one to run.

from authz_sidecar.testing.engines import check_engine

def test_my_engine_keeps_the_contract() -> None:
    check_engine(MyEngine())
"""

import asyncio
from random import Random

from authz_sidecar.engines.plain import PlainEngine
from authz_sidecar.ports import CompiledPolicy, PolicyEngine
from authz_sidecar.rules import Rules, Verdict
from authz_sidecar.testing import streams
from authz_sidecar.testing.cases import CASES, Ask


def check_engine(engine: PolicyEngine, *, seed: int = 1, policies: int = 100) -> None:
    """Hold an engine against the table of cases and against the plain engine on `policies` random policies.

    Raises `AssertionError` that names the first policy and question on which the engine is wrong; whatever the engine
    raises comes through. Runs an event loop of its own, so call it from a plain function. A failure repeats with the
    same seed.
    """
    asyncio.run(_contract(engine, seed, policies))


async def _contract(engine: PolicyEngine, seed: int, policies: int) -> None:
    if not engine.name:
        raise AssertionError("an engine has a name that is not empty")
    for case in CASES:
        await _check_policy(engine, case.rules, case.asks, f"`{case.id}`")
    random = Random(seed)  # noqa: S311 - for tests, and to be repeated
    for number in range(policies):
        rules = streams.policy(random)
        asks = [await _answered(rules, ask) for ask in streams.asks(random, 20)]
        await _check_policy(engine, rules, tuple(asks), f"random policy {number} of seed {seed}")


async def _answered(rules: Rules, ask: Ask) -> Ask:
    verdict = await _judge(PlainEngine().compile(rules), ask)
    return Ask(
        subjects=ask.subjects,
        server=ask.server,
        method=ask.method,
        tool=ask.tool,
        allows=tuple(rule.line for rule in verdict.allows),
        denies=tuple(rule.line for rule in verdict.denies),
    )


async def _check_policy(engine: PolicyEngine, rules: Rules, asks: tuple[Ask, ...], where: str) -> None:
    compiled = engine.compile(rules)
    alone = [await _judge(compiled, ask) for ask in asks]
    # Another policy is born and all is asked at once: a snapshot stays what it was, and questions do not mix.
    engine.compile(Rules())
    together = await asyncio.gather(*(_judge(compiled, ask) for ask in reversed(asks)))
    for ask, first, second in zip(asks, alone, reversed(together), strict=True):
        _check_verdict(rules, ask, first, where)
        if second != first:
            raise AssertionError(f"{where}: {ask}: asked again among others, the answer is another")


def _check_verdict(rules: Rules, ask: Ask, verdict: Verdict, where: str) -> None:
    by_line = {rule.line: rule for rule in rules.rules}
    expected = Verdict(
        allows=tuple(by_line[line] for line in ask.allows), denies=tuple(by_line[line] for line in ask.denies)
    )
    if verdict == expected:
        return
    text = "\n".join(f"  {rule.line}: {rule.text}" for rule in rules.rules)
    text += "".join(f"\n  {row.line}: {row.text}" for row in rules.memberships)
    raise AssertionError(
        f"{where}: {ask}: expected lines {_lines(expected)}, the engine says {_lines(verdict)}; the policy is\n{text}"
    )


def _lines(verdict: Verdict) -> str:
    allows = [rule.line for rule in verdict.allows]
    denies = [rule.line for rule in verdict.denies]
    return f"{allows} to allow and {denies} to deny"


async def _judge(compiled: CompiledPolicy, ask: Ask) -> Verdict:
    return await compiled.judge(ask.subjects, ask.server, ask.method, ask.tool)
