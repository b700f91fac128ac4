"""Attacks that need a setting: a warm cache, mapped claims, overridden audiences, time edges."""

import json
from collections.abc import Callable
from functools import cache
from itertools import count
from math import inf
from typing import Any

import pytest

from authz_sidecar.errors import TokenError
from authz_sidecar.model import RawToken, Reason, Server
from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.keyset import Key
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.attacks import NO_START, Attack, refuse
from tests.tokens.makers import (
    NOW,
    OTHER_SERVER,
    SERVER,
    Clock,
    claim_bytes,
    claims,
    header_bytes,
    issuer,
    key,
    sign,
    token,
    usual_keys,
)
from tests.tokens.reasons import AUDIENCE, CLAIM, EARLY, EXPIRED, KEY, MALFORMED, SIGNATURE

# --- a cache that knows a good token


@cache
def known() -> str:
    """One token, the same at each call: no two signatures of ES256 are alike."""
    return token()


def tampered(part: int) -> str:
    segments = known().split(".")
    changes = [header_bytes(x=1), claim_bytes(sub="root"), bytes(64)]
    segments[part] = base64url.encode(changes[part]).decode()
    return ".".join(segments)


class Withdrawn:
    """Keys that are there once, and never again; each look at the epoch finds another."""

    def __init__(self) -> None:
        self._epochs, self._finds = count(), count()

    good_for = inf
    development = False

    @property
    def epoch(self) -> int:
        return next(self._epochs)

    def find(self, kid: str | None, algorithm: str) -> Key:
        if next(self._finds):
            raise TokenError(KEY, "no such key")
        return usual_keys().find(kid, algorithm)

    async def seek(self) -> bool:
        return False


CACHE = [
    *(
        Attack(words=f"a known token with another {name}", reason=SIGNATURE, before=known,
               make=lambda part=part: tampered(part))  # type: ignore[misc] # a default binds the loop's value
        for part, name in enumerate(("header", "payload", "signature"))
    ),
    Attack(words="a known token with a space after", reason=MALFORMED, before=known, make=lambda: known() + " "),
    Attack(words="a known token with a part more", reason=MALFORMED, before=known, make=lambda: known() + ".x"),
    Attack(words="another token of the known jti", reason=SIGNATURE, before=known,
           make=lambda: sign(header_bytes(), claim_bytes(sub="root"), key("ES256", "stranger"))),
    Attack(words="a known token that has ended since", reason=EXPIRED, before=known, make=known, wait=330),
    Attack(words="a known token at another server", reason=AUDIENCE, before=known, make=known, server=OTHER_SERVER),
    Attack(words="a known token at a server of the same audience by another name", reason=AUDIENCE,
           before=known, make=known,
           server=Server(name="twin", audience=SERVER.audience, audiences={"main": "https://twin.example"})),
    Attack(words="a known token whose key was withdrawn since", reason=KEY, before=known, make=known,
           issuers=lambda: [issuer(keys=Withdrawn())]),
    Attack(words="a known token before it counts, the clock set back", reason=EARLY,
           before=known, make=known, wait=-41),
]  # fmt: skip

# --- claims that the configuration names

MAPPED = {"roles_claim": "realm_access.roles"}


def mapped(**changes: Any) -> Callable[[], list[Issuer]]:
    return lambda: [issuer(**changes)]


CLAIMS = [
    Attack(words="roles that are not there", reason=CLAIM, issuers=mapped(**MAPPED)),
    Attack(words="roles that are null", reason=CLAIM, issuers=mapped(roles_claim="r"), make=lambda: token(r=None)),
    Attack(words="roles that the provider keeps elsewhere", reason=CLAIM, issuers=mapped(groups_claim="groups"),
           make=lambda: token(groups=["a"], _claim_names={"groups": "src1"})),
    Attack(words="roles whose parent is kept elsewhere", reason=CLAIM, issuers=mapped(**MAPPED),
           make=lambda: token(realm_access={"roles": []}, _claim_names={"realm_access": "src1"})),
    Attack(words="a dotted claim that is kept elsewhere", reason=CLAIM, issuers=mapped(**MAPPED),
           make=lambda: token(realm_access={"roles": []}, _claim_names={"realm_access.roles": "src1"})),
    Attack(words="a list of distributed claims that cannot be read", reason=CLAIM, issuers=mapped(roles_claim="r"),
           make=lambda: token(r=["a"], _claim_names=["r"])),
    Attack(words="groups that are too many to tell", reason=CLAIM, issuers=mapped(groups_claim="groups"),
           make=lambda: token(groups=["a"], hasgroups=True)),
    Attack(words="an optional claim that was cut short", reason=CLAIM, make=lambda: token(_claim_names={"r": "s"}),
           issuers=mapped(roles_claim="r", optional_claims=frozenset({"r"}))),
    Attack(words="roles on a string", reason=CLAIM, issuers=mapped(**MAPPED), make=lambda: token(realm_access="roles")),
    Attack(words="a role with a line end", reason=MALFORMED, issuers=mapped(roles_claim="r"),
           make=lambda: token(r=["a", "b\nrole:admin"])),
    Attack(words="a role that is a number", reason=MALFORMED, issuers=mapped(roles_claim="r"),
           make=lambda: token(r=[7])),
    Attack(words="a role with a text direction of its own", reason=MALFORMED, issuers=mapped(roles_claim="r"),
           make=lambda: token(r=["\u2066nimda"])),
    Attack(words="an address that nobody verified", reason=CLAIM, issuers=mapped(user_claim="email"),
           make=lambda: token(email="root@ops.example")),
    Attack(words="an address that is verified by a string", reason=CLAIM, issuers=mapped(user_claim="email"),
           make=lambda: token(email="root@ops.example", email_verified="true")),
    Attack(words="an address that is verified by a number", reason=CLAIM, issuers=mapped(user_claim="email"),
           make=lambda: token(email="root@ops.example", email_verified=1)),
    Attack(words="a user claim that is not there", reason=CLAIM, issuers=mapped(user_claim="login")),
    Attack(words="a user claim that is a list", reason=MALFORMED, issuers=mapped(user_claim="login"),
           make=lambda: token(login=["root"])),
    Attack(words="a required claim that is not there", reason=CLAIM,
           issuers=mapped(required_claims=frozenset({"tenant"}))),
    Attack(words="a required claim that is null", reason=CLAIM, issuers=mapped(required_claims=frozenset({"tenant"})),
           make=lambda: token(tenant=None)),
    Attack(words="the usual audience where the issuer has another", reason=AUDIENCE,
           server=Server(name="ops", audience=SERVER.audience, audiences={"main": "api://ops"})),
    Attack(words="the audience of another issuer's tokens", reason=AUDIENCE, make=lambda: token(aud="api://ops"),
           server=Server(name="ops", audience=SERVER.audience, audiences={"other": "api://ops"})),
    Attack(words="an ID token by s_hash", reason=Reason.TOKEN_TYPE_NOT_ALLOWED, make=lambda: token(s_hash="x")),
    Attack(words="a family that is a number", reason=MALFORMED, issuers=mapped(family_claim="sid"),
           make=lambda: token(sid=7)),
]  # fmt: skip

TIMES = [
    Attack(words="ended at this moment, without leeway", reason=EXPIRED, make=lambda: token(exp=NOW),
           issuers=mapped(leeway=0.0)),
    Attack(words="ends a thousandth of a second ago", reason=EXPIRED, make=lambda: token(exp=NOW - 0.001),
           issuers=mapped(leeway=0.0)),
    Attack(words="counts in a thousandth of a second", reason=EARLY, make=lambda: token(nbf=NOW + 0.001),
           issuers=mapped(leeway=0.0)),
    Attack(words="was issued in a thousandth of a second", reason=EARLY, make=lambda: token(iat=NOW + 0.001),
           issuers=mapped(leeway=0.0)),
    Attack(words="ended before it began", reason=EXPIRED, make=lambda: token(exp=NOW - 60, nbf=NOW - 30)),
    Attack(words="ends and begins in the future", reason=EARLY, make=lambda: token(nbf=NOW + 100, exp=NOW + 200)),
]  # fmt: skip


def compact(**more: Any) -> str:
    """A token whose payload has no space: it is read by a shorter way, which must not be a laxer one."""
    spelled = json.dumps(claims(iat=int(NOW), exp=int(NOW) + 300) | more, separators=(",", ":"), ensure_ascii=False)
    return sign(header_bytes(), spelled.encode())


COMPACT = [
    Attack(words="a compact payload with an integer beyond 64 bits", reason=MALFORMED, make=lambda: compact(x=2**64)),
    Attack(words="the same in a list", reason=MALFORMED, make=lambda: compact(x=["a", -(2**64)])),
    Attack(words="the same in an object", reason=MALFORMED, make=lambda: compact(x={"a": [], "b": {"c": 2**70}})),
    Attack(words="a compact payload with sub in two cases", reason=MALFORMED, make=lambda: compact(Sub="root")),
    Attack(words="a compact payload with sub and a long s", reason=MALFORMED,
           make=lambda: compact(**{"\u017fub": "root"})),  # noqa: PIE804 - a keyword would be read as `sub`
    Attack(words="a compact payload with a hidden character in a key", reason=MALFORMED,
           make=lambda: compact(**{"sub\u200b": "root"})),
    Attack(words="a compact payload with keys alike inside a claim", reason=MALFORMED,
           make=lambda: compact(x=[{"a": 1, "A": 2}])),
]  # fmt: skip

OTHER = "https://other.example"

REFUSED = [
    *(
        Attack(words=f"an issuer with {words}", reason=NO_START, issuers=mapped(**change))
        for words, change in (
            ("an alias that could be misread", {"alias": "a/b"}),
            ("no name", {"issuer": ""}),
            ("no algorithms", {"algorithms": frozenset()}),
            ("an unknown kind of client tokens", {"client_tokens": "none"}),
            ("a path that cannot be read", {"roles_claim": "a..b"}),
            ("a leeway of an hour", {"leeway": 3600.0}),
            ("a leeway that is no number", {"leeway": float("nan")}),
        )
    ),
    Attack(words="an issuer with no user claim", reason=NO_START, says="needs a", issuers=mapped(user_claim="")),
    Attack(words="two issuers of one name", reason=NO_START,
           issuers=lambda: [issuer(qualify=True), issuer(alias="two", qualify=True)]),
    Attack(words="two issuers of one alias", reason=NO_START,
           issuers=lambda: [issuer(qualify=True), issuer(issuer=OTHER, qualify=True)]),
    Attack(words="two issuers whose names could be confused", reason=NO_START,
           issuers=lambda: [issuer(qualify=True), issuer(issuer=OTHER, alias="two")]),
]  # fmt: skip

ATTACKS = [*CACHE, *CLAIMS, *TIMES, *COMPACT, *REFUSED]


@pytest.mark.parametrize("attack", [pytest.param(one, id=one.words) for one in ATTACKS])
async def test_an_attack_is_refused_for_its_own_reason(attack: Attack) -> None:
    await refuse(attack)


async def test_a_compact_payload_is_read() -> None:
    assert (await JwtVerifier([issuer()], clock=Clock()).verify(RawToken(compact(x=2**64 - 1)), SERVER)).user


def test_no_attack_stands_twice() -> None:
    assert len({one.words for one in ATTACKS}) == len(ATTACKS)
