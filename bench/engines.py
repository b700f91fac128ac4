"""What a decision costs in each engine, at 10 to 100,000 rules, beside raw pycasbin, cedarpy and a bare dict.

    python -m bench.engines [--quick]

The policy is fixed by a seed: 20 servers, literal methods, 10 % of the rows begin a tool name (`tool_7*`), 5 % deny; a
caller has 5 names (a user and 4 roles); at most 8 rows speak to a question, and half of the questions hit. First every
subject is proved to answer as the plain engine does; then come interleaved rounds, of which the medians count. The
control `dict` is the least that anybody could do: one look-up of (name, server, method, tool) for each of the caller's
five names, no roles, no patterns, no deny, no rule named. `index` is the default engine; `index, new` meets every
caller for the first time. pycasbin and cedarpy are asked as their manuals show it, with roles and policies in place.
As in a running sidecar, the garbage collector leaves the finished policies alone. Absolute figures depend on the
machine: read the ratios.
"""

import argparse
import asyncio
import gc
import logging
import statistics
import time
import tracemalloc
from collections.abc import Callable

import casbin

from authz_sidecar.engines.casbin import PycasbinEngine
from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.engines.plain import PlainEngine
from authz_sidecar.judge import judge
from authz_sidecar.model import Principal, Question, Revision, Server
from authz_sidecar.ports import Policy
from authz_sidecar.rules import ScopeHierarchy
from bench.bed import Bed, Call, make
from bench.rivals import RAW_MODEL, Asker, cedar, engine, fast, raw, strangers, table

SIZES = (10, 100, 1_000, 10_000, 100_000)
BUDGET = 0.1  # seconds for one subject in one round
NAMES = ("dict", "index", "index, new", "pycasbin", "Enforcer", "FastEnforcer", "cedarpy")
LISTED = 200  # tools on one list


def askers(bed: Bed) -> dict[str, Asker]:
    new = casbin.Enforcer.new_model
    index = IndexEngine().compile(bed.rules)
    return {
        "dict": table(bed),
        "index": engine(index),
        "index, new": strangers(IndexEngine().compile(bed.rules)),
        "pycasbin": engine(PycasbinEngine().compile(bed.rules)),
        "Enforcer": raw(bed, casbin.Enforcer(new(text=RAW_MODEL))),
        "FastEnforcer": raw(bed, fast()),
        "cedarpy": cedar(bed),
    }


def prove(bed: Bed, subjects: dict[str, Asker], size: int) -> None:
    """A fast wrong answer is worthless."""
    plain = PlainEngine().compile(bed.rules)
    index = IndexEngine().compile(bed.rules)
    calls = bed.calls if size <= 1_000 else bed.calls[: 20 if size <= 10_000 else 4]
    for call in calls:
        expected = plain.verdict(*call)
        assert asyncio.run(index.judge(*call)) == expected, f"index differs on {call}"
        for name, ask in subjects.items():
            assert name == "dict" or ask(call) is bool(expected), f"{name} differs on {call}"


def measure(ask: Asker, calls: tuple[Call, ...], budget: float) -> float:
    """µs of CPU for one question."""
    done, begin = 0, time.process_time()
    step = 8
    while True:
        for call in calls:
            ask(call)
            done += 1
            if done % step == 0 or done == 1:
                spent = time.process_time() - begin
                step = 8 if spent / done < 0.001 else 1
                if spent > budget:
                    return spent / done * 1e6


def listing(bed: Bed) -> Asker:
    """Judge a whole `tools/list` of 200 tools, as the decision does: scopes, conditions and reasons included."""
    policy = Policy(revision=Revision("sha256:0"), rules=bed.rules, compiled=IndexEngine().compile(bed.rules))
    tools = [Question(method="tools/list", tool=f"tool_{number}") for number in range(LISTED)]

    async def whole(call: Call) -> int:
        subjects, name, *_ = call
        user = max(subjects)
        who = Principal(issuer="i", subject="s", user=user, groups=subjects - {user}, expires_at=0.0)
        server = Server(name=name, audience="a")
        return sum([(await judge(policy, who, server, asked, ScopeHierarchy())).allowed for asked in tools])

    def ask(call: Call) -> bool:
        try:
            whole(call).send(None)
        except StopIteration as done:
            return bool(done.value)
        raise AssertionError("the index waits for nothing")

    return ask


def memory(size: int) -> dict[str, float]:
    """MB that a compiled policy takes beyond its rows."""
    bed = make(size, calls=0)
    found: dict[str, float] = {}
    makers: dict[str, Callable[[], object]] = {
        "index": lambda: IndexEngine().compile(bed.rules),
        "Enforcer": lambda: raw(bed, casbin.Enforcer(casbin.Enforcer.new_model(text=RAW_MODEL))),
    }
    for name, maker in makers.items():
        tracemalloc.start()
        kept = maker()
        found[name] = tracemalloc.get_traced_memory()[0] / 1e6
        tracemalloc.stop()
        del kept
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 1,000 rules, 3 rounds")
    quick = parser.parse_args().quick
    logging.disable()
    rounds = 3 if quick else 5
    print(f"µs of CPU for one decision, median of {rounds} interleaved rounds (spread), and the ratio to dict")
    print(f"{'rules':>8} " + " ".join(f"{name:>25}" for name in NAMES) + f" {f'list of {LISTED}':>12}")
    middles: dict[int, dict[str, float]] = {}
    for size in SIZES[: 3 if quick else None]:
        bed = make(size)
        subjects = askers(bed)
        prove(bed, subjects, size)
        subjects["list"] = listing(bed)
        gc.collect()
        gc.freeze()
        taken: dict[str, list[float]] = {name: [] for name in subjects}
        for _ in range(rounds):
            for name, ask in subjects.items():
                taken[name].append(measure(ask, bed.calls, BUDGET))
        middles[size] = {name: statistics.median(values) for name, values in taken.items()}
        print(f"{size:>8,} " + " ".join(_cell(name, taken) for name in NAMES) + f" {middles[size]['list']:>12,.0f}")
        gc.unfreeze()
    first, *_, last = middles
    flat = middles[last]["index"] / middles[first]["index"]
    print(f"\nindex at {last:,} rules / at {first:,}: {flat:.2f}; index / dict at {last:,}: ", end="")
    print(f"{middles[last]['index'] / middles[last]['dict']:.2f}")
    for name, size in memory(last).items():
        print(f"memory of {name} at {last:,} rules, beyond the rows themselves: {size:.0f} MB")


def _cell(name: str, taken: dict[str, list[float]]) -> str:
    middle = statistics.median(taken[name])
    spread = (max(taken[name]) - min(taken[name])) / middle
    ratio = middle / statistics.median(taken["dict"])
    return f"{middle:>10,.2f} ±{spread / 2:>4.0%} {ratio:>7,.1f}x"


if __name__ == "__main__":
    main()
