"""Attacks on keys and signatures: other issuers, algorithm confusion, hostile key records, wrong forms."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA512
from jwt.algorithms import HMACAlgorithm

from authz_sidecar.errors import ConfigError
from authz_sidecar.model import RawToken
from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.keyset import Key
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.attacks import NO_START, Attack, refuse
from tests.tokens.hostile_makers import public_key
from tests.tokens.hostile_records import BESIDE, RECORDS, jwks
from tests.tokens.keyfiles import public
from tests.tokens.makers import (
    DROP,
    ISSUER,
    SECRET,
    SERVER,
    Clock,
    claim_bytes,
    claims,
    forge,
    header_bytes,
    issuer,
    key,
    keyset,
    sign,
    token,
)
from tests.tokens.reasons import ALGORITHM, CLAIM, FOREIGN, KEY, SIGNATURE, TYPE

STAGING = "https://idp.staging.example"

# --- issuers and their keys


def ours(**changes: Any) -> Issuer:
    return issuer(alias="ours", qualify=True, keys=keyset(key("ES256")), **changes)


def staging(**changes: Any) -> Issuer:
    """The same product in another environment, with a key of the same kid."""
    usual = {"issuer": STAGING, "keys": keyset(key("ES256", "staging") | {"kid": "es256-1"})}
    return issuer(alias="staging", qualify=True, **usual | changes)


def own_kid() -> list[Issuer]:
    return [ours(), staging(keys=keyset(key("ES256", "staging")))]


def signed_by_staging(**changes: Any) -> str:
    return sign(header_bytes(), claim_bytes(**changes), key("ES256", "staging"))


ISSUERS = [
    Attack(words="the key of another issuer under the same kid", reason=SIGNATURE, make=signed_by_staging,
           issuers=lambda: [ours(), staging()]),
    Attack(words="our key for a token of another issuer", reason=SIGNATURE, make=lambda: token(iss=STAGING),
           issuers=lambda: [ours(), staging()]),
    Attack(words="the key of another issuer under its own kid", reason=KEY, issuers=own_kid,
           make=lambda: sign(header_bytes(kid="staging"), claim_bytes(), key("ES256", "staging"))),
    Attack(words="a token of an environment that is not configured", reason=FOREIGN,
           make=lambda: signed_by_staging(iss=STAGING)),
    Attack(words="a token of another environment of one issuer", reason=CLAIM, make=lambda: token(env="staging"),
           issuers=lambda: [issuer(required_values={"env": frozenset({"production"})})]),
    Attack(words="a token that does not say its environment", reason=CLAIM,
           issuers=lambda: [issuer(required_values={"env": frozenset({"production"})})]),
    Attack(words="a list of environments without ours", reason=CLAIM, make=lambda: token(env=["staging", 7, None]),
           issuers=lambda: [issuer(required_values={"env": frozenset({"production"})})]),
    Attack(words="an environment that only begins like ours", reason=CLAIM, make=lambda: token(env="production2"),
           issuers=lambda: [issuer(required_values={"env": frozenset({"production"})})]),
    Attack(words="an actor of another configured issuer", reason=FOREIGN,
           make=lambda: token(act={"sub": "bot", "iss": STAGING}), issuers=lambda: [ours(), staging()]),
    Attack(words="an ID token where only the neighbor accepts them", reason=TYPE, make=lambda: token(at_hash="x"),
           issuers=lambda: [ours(), staging(types=frozenset({"id_token"}))]),
    Attack(words="an algorithm that only the neighbor uses", reason=ALGORITHM,
           make=lambda: sign(header_bytes(alg="RS256", kid="rs256-1"), claim_bytes(), key("RS256")),
           issuers=lambda: [ours(algorithms=frozenset({"ES256"})), staging()]),
    Attack(words="no issuer is configured", reason=FOREIGN, issuers=list),
    Attack(words="unsigned, from an issuer that nobody knows", reason=ALGORITHM,
           make=lambda: forge({"alg": "none"}, claims(iss="https://evil.example"))),
]  # fmt: skip


def hmac(secret: bytes, **header: Any) -> str:
    """A token that HMAC with this secret made."""
    head = json.loads(header_bytes(**{"alg": "HS256"} | header))
    signed = forge(head, claims()).rstrip(".").encode()
    hashed = {"HS256": HMACAlgorithm.SHA256, "HS384": HMACAlgorithm.SHA384, "HS512": HMACAlgorithm.SHA512}
    made = HMACAlgorithm(hashed[head["alg"]]).sign(signed, secret)
    return (signed + b"." + base64url.encode(made)).decode()


def careless() -> list[Issuer]:
    """An issuer whose list of algorithms has HMAC beside its public keys: the key record still decides."""
    return [issuer(algorithms=frozenset({"RS256", "ES256", "HS256"}))]


def secret() -> list[Issuer]:
    return [issuer(algorithms=frozenset({"HS256"}), keys=keyset(SECRET))]


SHARED = base64url.decode(str(SECRET["k"]).encode())

CONFUSION = [
    *(
        Attack(words=f"the public key as HMAC secret, {kind}, where the list of algorithms allows it", reason=ALGORITHM,
               make=lambda kind=kind: hmac(public_key(kind), kid="rs256-1"), issuers=careless)  # type: ignore[misc]
        for kind in ("pem", "pem-pkcs1", "der", "jwk")
    ),
    Attack(words="the public key as HMAC secret without a kid", reason=ALGORITHM,
           make=lambda: hmac(public_key("pem"), kid=DROP), issuers=careless),
    Attack(words="an empty HMAC secret", reason=SIGNATURE, make=lambda: hmac(b"", kid="secret-1"), issuers=secret),
    Attack(words="the text of the HMAC secret for its bytes", reason=SIGNATURE, issuers=secret,
           make=lambda: hmac(str(SECRET["k"]).encode(), kid="secret-1")),
    Attack(words="the secret with another hash", reason=ALGORITHM, issuers=secret,
           make=lambda: hmac(SHARED, kid="secret-1", alg="HS384")),
    Attack(words="a signature where a secret is configured", reason=ALGORITHM, issuers=secret,
           make=lambda: sign(header_bytes(alg="RS256", kid="secret-1"), claim_bytes(), key("RS256"))),
    Attack(words="unsigned where a secret is configured", reason=ALGORITHM, issuers=secret,
           make=lambda: forge({"alg": "none", "kid": "secret-1"}, claims())),
    Attack(words="a secret beside public keys", reason=NO_START,
           issuers=lambda: [issuer(keys=keyset(SECRET, key("ES256")))]),
    Attack(words="PSS on a key that is recorded for PKCS #1", reason=ALGORITHM,
           make=lambda: sign(header_bytes(alg="PS256", kid="rs256-1"), claim_bytes(), key("RS256") | {"alg": "PS256"}),
           issuers=lambda: [issuer(algorithms=frozenset({"RS256", "PS256"}))]),
    Attack(words="a longer hash on a key that is recorded for another", reason=ALGORITHM,
           make=lambda: sign(header_bytes(alg="RS512", kid="rs256-1"), claim_bytes(), key("RS256") | {"alg": "RS512"}),
           issuers=lambda: [issuer(algorithms=frozenset({"RS256", "RS512"}))]),
]  # fmt: skip

# --- signatures with the right key in the wrong form


def changed_signature(algorithm: str, change: Callable[[bytes], bytes]) -> str:
    text = sign(header_bytes(alg=algorithm, kid=f"{algorithm.lower()}-1"), claim_bytes(), key(algorithm))
    head, payload, made = text.split(".")
    return f"{head}.{payload}.{base64url.encode(change(base64url.decode(made.encode()))).decode()}"


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493


def malleable(signature: bytes) -> bytes:
    """Ed25519 with S + L: the same equation, which RFC 8032 section 5.1.7 forbids."""
    s = int.from_bytes(signature[32:], "little") + ED25519_ORDER
    return signature[:32] + s.to_bytes(32, "little")


FORMS = [
    Attack(words="ECDSA with r and s zero", reason=SIGNATURE,
           make=lambda: changed_signature("ES256", lambda _: bytes(64))),
    Attack(words="ECDSA with r and s the order of the curve", reason=SIGNATURE,
           make=lambda: changed_signature("ES256", lambda _: P256_ORDER.to_bytes(32, "big") * 2)),
    Attack(words="ECDSA with a zero before r and s", reason=SIGNATURE,
           make=lambda: changed_signature("ES256", lambda s: b"\0" + s[:32] + b"\0" + s[32:])),
    Attack(words="Ed25519 with S beyond the order", reason=SIGNATURE,
           make=lambda: changed_signature("EdDSA", malleable)),
    Attack(words="Ed25519 with one byte more", reason=SIGNATURE,
           make=lambda: changed_signature("EdDSA", lambda s: s + b"\0")),
    Attack(words="RSA with a zero before", reason=SIGNATURE,
           make=lambda: changed_signature("RS256", lambda s: b"\0" + s)),
    Attack(words="RSA with the value one", reason=SIGNATURE,
           make=lambda: changed_signature("RS256", lambda s: bytes(len(s) - 1) + b"\1")),
    Attack(words="RSA with a value beyond the modulus", reason=SIGNATURE,
           make=lambda: changed_signature("RS256", lambda s: b"\xff" * len(s))),
]  # fmt: skip

# --- one key, asked directly: it does not rely on whoever chose it


def asked(algorithm: str, material: Any, *, recorded: str, signature: bytes) -> Callable[[], list[Issuer]]:
    def ask() -> list[Issuer]:
        one = Key(kid="k", kty="RSA", algorithms=frozenset({recorded}), material=material)
        if one.verifies(algorithm, b"signed", signature):
            return [issuer()]
        raise ConfigError("no")

    return ask


SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - too small for what is asked of it
MADE = SMALL.sign(b"signed", PKCS1v15(), SHA512())

ASKED = [
    Attack(words="a key asked for an algorithm that it is not recorded for", reason=NO_START,
           issuers=asked("RS512", SMALL.public_key(), recorded="RS256", signature=MADE)),
    Attack(words="a key that is too small for the hash", reason=NO_START,
           issuers=asked("PS512", SMALL.public_key(), recorded="PS512", signature=MADE)),
]  # fmt: skip

ATTACKS = [*ISSUERS, *CONFUSION, *RECORDS, *FORMS, *ASKED]


@pytest.mark.parametrize("attack", [pytest.param(one, id=one.words) for one in ATTACKS])
async def test_an_attack_is_refused_for_its_own_reason(attack: Attack) -> None:
    await refuse(attack)


def test_no_attack_stands_twice() -> None:
    assert len({one.words for one in ATTACKS}) == len(ATTACKS)


async def test_the_settings_accept_a_good_token() -> None:
    """A row proves something only because its setting would accept the token that it spoils."""
    for by in ([issuer()], [ours(), staging()], own_kid(), careless(), jwks(public("ES256"), BESIDE)()):
        assert await JwtVerifier(by, clock=Clock()).verify(RawToken(token()), SERVER)
    assert await JwtVerifier(secret(), clock=Clock()).verify(RawToken(hmac(SHARED, kid="secret-1")), SERVER)
    same = changed_signature("RS256", lambda signature: signature)
    assert await JwtVerifier([issuer()], clock=Clock()).verify(RawToken(same), SERVER)
    two = token(iss=STAGING, act={"sub": "bot", "iss": STAGING})
    good = sign(header_bytes(), json.dumps(claims(iss=STAGING)).encode(), key("ES256", "staging"))
    assert two
    assert (await JwtVerifier([ours(), staging()], clock=Clock()).verify(RawToken(good), SERVER)).issuer == STAGING
    assert ISSUER != STAGING
