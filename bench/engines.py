"""What a decision costs in each engine, at 10 to 100,000 rules, beside raw pycasbin and a bare dict.

    python -m bench.engines [--quick]

The policy is fixed by a seed: 20 servers, literal methods, 10 % of the rows begin a tool name (`tool_7*`), 5 % deny; a
caller has 5 names (a user and 4 roles); at most 8 rows speak to a question, and half of the questions hit. First every
subject is proved to answer as the plain engine does; then come interleaved rounds, of which the medians count.
Absolute figures depend on the machine: read the ratios.
"""

import argparse
import asyncio
import logging
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import casbin
from casbin.model.model_fast import FastModel

from authz_sidecar.engines.casbin import PycasbinEngine
from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.engines.plain import PlainEngine
from authz_sidecar.ports import CompiledPolicy
from authz_sidecar.rules import Effect, Membership, Pattern, Rule, Rules

Call = tuple[frozenset[str], str, str, str]
Asker = Callable[[Call], bool]

METHODS = ("tools/call", "resources/read", "prompts/get")
SIZES = (10, 100, 1_000, 10_000, 100_000)
BUDGET = 0.12  # seconds for one subject in one round

RAW_MODEL = """
[request_definition]
r = sub, server, method, tool
[policy_definition]
p = sub, server, method, tool, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && r.server == p.server && r.method == p.method && keyMatch(r.tool, p.tool)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bed:
    """A policy and questions about it."""

    rules: Rules
    calls: tuple[Call, ...]


def make(size: int, seed: int = 7, calls: int = 100) -> Bed:
    random = Random(seed)
    roles = [f"role:r{number}" for number in range(max(4, size // 25))]
    rules: list[Rule] = []
    for line in range(1, size + 1):
        tool = f"tool_{line % max(10, size // 10)}"
        prefix = random.random() < 0.1
        rules.append(
            Rule(
                subject=Pattern(random.choice(roles)),
                server=Pattern(f"server-{line % 20}"),
                method=Pattern(random.choice(METHODS)),
                tool=Pattern(tool[:-1] if prefix else tool, prefix=prefix),
                effect=Effect.DENY if random.random() < 0.05 else Effect.ALLOW,
                source="policy.csv",
                line=line,
                text=f"row {line}",
            )
        )
    members = {f"user:u{number}": random.sample(roles, 4) for number in range(50)}
    memberships = tuple(
        Membership(member=user, role=role, source="policy.csv", line=0, text="")
        for user, held in members.items()
        for role in held
    )
    checked = Rules(rules=tuple(rules), memberships=memberships)
    return Bed(rules=checked, calls=_calls(random, checked, members, calls))


def _calls(random: Random, rules: Rules, members: dict[str, list[str]], wanted: int) -> tuple[Call, ...]:
    by_role: dict[str, list[Rule]] = {}
    for rule in rules.rules:
        by_role.setdefault(rule.subject.text, []).append(rule)
    plain = PlainEngine().compile(rules)
    calls: list[Call] = []
    while len(calls) < wanted:
        user = random.choice(sorted(members))
        subjects = frozenset({user, *members[user]})
        near = [rule for role in members[user] for rule in by_role.get(role, ())]
        rule = random.choice(near or list(rules.rules))
        tool = rule.tool.text + ("1" if rule.tool.prefix else "") if len(calls) % 2 else "no_such_tool"
        verdict = plain.verdict(subjects, rule.server.text, rule.method.text, tool)
        if len(verdict.allows) + len(verdict.denies) <= 8:
            calls.append((subjects, rule.server.text, rule.method.text, tool))
    return tuple(calls)


def engine(compiled: CompiledPolicy) -> Asker:
    """Ask without an event loop: the built-in engines let others in, but wait for nothing."""

    def ask(call: Call) -> bool:
        asked = compiled.judge(*call).__await__()
        while True:
            try:
                next(asked)
            except StopIteration as done:
                return bool(done.value)

    return ask


def raw(bed: Bed, enforcer: "casbin.Enforcer") -> Asker:
    """Ask pycasbin as its manual shows it: the user alone, roles by `g` rows, `keyMatch` for the tool."""
    rules = [[r.subject.text, r.server.text, r.method.text, str(r.tool), r.effect.value] for r in bed.rules.rules]
    model = enforcer.get_model()
    if isinstance(model["p"]["p"].policy, list):
        model["p"]["p"].policy = rules
    else:  # the filtering policy of FastEnforcer
        for rule in rules:
            model["p"]["p"].policy.append(rule)
    for row in bed.rules.memberships:
        enforcer.get_role_manager().add_link(row.member, row.role)

    def ask(call: Call) -> bool:
        subjects, *rest = call
        return bool(enforcer.enforce(next(name for name in subjects if name.startswith("user:")), *rest))

    return ask


def table(bed: Bed) -> Asker:
    """Look one key up in a dict: the control, not an engine."""
    plain = PlainEngine().compile(bed.rules)
    answers = {call: bool(plain.verdict(*call)) for call in bed.calls}
    return answers.__getitem__


def askers(bed: Bed, size: int) -> dict[str, Asker]:
    found = {"dict": table(bed), "index": engine(IndexEngine().compile(bed.rules))}
    if size > 10_000:
        return found
    new = casbin.Enforcer.new_model
    return found | {
        "plain": engine(PlainEngine().compile(bed.rules)),
        "casbin": engine(PycasbinEngine().compile(bed.rules)),
        "Enforcer": raw(bed, casbin.Enforcer(new(text=RAW_MODEL))),
        "FastEnforcer": raw(bed, _fast()),
    }


def _fast() -> "casbin.FastEnforcer":
    # Its cache keys are fields that are literal in every row: server and method.
    model = FastModel([1, 2])
    model.load_model_from_text(RAW_MODEL)
    return casbin.FastEnforcer(model, cache_key_order=[1, 2])


def prove(bed: Bed, subjects: dict[str, Asker], size: int) -> None:
    """A fast wrong answer is worthless."""
    plain = PlainEngine().compile(bed.rules)
    index = IndexEngine().compile(bed.rules)
    calls = bed.calls if size <= 1_000 else bed.calls[:20]
    for call in calls:
        expected = plain.verdict(*call)
        assert asyncio.run(index.judge(*call)) == expected, f"index differs on {call}"
        for name, ask in subjects.items():
            assert ask(call) is bool(expected), f"{name} differs on {call}"


def measure(ask: Asker, calls: tuple[Call, ...], budget: float) -> float:
    """µs of CPU for one question."""
    done, begin = 0, time.process_time()
    while True:
        for call in calls:
            ask(call)
            done += 1
            if done % 8 == 0 and (spent := time.process_time() - begin) > budget:
                return spent / done * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 1,000 rules, 3 rounds")
    quick = parser.parse_args().quick
    logging.disable()
    names = ["index", "plain", "casbin", "Enforcer", "FastEnforcer", "dict"]
    rounds = 3 if quick else 5
    print(f"µs of CPU for one decision, median of {rounds} interleaved rounds (spread), and the ratio to index")
    print(f"{'rules':>8} " + " ".join(f"{name:>26}" for name in names))
    for size in SIZES[: 3 if quick else None]:
        bed = make(size)
        subjects = askers(bed, size)
        prove(bed, subjects, size)
        taken: dict[str, list[float]] = {name: [] for name in subjects}
        for _ in range(rounds):
            for name, ask in subjects.items():
                taken[name].append(measure(ask, bed.calls, BUDGET))
        print(f"{size:>8,} " + " ".join(_cell(name, taken) for name in names))


def _cell(name: str, taken: dict[str, list[float]]) -> str:
    if name not in taken:
        return f"{'-':>26}"
    middle = statistics.median(taken[name])
    spread = (max(taken[name]) - min(taken[name])) / middle
    ratio = middle / statistics.median(taken["index"])
    return f"{middle:>11,.2f} ±{spread / 2:>4.0%} {ratio:>7,.1f}x"


if __name__ == "__main__":
    main()
