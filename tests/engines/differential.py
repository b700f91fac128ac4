"""Holds our reading of Casbin models against pycasbin itself, on random models, policies and questions.

    python -m tests.engines.differential --seconds 30 [--seed 1]

Every model family of Casbin's manual that we compile (ACL, RBAC, with domains, with resource roles; with and without
deny), and models that we leave to Casbin. The rows go to pycasbin as its manual shows it, and to us as files; then
every question must get the same answer from the index, from the plain engine, and from the engine that asks pycasbin.
Three of pycasbin's traps are kept out, since there it is wrong: chains of roles beyond depth 10, a `*` that is not at
the end of a `keyMatch` pattern, and `&&` without blanks round it.
"""

import argparse
import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

import casbin

from authz_sidecar.engines.casbin import CasbinEngine, PycasbinEngine
from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.engines.plain import PlainEngine
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse
from authz_sidecar.ports import PolicyEngine

USERS = ("user:a", "user:ab", "user:b", "user:role:a")
ROLES = tuple(f"role:{number}" for number in range(8))
SERVERS = ("ops", "op", "billing")
METHODS = ("tools/call", "tools/list", "tools/")
TOOLS = ("a", "ab", "abc", "b", "a-b", "file:x")
GROUPS = ("grp1", "grp2", "grp3", "a")
ALLOW = "some(where (p.eft == allow))"
DENY = f"{ALLOW} && !some(where (p.eft == deny))"
WORDS = {"sub": USERS + ROLES, "dom": SERVERS, "obj": TOOLS, "act": METHODS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A model, rows for it and questions, all by one seed."""

    seed: int
    model: str
    rows: tuple[tuple[str, ...], ...]
    """With their kind in front."""
    questions: tuple[tuple[str, ...], ...]
    """In the order of the request."""
    fields: tuple[str, ...]


def draw(seed: int) -> Draw:
    """Make one; the same for the same seed."""
    random = Random(seed)  # noqa: S311 - for tests, and to be repeated
    fields = ["sub", *(["dom"] if random.random() < 0.5 else []), "obj", *(["act"] if random.random() < 0.8 else [])]
    roles = random.choice((0, 2, 3 if "dom" in fields else 2))
    groups = bool(roles) and random.random() < 0.4
    hows = {field: _how(random, field, roles, groups=groups) for field in fields}
    matcher = _foreign(random, hows, roles) if random.random() < 0.3 else _matcher(random, hows)
    with_effect = random.random() < 0.7
    ruled = [*fields, *(["eft"] if with_effect else [])]
    random.shuffle(ruled)
    model = [
        "[request_definition]\nr = " + ", ".join(fields),
        "[policy_definition]\np = " + ", ".join(ruled),
        "[policy_effect]\ne = " + (DENY if with_effect or random.random() < 0.5 else ALLOW),
        "[matchers]\nm = " + matcher,
    ]
    defined = [*(["g = " + ", ".join("_" * roles)] if roles else []), *(["g2 = _, _"] if groups else [])]
    if defined:
        model.insert(2, "[role_definition]\n" + "\n".join(defined))
    rows = list(_rows(random, ruled, hows, groups=groups))
    rows += _memberships(random, roles)
    rows += _grouped(random) if groups else []
    random.shuffle(rows)
    questions = tuple(_question(random, fields, ruled, rows) for _ in range(40))
    return Draw(seed=seed, model="\n".join(model) + "\n", rows=tuple(rows), questions=questions, fields=tuple(fields))


def _how(random: Random, field: str, roles: int, *, groups: bool) -> str:
    if field == "sub" and roles:
        return "g(r.sub, p.sub, r.dom)" if roles == 3 else "g(r.sub, p.sub)"
    if field == "obj" and groups:
        return "g2(r.obj, p.obj)"
    return random.choice((f"r.{field} == p.{field}", f"p.{field} == r.{field}", f"keyMatch(r.{field}, p.{field})"))


def _matcher(random: Random, hows: dict[str, str]) -> str:
    terms = list(hows.values())
    random.shuffle(terms)
    return " && ".join(terms)


def _foreign(random: Random, hows: dict[str, str], roles: int) -> str:
    """Join the same comparisons in a way that only Casbin can evaluate."""
    if hows["sub"].startswith("keyMatch"):
        hows["sub"] = "r.sub == p.sub"
    if roles == 2 and random.random() < 0.3:
        hows["sub"] = "(g(r.sub, p.sub) || r.sub == p.sub)"
    others = [hows[field] for field in hows if field != "sub"]
    loose = random.choice((f"({others[0]} || p.obj == 'ab')", f"!({others[0]})", f"({others[0]} || r.obj == 'b')"))
    return " && ".join([hows["sub"], loose, *others[1:]])


def _rows(random: Random, ruled: list[str], hows: dict[str, str], *, groups: bool) -> Iterator[tuple[str, ...]]:
    for _ in range(random.randrange(1, 14)):
        row = []
        for field in ruled:
            if field == "eft":
                row.append(random.choice(("allow", "allow", "deny")))
                continue
            word = random.choice(WORDS[field] + (GROUPS if field == "obj" and groups else ()))
            if "keyMatch" in hows[field] and random.random() < 0.5:
                # A beginning of a subject still says what kind of name it means.
                least = word.index(":") + 1 if field == "sub" else 0
                word = word[: random.randrange(least, len(word) + 1)] + "*"
            row.append(word)
        yield ("p", *row)


def _memberships(random: Random, roles: int) -> Iterator[tuple[str, ...]]:
    """Make rows without cycles and at most seven roles deep."""
    if not roles:
        return
    chain = random.sample(ROLES, random.randrange(len(ROLES)))
    pairs = {*pairwise(chain), *((random.choice(USERS), random.choice(ROLES)) for _ in range(random.randrange(6)))}
    for pair in sorted(pairs):
        yield ("g", *pair, *([random.choice(SERVERS)] if roles == 3 else []))


def _grouped(random: Random) -> list[tuple[str, ...]]:
    pairs = {(random.choice(TOOLS[1:]), random.choice(GROUPS)) for _ in range(random.randrange(6))}
    if random.random() < 0.5:
        pairs |= set(pairwise(GROUPS[: random.randrange(4)]))
    return [("g2", *pair) for pair in sorted(pairs)]


def _question(random: Random, fields: list[str], ruled: list[str], rows: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Ask anything, or about a row and whoever or whatever is a step below it, so that many questions hit."""
    asked = {field: _value(random, field) for field in fields}
    if random.random() < 0.6:
        row = dict(zip(ruled, random.choice([row for row in rows if row[0] == "p"])[1:], strict=True))
        asked |= {field: row[field].removesuffix("*") for field in fields}
        below = [row for row in rows if row[0] in ("g", "g2") and row[2] in asked.values() and random.random() < 0.7]
        asked |= {"sub" if row[0] == "g" else "obj": row[1] for row in below}
    return tuple(asked.values())


def _value(random: Random, field: str) -> str:
    return random.choice(WORDS[field]) + random.choice(("", "", "", "x"))


def stock(case: Draw) -> "casbin.Enforcer":
    """Fill an enforcer as Casbin's manual shows it: strings, its own roles, its own functions."""
    enforcer = casbin.Enforcer(casbin.Enforcer.new_model(text=case.model))
    for kind, *row in case.rows:
        if kind == "p":
            enforcer.add_policy(*row)
        else:
            enforcer.add_named_grouping_policy(kind, *row)
    return enforcer


def differences(case: Draw, *others: PolicyEngine) -> list[str]:
    """Give every question on which somebody disagrees with pycasbin, and every row or model that we refuse.

    `others` are asked beside our own engines, where the model is one that we compile.
    """
    found = Findings()
    csv = "".join(", ".join(row) + "\n" for row in case.rows)
    parsed = parse({"model.conf": case.model.encode(), "policy.csv": csv.encode()}, found)
    if found.problems:
        return [str(problem) for problem in found.problems]
    ours: list[PolicyEngine] = [CasbinEngine(), PycasbinEngine()]
    if parsed.rules.foreign is None:
        ours += [IndexEngine(), PlainEngine(), *others]
    policies = [(engine.name, engine.compile(parsed.rules)) for engine in ours]
    enforcer = stock(case)
    return asyncio.run(_ask(case, enforcer, policies))


async def _ask(case: Draw, enforcer: Any, policies: list[tuple[str, Any]]) -> list[str]:
    wrong: list[str] = []
    for question in case.questions:
        expected = enforcer.enforce(*question)
        call = dict(zip(case.fields, question, strict=True))
        for name, policy in policies:
            verdict = await policy.judge(
                frozenset({call["sub"]}), call.get("dom", "ops"), call.get("act", "tools/call"), call["obj"]
            )
            if bool(verdict) is not expected:
                wrong.append(f"{question}: pycasbin says {expected}, {name} says {bool(verdict)}")
    return wrong


def main() -> None:
    """Run for as long as told; ends with 1 and the seeds when there is a disagreement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    until, seed, wrong = time.monotonic() + options.seconds, options.seed, 0
    while time.monotonic() < until:
        for difference in differences(draw(seed))[:5]:
            wrong += 1
            print(f"seed {seed}: {difference}", flush=True)  # noqa: T201 - this is what it is for
        seed += 1
    print(f"{seed - options.seed} policies with 40 questions each from seed {options.seed} on: {wrong} disagreements")  # noqa: T201
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main()
