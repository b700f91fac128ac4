"""The signature algorithms that a token may use, and which of them fit which kind of key."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, SECP521R1
from jwt.algorithms import Algorithm, ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm, RSAPSSAlgorithm

# A list of our own, so that a new version of the library cannot add one (`none` is in its list).
ALGORITHMS: Final[Mapping[str, Algorithm]] = MappingProxyType(
    {
        "ES256": ECAlgorithm(ECAlgorithm.SHA256, SECP256R1),
        "ES384": ECAlgorithm(ECAlgorithm.SHA384, SECP384R1),
        "ES512": ECAlgorithm(ECAlgorithm.SHA512, SECP521R1),
        "Ed25519": OKPAlgorithm(),
        "EdDSA": OKPAlgorithm(),
        "HS256": HMACAlgorithm(HMACAlgorithm.SHA256),
        "PS256": RSAPSSAlgorithm(RSAPSSAlgorithm.SHA256),
        "PS384": RSAPSSAlgorithm(RSAPSSAlgorithm.SHA384),
        "PS512": RSAPSSAlgorithm(RSAPSSAlgorithm.SHA512),
        "RS256": RSAAlgorithm(RSAAlgorithm.SHA256),
        "RS384": RSAAlgorithm(RSAAlgorithm.SHA384),
        "RS512": RSAAlgorithm(RSAAlgorithm.SHA512),
    }
)
"""What verifies (and, for `mint`, signs), by the name in a token's `alg`."""

# RFC 9864: `Ed25519` is the new, full name of what `EdDSA` means for this curve.
ED25519: Final = frozenset({"EdDSA", "Ed25519"})
RSA: Final = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
SECRET: Final = frozenset({"HS256"})
BY_CURVE: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "P-256": frozenset({"ES256"}),
        "P-384": frozenset({"ES384"}),
        "P-521": frozenset({"ES512"}),  # RFC 7518 section 3.4: the hash has 512 bits, the curve 521
        "Ed25519": ED25519,
    }
)


def same(algorithms: frozenset[str]) -> frozenset[str]:
    """Add the other name of an algorithm that has two."""
    return algorithms | ED25519 if algorithms & ED25519 else algorithms
