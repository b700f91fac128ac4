"""Making keys and tokens, for development and tests only: whoever holds such a key can be anybody."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from authz_sidecar import strictjson
from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.algorithms import ALGORITHMS, ED25519, RSA
from authz_sidecar.tokens.jwk import DEVELOPMENT, PRIVATE_MEMBERS, shown

Jwk = dict[str, object]

_CURVES: Final[Mapping[str, type[ec.EllipticCurve]]] = {
    "ES256": ec.SECP256R1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
}
# RFC 7638 section 3.2: the members that make a key what it is.
_ESSENCE: Final = ("crv", "e", "kty", "n", "x", "y")


def generate_key(algorithm: str = "ES256", *, kid: str | None = None, development: bool = True) -> Jwk:
    """Make a private JWK for one algorithm; without a `kid` it is named by its RFC 7638 thumbprint.

    Raises `ConfigError` for an algorithm that has no key pair.
    """
    key = _pair(algorithm)
    key.pop("key_ops", None)
    key |= {"kid": thumbprint(key) if kid is None else kid, "alg": algorithm, "use": "sig"}
    if development:
        key[DEVELOPMENT] = True
    return key


def thumbprint(key: Mapping[str, object]) -> str:
    """Name a key by its public part (RFC 7638)."""
    essence = {name: key[name] for name in _ESSENCE if name in key}
    return base64url.encode(hashlib.sha256(_json(essence)).digest()).decode("ascii")


def public_jwks(keys: Iterable[Mapping[str, object]]) -> dict[str, list[Jwk]]:
    """Give the public parts as a JWKS; the mark of a development key stays. Raises `ConfigError` for a secret."""
    found: list[Jwk] = []
    for key in keys:
        if key.get("kty") == "oct":
            raise ConfigError("a shared secret has no public part")
        found.append({name: value for name, value in key.items() if name not in PRIVATE_MEMBERS})
    return {"keys": found}


def write_keys(path: Path, keys: Iterable[Mapping[str, object]]) -> None:
    """Write private keys as a JWKS that only its owner can read (mode 0600).

    Raises `ConfigError` when the file exists already, or cannot be written.
    """
    data = json.dumps({"keys": [dict(key) for key in keys]}, indent=2).encode() + b"\n"
    try:
        # Exclusive: a key that tokens were signed with is not lost, and no link is followed.
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(data)
    except FileExistsError:
        raise ConfigError(f"{path}: exists already; remove it first, or name another file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot write the keys: {error.strerror}") from None


def read_keys(path: Path) -> list[Jwk]:
    """Read private keys that `write_keys` wrote, or raise `ConfigError`."""
    try:
        document = strictjson.loads(path.read_bytes(), max_depth=8)
    except OSError as error:
        raise ConfigError(f"{path}: cannot read the keys: {error.strerror}; make some first") from None
    except strictjson.StrictJsonError as error:
        raise ConfigError(f"{path}: the file {error}; expected a JWKS with private keys") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not keys or not all(isinstance(key, dict) for key in keys):
        raise ConfigError(f"{path}: is not a JWKS; expected one with private keys")
    return keys


def mint(
    key: Mapping[str, object],
    claims: Mapping[str, object],
    *,
    typ: str = "at+jwt",
    headers: Mapping[str, object] | None = None,
) -> str:
    """Sign claims with a private JWK, or raise `ConfigError`. `headers` add to the header, or replace what is in it."""
    algorithm = key.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise ConfigError("the key needs an `alg` that it signs with, for example `ES256`")
    header: Jwk = {"alg": algorithm, "typ": typ}
    if "kid" in key:
        header["kid"] = key["kid"]
    signed = b".".join(base64url.encode(_json(part)) for part in (header | dict(headers or {}), claims))
    try:
        signer = ALGORITHMS[algorithm]
        signature = signer.sign(signed, signer.from_jwk(dict(key)))
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        raise ConfigError(f"the key `{shown(str(key.get('kid', '')))}` cannot sign; a private key is needed") from None
    return b".".join((signed, base64url.encode(signature))).decode("ascii")


def _pair(algorithm: str) -> Jwk:
    if algorithm in _CURVES:
        return dict(ECAlgorithm.to_jwk(ec.generate_private_key(_CURVES[algorithm]()), as_dict=True))
    if algorithm in RSA:
        return dict(RSAAlgorithm.to_jwk(rsa.generate_private_key(public_exponent=65537, key_size=2048), as_dict=True))
    if algorithm in ED25519:
        return dict(OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate(), as_dict=True))
    expected = ", ".join(f"`{one}`" for one in sorted({*_CURVES, *RSA, *ED25519}))
    raise ConfigError(f"cannot make a key for `{shown(algorithm)}`; expected one of {expected}")


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(dict(value), separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()
