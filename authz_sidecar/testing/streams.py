"""Makes nasty policies and questions without end, the same ones for the same seed."""

from collections.abc import Iterator
from itertools import pairwise
from random import Random
from typing import Final

from authz_sidecar.rules import Effect, Membership, Pattern, Rule, Rules
from authz_sidecar.testing.cases import SOURCE, Ask

_NAMES: Final = ("user:a", "user:ab", "user:a,b", "user:role:a", "role:a", "role:ab", "role:b", "group:a", "client:a")
_ROLES: Final = tuple(f"role:{number}" for number in range(14))
_SERVERS: Final = ("ops", "op", "billing", "*")
_METHODS: Final = ("tools/call", "tools/list", "tools/", "prompts/get")
_TOOLS: Final = ("", "a", "ab", "abc", "a*", "*", "a,b", 'a"', "\u00e9", "e\u0301", "\U0001f510", "a\x00", "b")


def policy(random: Random) -> Rules:
    """Make a policy of up to 40 rows, with beginnings of each other, literal stars, chains and cycles of roles."""
    rules = tuple(_rule(random, line) for line in range(1, random.randrange(2, 42)))
    chain = list(_ROLES[: random.randrange(len(_ROLES) + 1)])
    pairs = list(pairwise(chain))
    pairs += [(random.choice(_NAMES + _ROLES), random.choice(_ROLES)) for _ in range(random.randrange(8))]
    random.shuffle(pairs)
    by_server = random.random() < 0.2
    memberships = tuple(
        Membership(
            member=member,
            role=role,
            source=SOURCE,
            line=line,
            text=f"g, {member}, {role}",
            server=random.choice((None, *_SERVERS)) if by_server else None,
        )
        for line, (member, role) in enumerate(pairs, len(rules) + 1)
    )
    return Rules(rules=rules, memberships=memberships, tool_groups=_groups(random) if random.random() < 0.2 else ())


def _groups(random: Random) -> tuple[Membership, ...]:
    pairs = [(random.choice(_TOOLS), random.choice(_TOOLS)) for _ in range(random.randrange(1, 8))]
    return tuple(
        Membership(member=member, role=role, source=SOURCE, line=line, text=f"g2, {member}, {role}")
        for line, (member, role) in enumerate(pairs, 101)
    )


def asks(random: Random, count: int) -> Iterator[Ask]:
    """Make questions about such policies."""
    for _ in range(count):
        yield Ask(
            subjects=frozenset(random.sample(_NAMES + _ROLES, random.randrange(5))),
            server=random.choice(_SERVERS),
            method=random.choice(_METHODS),
            tool=random.choice(_TOOLS) + random.choice(("", "", "x")),
        )


def _rule(random: Random, line: int) -> Rule:
    subject = _pattern(random, _NAMES + _ROLES)
    server = _pattern(random, _SERVERS)
    method = _pattern(random, _METHODS)
    tool = _pattern(random, _TOOLS)
    effect = random.choice((Effect.ALLOW, Effect.ALLOW, Effect.ALLOW, Effect.DENY))
    return Rule(
        subject=subject,
        server=server,
        method=method,
        tool=tool,
        effect=effect,
        source=SOURCE,
        line=line,
        text=f"p, {subject}, {server}, {method}, {tool}, {effect}",
    )


def _pattern(random: Random, words: tuple[str, ...]) -> Pattern:
    word = random.choice(words)
    match random.randrange(6):
        case 0:
            return Pattern(word[: random.randrange(len(word) + 1)], prefix=True)
        case 1:
            return Pattern("", prefix=True)
        case _:
            return Pattern(word)
