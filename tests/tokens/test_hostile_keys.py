"""Attacks on keys and signatures: other issuers, algorithm confusion, hostile key records, wrong forms."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, RSAAlgorithm

from authz_sidecar.errors import ConfigError
from authz_sidecar.model import RawToken, Reason
from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.keys import parse_keys
from authz_sidecar.tokens.keyset import Key, KeySet
from authz_sidecar.tokens.mint import public_jwks
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.attacks import NO_START, Attack, refuse
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

MALFORMED, TYPE = Reason.TOKEN_MALFORMED, Reason.TOKEN_TYPE_NOT_ALLOWED
KEY, SIGNATURE, FOREIGN = Reason.TOKEN_KEY_UNKNOWN, Reason.TOKEN_SIGNATURE_INVALID, Reason.TOKEN_ISSUER_UNKNOWN
ALGORITHM, AUDIENCE = Reason.TOKEN_ALGORITHM_NOT_ALLOWED, Reason.TOKEN_AUDIENCE_MISMATCH
EXPIRED, EARLY, CLAIM = Reason.TOKEN_EXPIRED, Reason.TOKEN_NOT_YET_VALID, Reason.TOKEN_CLAIM_MISSING
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

# --- key confusion


def public_key(kind: str) -> bytes:
    material = issuer().keys.find("rs256-1", "RS256").material
    assert not isinstance(material, bytes)
    if kind == "jwk":
        return json.dumps(public_jwks([key("RS256")])["keys"][0]).encode()
    if kind == "pem-pkcs1":
        return material.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    encoding = Encoding.DER if kind == "der" else Encoding.PEM
    return material.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


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

# --- key records


def jwks(*records: dict[str, Any]) -> Callable[[], list[Issuer]]:
    def make() -> list[Issuer]:
        return [issuer(keys=parse_keys(json.dumps({"keys": records}).encode()))]

    return make


def public(algorithm: str, **changes: Any) -> dict[str, Any]:
    record = public_jwks([key(algorithm)])["keys"][0] | changes
    return {name: value for name, value in record.items() if value is not DROP}


def pem(made: ec.EllipticCurvePublicKey) -> bytes:
    return made.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def weak_rsa(bits: int) -> dict[str, Any]:
    """Numbers of this length; the key is refused before anybody asks whether they are any good."""
    modulus = rsa.RSAPublicNumbers(65537, (1 << (bits - 1)) + 1).public_key()
    return dict(RSAAlgorithm.to_jwk(modulus, as_dict=True)) | {"kid": "weak", "key_ops": ["verify"]}


def curve(kind: ec.EllipticCurve, **changes: Any) -> dict[str, Any]:
    made = ec.generate_private_key(kind).public_key()
    return dict(ECAlgorithm.to_jwk(made, as_dict=True)) | {"kid": "curve"} | changes


BESIDE = public("ES256", kid="beside")

RECORDS = [
    Attack(words="a key that is for encryption", reason=KEY, issuers=jwks(public("ES256", use="enc"), BESIDE)),
    Attack(words="a key that only signs", reason=KEY, issuers=jwks(public("ES256", key_ops=["sign"]), BESIDE)),
    Attack(words="a key whose record names an algorithm for encryption", reason=KEY,
           issuers=jwks(public("ES256", alg="ECDH-ES"), BESIDE)),
    Attack(words="a key on a curve that is not supported", reason=KEY,
           issuers=jwks(public("ES256", crv="P-192"), BESIDE)),
    Attack(words="a key of a type that is not supported", reason=KEY, issuers=jwks(public("ES256", kty="AKP"), BESIDE)),
    Attack(words="a key on a longer curve", reason=ALGORITHM,
           issuers=jwks(curve(ec.SECP384R1(), kid="es256-1"), BESIDE)),
    Attack(words="a weak RSA key", reason=NO_START, issuers=jwks(weak_rsa(1024), BESIDE)),
    Attack(words="an RSA key that is a little too short", reason=NO_START, issuers=jwks(weak_rsa(2047), BESIDE)),
    Attack(words="an RSA key that takes for ever", reason=NO_START, says="larger than",
           issuers=jwks({"kty": "RSA", "kid": "w", "e": "AQAB", "n": "_" * 20_000}, BESIDE)),
    Attack(words="a private key", reason=NO_START, issuers=jwks(dict(key("ES256")))),
    Attack(words="a private key that says d alone", reason=NO_START, issuers=jwks(public("ES256", d="AA"))),
    Attack(words="a key whose record contradicts itself", reason=NO_START, issuers=jwks(public("ES256", alg="RS256"))),
    Attack(words="a point that is not on its curve", reason=NO_START, issuers=jwks(public("ES256", y="AA" * 21 + "A"))),
    Attack(words="a number that is not base64url", reason=NO_START, issuers=jwks(public("ES256", x="+" * 43))),
    Attack(words="a key without a type", reason=NO_START, issuers=jwks(public("ES256", kty=DROP))),
    Attack(words="a key without a number", reason=NO_START, issuers=jwks(public("ES256", x=DROP))),
    Attack(words="a record that is a string", reason=NO_START, issuers=jwks("key")),  # type: ignore[arg-type] # hostile
    Attack(words="a kid that is a number", reason=NO_START, issuers=jwks(public("ES256", kid=7))),
    Attack(words="a kid that is empty", reason=NO_START, issuers=jwks(public("ES256", kid=""))),
    Attack(words="a kid that is too long", reason=NO_START, issuers=jwks(public("ES256", kid="k" * 1025))),
    Attack(words="a list of key_ops with a number", reason=NO_START,
           issuers=jwks(public("ES256", key_ops=["verify", 7]))),
    Attack(words="a PEM key on a curve that is not supported", reason=NO_START,
           issuers=lambda: [issuer(keys=parse_keys(pem(ec.generate_private_key(ec.SECP256K1()).public_key())))]),
    Attack(words="no kid, and no keys at all", reason=KEY, make=lambda: sign(header_bytes(kid=DROP), claim_bytes()),
           issuers=lambda: [issuer(keys=KeySet())]),
    Attack(words="a kid with a control character", reason=NO_START, issuers=jwks(public("ES256", kid="a\nb"))),
    Attack(words="key_ops that are a string", reason=NO_START, issuers=jwks(public("ES256", key_ops="verify"))),
    Attack(words="a mark of development that is a string", reason=NO_START,
           issuers=jwks(public("ES256", authz_development="yes"))),
    Attack(words="a short secret", reason=NO_START,
           issuers=jwks({"kty": "oct", "k": base64url.encode(b"x" * 31).decode()})),
    Attack(words="a secret that is a public key", reason=NO_START,
           issuers=jwks({"kty": "oct", "k": base64url.encode(public_key("pem")).decode()})),
    Attack(words="one kid for two keys", reason=NO_START,
           issuers=jwks(public("ES256"), public("EdDSA", kid="es256-1"))),
    Attack(words="an algorithm that does not exist", reason=NO_START,
           issuers=lambda: [issuer(algorithms=frozenset({"none"}))]),
    Attack(words="no kid, and two keys fit", reason=KEY,
           make=lambda: sign(header_bytes(kid=DROP), claim_bytes()),
           issuers=jwks(public("ES256"), curve(ec.SECP256R1()))),
    Attack(words="no kid, and no key fits", reason=ALGORITHM,
           make=lambda: sign(header_bytes(kid=DROP), claim_bytes()), issuers=jwks(public("EdDSA"))),
    Attack(words="another kid than the only key has", reason=KEY,
           make=lambda: sign(header_bytes(kid="x"), claim_bytes()),
           issuers=jwks(public("ES256"))),
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
