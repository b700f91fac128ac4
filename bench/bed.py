"""Makes a policy of any size and questions about it, fixed by a seed: what the benchmarks of policies stand on.

20 servers, literal methods, 10 % of the rows begin a tool name (`tool_7*`), 5 % deny; a caller has 5 names (a user and
4 roles); at most 8 rows speak to a question, and half of the questions hit.
"""

from dataclasses import dataclass
from random import Random

from authz_sidecar.engines.plain import PlainEngine
from authz_sidecar.rules import Effect, Membership, Pattern, Rule, Rules

Call = tuple[frozenset[str], str, str, str]

METHODS = ("tools/call", "resources/read", "prompts/get")


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
