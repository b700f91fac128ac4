"""The gateway's own key: made once, kept in the state directory, and signing short-lived identities (ES256)."""

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

TYPE: Final = "authz-identity+jwt"
"""A type of its own: a server that accepts access tokens must not take an identity for one (RFC 8725 section 3.11)."""

_PRIVATE: Final = "identity-key.pem"
_PUBLIC: Final = "identity-jwks.json"


class Signer:
    """Signs claims as a compact JWT."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        """Take a P-256 key."""
        self._key = key
        numbers = key.public_key().public_numbers()
        point = {"crv": "P-256", "kty": "EC", "x": b64(numbers.x.to_bytes(32)), "y": b64(numbers.y.to_bytes(32))}
        # RFC 7638: the digest of the required members in this order and without white space.
        self.kid: Final = b64(hashlib.sha256(_compact(point)).digest())
        self.jwks: Final = {"keys": [{**point, "kid": self.kid, "alg": "ES256", "use": "sig"}]}
        self._header = b64(_compact({"alg": "ES256", "kid": self.kid, "typ": TYPE}))

    def sign(self, claims: Mapping[str, object]) -> str:
        """Give the token."""
        said = f"{self._header}.{b64(_compact(claims))}"
        r, s = decode_dss_signature(self._key.sign(said.encode("ascii"), ec.ECDSA(hashes.SHA256())))
        return f"{said}.{b64(r.to_bytes(32) + s.to_bytes(32))}"  # RFC 7518 section 3.4


def signer(state: Path) -> Signer:
    """Read the key from the state directory, or make one; its public half lies beside it. Raises `ValueError`."""
    path = state / _PRIVATE
    try:
        if not path.exists():
            _make(path)
        found = Signer(_read(path))
        _write(state / _PUBLIC, json.dumps(found.jwks, indent=2).encode() + b"\n", 0o644)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    return found


def secret(path: Path) -> bytes:
    """Read 32 random bytes from a file, or make them; raises `ValueError`."""
    try:
        if not path.exists():
            _write(path, os.urandom(32), 0o600)
        found = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from None
    if len(found) < 32:
        raise ValueError(f"{path}: shorter than 32 bytes; remove the file, and a new one is made")
    return found


def b64(data: bytes) -> str:
    """Spell bytes as base64url without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _read(path: Path) -> ec.EllipticCurvePrivateKey:
    data = path.read_bytes()
    try:
        key = serialization.load_pem_private_key(data, None)
    except (TypeError, ValueError, UnsupportedAlgorithm):
        raise ValueError(f"{path}: not a private key; remove the file, and a new one is made") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"{path}: expected a P-256 key; remove the file, and a new one is made")
    return key


def _make(path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, pem, 0o600)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole or not at all; nobody else can read it even for a moment, where the mode says so."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    fresh.rename(path)


def _compact(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
