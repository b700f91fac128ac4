"""Checks of signatures by `cryptography` alone, prepared once for each key and algorithm.

The JWT library's own `verify` prepares hashes, paddings and curves anew for each token.
"""

import hmac
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurve,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384, SHA512, HashAlgorithm

Material = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey | bytes

Check = Callable[[bytes, bytes], bool]
"""Takes what was signed and the signature, and says whether they belong together; False on any doubt."""

_HASHES: Final[Mapping[str, HashAlgorithm]] = MappingProxyType({"256": SHA256(), "384": SHA384(), "512": SHA512()})
_CURVES: Final[Mapping[str, type[EllipticCurve]]] = MappingProxyType(
    {"ES256": SECP256R1, "ES384": SECP384R1, "ES512": SECP521R1}
)


def never(_: bytes, __: bytes) -> bool:
    """Refuse: the key is not for the algorithm."""
    return False


def check(material: Material, algorithm: str) -> Check:
    """Prepare the check of an algorithm (RFC 7518 section 3, RFC 8037); `never` when the key is not for it."""
    match material:
        case RSAPublicKey() if algorithm[:2] in ("RS", "PS") and algorithm[2:] in _HASHES:
            return _rsa(material, algorithm)
        case EllipticCurvePublicKey() if algorithm in _CURVES and isinstance(material.curve, _CURVES[algorithm]):
            return _ecdsa(material, _HASHES[algorithm[2:]])
        case Ed25519PublicKey() if algorithm in ("EdDSA", "Ed25519"):
            return _ed25519(material)
        case bytes() if algorithm == "HS256":
            return _hmac(material)
        case _:
            return never


def _rsa(key: RSAPublicKey, algorithm: str) -> Check:
    digest = _HASHES[algorithm[2:]]
    # RFC 7518 section 3.5: the salt is as long as the hash.
    padding = PKCS1v15() if algorithm.startswith("RS") else PSS(mgf=MGF1(digest), salt_length=digest.digest_size)
    verify = key.verify

    def found(signed: bytes, signature: bytes) -> bool:
        try:
            verify(signature, signed, padding, digest)
        except (InvalidSignature, ValueError, UnsupportedAlgorithm):
            return False
        return True

    return found


def _ecdsa(key: EllipticCurvePublicKey, digest: HashAlgorithm) -> Check:
    half = (key.curve.key_size + 7) // 8
    whole, scheme, verify = 2 * half, ECDSA(digest), key.verify

    def found(signed: bytes, signature: bytes) -> bool:
        # RFC 7518 section 3.4: r and s at full length, and nothing else; DER, or a shorter spelling, is another text.
        if len(signature) != whole:
            return False
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        try:
            verify(encode_dss_signature(r, s), signed, scheme)
        except (InvalidSignature, ValueError, UnsupportedAlgorithm):
            return False
        return True

    return found


def _ed25519(key: Ed25519PublicKey) -> Check:
    verify = key.verify

    def found(signed: bytes, signature: bytes) -> bool:
        try:
            verify(signature, signed)
        except (InvalidSignature, ValueError, UnsupportedAlgorithm):
            return False
        return True

    return found


def _hmac(secret: bytes) -> Check:
    def found(signed: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(secret, signed, "sha256"), signature)

    return found
