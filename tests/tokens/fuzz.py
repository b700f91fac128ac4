"""Fuzzes the token room for as long as it is told: `python -m tests.tokens.fuzz [SECONDS]` (30 by default).

Every input must be verified or refused by `TokenError`, the explanation must agree with the verifier, no message may
hold a part of the token, and what is accepted must be the good token itself. The seed is printed and can be given as
second argument. Exits with 1 at the first input that breaks this, and prints it.
"""

import asyncio
import base64
import json
import random
import secrets
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import click

from authz_sidecar.errors import TokenError
from authz_sidecar.model import RawToken
from authz_sidecar.tokens.inspect import inspect
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import SERVER, Clock, claims, header_bytes, issuer, sign
from tests.tokens.test_hostile_tokens import ROWS

FULL: Final = issuer(
    roles_claim=("realm_access.roles", 'resource_access."a.b".roles'),
    groups_claim="groups",
    family_claim="sid",
    optional_claims=frozenset({'resource_access."a.b".roles'}),
    required_claims=frozenset({"tenant"}),
    required_values={"env": frozenset({"production"})},
    condition_claims=frozenset({"dept", "a.b"}),
)
GOOD: Final[dict[str, Any]] = claims(
    realm_access={"roles": ["a"]}, groups=["b"], tenant="t", env="production", sid="s",
    act={"sub": "bot", "act": {"sub": "before"}}, dept=[1],
)  # fmt: skip
VALID: Final = sign(header_bytes(), json.dumps(GOOD).encode())
WORDS: Final = [
    *(
        "none",
        "ES256",
        "HS256",
        "RS256",
        "at+jwt",
        "JWT",
        "\x00",
        "\u202e",
        "ſ",
        "\ud800",
        "é",
        "e\u0301",
        ".",
        "..",
        "==",
    ),
    *("alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5u", "x5c", "iss", "sub", "aud", "exp", "nbf", "iat", "act"),
    *("cnf", "scope", "scp", "_claim_names", "hasgroups", "groups", "roles", "tenant", "env", "1e999", "NaN", "-0"),
]


def _value(dice: random.Random, depth: int = 0) -> Any:
    kind = dice.randrange(9 if depth < 20 else 6)
    if kind == 6:
        return [_value(dice, depth + 1) for _ in range(dice.randrange(4))]
    if kind >= 7:
        return {dice.choice(WORDS): _value(dice, depth + 1) for _ in range(dice.randrange(4))}
    numbers = [0, -1, 2**63, 2**64, 1e308, float("nan"), float("inf"), 1_800_000_000, dice.random()]
    return (None, dice.random() < 0.5, dice.choice(numbers), dice.choice(WORDS), _text(dice), "production")[kind]


def _text(dice: random.Random) -> str:
    return "".join(chr(dice.choice((dice.randrange(128), dice.randrange(0x3000)))) for _ in range(dice.randrange(20)))


def _bytes(dice: random.Random, data: bytes) -> bytes:
    """Change a few places of some bytes."""
    changed = bytearray(data)
    for _ in range(dice.randrange(1, 5)):
        at = dice.randrange(len(changed) + 1)
        match dice.randrange(4):
            case 0:
                changed[at : at + dice.randrange(9)] = b""
            case 1:
                changed[at:at] = dice.choice(WORDS).encode("utf-8", "surrogatepass")
            case 2:
                changed[at : at + 1] = bytes([dice.randrange(256)])
            case _:
                changed[at:at] = changed[: dice.randrange(40)]
    return bytes(changed)


def _cut(dice: random.Random) -> str:
    return _bytes(dice, VALID.encode()).decode("utf-8", "surrogateescape")


def _header(dice: random.Random) -> str:
    return sign(_bytes(dice, header_bytes()), json.dumps(GOOD).encode())


def _payload(dice: random.Random) -> str:
    return sign(header_bytes(), _bytes(dice, json.dumps(GOOD).encode()))


def _members(dice: random.Random) -> str:
    head = json.loads(header_bytes()) | {dice.choice(WORDS): _value(dice) for _ in range(dice.randrange(2))}
    body = GOOD | {dice.choice(list(GOOD) + WORDS): _value(dice) for _ in range(dice.randrange(3))}
    return sign(json.dumps(head).encode("utf-8", "surrogatepass"), json.dumps(body).encode("utf-8", "surrogatepass"))


def _segments(dice: random.Random) -> str:
    parts = [base64.urlsafe_b64encode(dice.randbytes(dice.randrange(60))).decode() for _ in range(dice.randrange(6))]
    return ".".join(parts)


def _spliced(dice: random.Random) -> str:
    rows = [str(dice.choice(ROWS).values[0]()) for _ in range(2)]  # type: ignore[operator] # a maker
    one, two = (row if len(row) < 40_000 else row[:40_000] for row in rows)
    return one[: dice.randrange(len(one) + 1)] + two[dice.randrange(len(two) + 1) :]


MAKERS: Final[tuple[Callable[[random.Random], str], ...]] = (_cut, _header, _payload, _members, _segments, _spliced)


def leaks(detail: str, text: str) -> bool:
    """Say whether twelve characters of the token stand in the message."""
    return any(text[at : at + 12] in detail for at in range(len(text) - 11)) if len(text) < 20_000 else False


async def check(text: str) -> bool:
    """Hold one input to the promises; gives whether it was accepted."""
    reason, detail, accepted = None, "", False
    try:
        accepted = bool(await JwtVerifier([FULL], clock=Clock()).verify(RawToken(text), SERVER))
    except TokenError as error:
        reason, detail = error.reason, str(error)
    found = inspect(text, [FULL], SERVER, Clock())
    assert found.reason is reason
    assert bool(found) is accepted
    assert not leaks(detail, text)
    if accepted:
        assert found.signed
    return accepted


async def run(seconds: float, seed: int) -> int:
    """Fuzz, and give the exit code."""
    dice, until, tried, accepted = random.Random(seed), time.monotonic() + seconds, 0, 0  # noqa: S311 - no secret
    assert await check(VALID)
    while time.monotonic() < until:
        text = dice.choice(MAKERS)(dice)
        try:
            accepted += await check(text)
        except BaseException as error:
            click.echo(f"seed {seed}, input {tried}: {type(error).__name__}: {error}\n{text!r}")
            raise
        tried += 1
    click.echo(f"seed {seed}: {tried} tokens, {accepted} accepted, every other refused in order")
    return 0


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(
        asyncio.run(run(float(given[0]) if given else 30.0, int(given[1]) if len(given) > 1 else secrets.randbits(32)))
    )
