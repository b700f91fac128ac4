"""Keys as files hold them, of every kind that may come."""

import datetime
import json
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from authz_sidecar.tokens.mint import public_jwks
from tests.tokens.makers import DROP, key


def public(algorithm: str, **changes: Any) -> dict[str, Any]:
    record = public_jwks([key(algorithm)])["keys"][0] | changes
    return {name: value for name, value in record.items() if value is not DROP}


def data(*records: object) -> bytes:
    return json.dumps({"keys": records}).encode()


@cache
def small_rsa(bits: int) -> dict[str, Any]:
    private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return dict(RSAAlgorithm.to_jwk(private.public_key(), as_dict=True))


@cache
def pem(kind: str) -> bytes:
    spki = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    pkcs8 = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    old = (Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    rsa_key, ec_key = RSAAlgorithm.from_jwk(key("RS256")), ECAlgorithm.from_jwk(key("ES256"))
    assert isinstance(rsa_key, rsa.RSAPrivateKey)
    assert isinstance(ec_key, ec.EllipticCurvePrivateKey)
    match kind:
        case "rsa":
            return rsa_key.public_key().public_bytes(*spki)
        case "rsa-pkcs1":
            return rsa_key.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
        case "ec":
            return ec_key.public_key().public_bytes(*spki)
        case "ed25519":
            return ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*spki)
        case "ed448":
            return ed448.Ed448PrivateKey.generate().public_key().public_bytes(*spki)
        case "dsa":
            return dsa.generate_private_key(1024).public_key().public_bytes(*spki)  # noqa: S505 - it must be refused
        case "p256k1":
            return ec.generate_private_key(ec.SECP256K1()).public_key().public_bytes(*spki)
        case "rsa-1024":
            return rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key().public_bytes(*spki)  # noqa: S505 - it must be refused
        case "private":
            return rsa_key.private_bytes(*pkcs8)
        case "private-old":
            return ec_key.private_bytes(*old)
        case _:
            return certificate(ec_key)


def certificate(private: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
    day = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, day, day + datetime.timedelta(days=1))
    return builder.sign(private, SHA256()).public_bytes(Encoding.PEM)
