"""Makers of tokens that somebody spoiled, each in one way; the canary stands in every one of them."""

import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import HMACAlgorithm

from authz_sidecar.model import Reason
from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.algorithms import ALGORITHMS
from authz_sidecar.tokens.mint import public_jwks
from tests.tokens.makers import CANARY, claim_bytes, claims, forge, header_bytes, issuer, key, sign, token

Row = tuple[Callable[[], str], Reason, str]
"""How a token is made, why it is refused, and what it is."""


def good(**changes: Any) -> str:
    """A token with the canary in it that only `changes` spoil."""
    return token(**{"sub": CANARY} | changes)


def bad_header(**changes: Any) -> str:
    """A signed token with a changed header."""
    return sign(header_bytes(**changes), claim_bytes(sub=CANARY))


def raw_header(header: bytes) -> str:
    return sign(header, claim_bytes(sub=CANARY))


def raw_claims(payload: bytes) -> str:
    return sign(header_bytes(), payload)


def with_claim(text: str) -> str:
    """A signed token whose payload has this JSON text as its last member."""
    return raw_claims(claim_bytes(sub=CANARY)[:-1] + b", " + text.encode() + b"}")


def segments(change: Callable[[list[str]], list[str]]) -> str:
    return ".".join(change(good().split(".")))


def stray_bits() -> str:
    """The same signature in another spelling: its last character has bits that decoders drop."""
    head, payload, signature = good().split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    last = alphabet[alphabet.index(signature[-1]) | 1]
    return f"{head}.{payload}.{signature[:-1]}{last}"


def confused() -> str:
    """RS256 key confusion: the public key of the issuer, as PEM, is the HMAC secret (CVE-2016-5431)."""
    material = issuer().keys.find("rs256-1", "RS256").material
    assert not isinstance(material, bytes)
    secret = material.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = forge({"alg": "HS256", "typ": "at+jwt", "kid": "rs256-1"}, claims(sub=CANARY)).rstrip(".").encode()
    return (signed + b"." + base64url.encode(HMACAlgorithm(HMACAlgorithm.SHA256).sign(signed, secret))).decode()


def resigned(alg: str, signer: str, kid: str) -> str:
    """Sign with one key and name another key or algorithm."""
    return sign(header_bytes(alg=alg, kid=kid), claim_bytes(sub=CANARY), key(signer))


def der_signature() -> str:
    """An ECDSA signature in DER, as OpenSSL writes it, where JOSE wants r and s (RFC 7518 section 3.4)."""
    signed = ".".join(good().split(".")[:2]).encode()
    private = ALGORITHMS["ES256"].from_jwk(key("ES256"))
    der = private.sign(signed, ec.ECDSA(ECHASH))
    return (signed + b"." + base64url.encode(der)).decode()


ECHASH = ALGORITHMS["ES256"].hash_alg()  # type: ignore[attr-defined] # an attribute of that class


def padded(part: int) -> str:
    return segments(lambda all_: [one + "=" if index == part else one for index, one in enumerate(all_)])


def acting(levels: int) -> dict[str, Any]:
    """An actor with so many actors, itself and those before it."""
    return {"sub": f"bot-{levels}"} | ({"act": acting(levels - 1)} if levels > 1 else {})


def json_serialization() -> str:
    head, payload, signature = good().split(".")
    return json.dumps({"protected": head, "payload": payload, "signature": signature})


def public_key(kind: str) -> bytes:
    material = issuer().keys.find("rs256-1", "RS256").material
    assert not isinstance(material, bytes)
    if kind == "jwk":
        return json.dumps(public_jwks([key("RS256")])["keys"][0]).encode()
    if kind == "pem-pkcs1":
        return material.public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    encoding = Encoding.DER if kind == "der" else Encoding.PEM
    return material.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
