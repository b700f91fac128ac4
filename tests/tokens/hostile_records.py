"""Records of keys that are hostile or of the wrong kind, and the tokens that they would verify."""

import json
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.keys import parse_keys
from authz_sidecar.tokens.keyset import KeySet
from tests.tokens.attacks import NO_START, Attack
from tests.tokens.hostile_makers import public_key
from tests.tokens.keyfiles import public
from tests.tokens.makers import DROP, claim_bytes, header_bytes, issuer, key, sign
from tests.tokens.reasons import ALGORITHM, KEY

# --- key records


def jwks(*records: dict[str, Any]) -> Callable[[], list[Issuer]]:
    def make() -> list[Issuer]:
        return [issuer(keys=parse_keys(json.dumps({"keys": records}).encode()))]

    return make


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
