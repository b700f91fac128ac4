"""One JSON Web Key (RFC 7517), read as a record that decides what its key may do."""

from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, HMACAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.algorithms import ALGORITHMS, BY_CURVE, RSA, SECRET, same
from authz_sidecar.tokens.keyset import Key
from authz_sidecar.tokens.signatures import Material

DEVELOPMENT: Final = "authz_development"
"""The member that marks a key as made for development."""

PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
_PUBLIC_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_RSA_BITS: Final = (2048, 16_384)
_SECRET_BYTES: Final = 32
_LONGEST: Final = 1024


class KeyRefused(Exception):
    """The record is wrong, or too weak to trust; the message says what to do and never quotes key material."""


class KeyIgnored(Exception):
    """The record is for something else than verifying tokens."""


def read(record: object) -> Key:
    """Make a key of a JWK, or raise `KeyRefused` or `KeyIgnored`. Of a private JWK only the public part is kept."""
    if not isinstance(record, dict):
        raise KeyRefused("is not a JSON object")
    kty = _text(record, "kty")
    if kty is None:
        raise KeyRefused("has no `kty`; it is not a JSON Web Key")
    kid = _text(record, "kid")
    development = record.get(DEVELOPMENT, False)
    if not isinstance(development, bool):
        raise KeyRefused(f"`{DEVELOPMENT}` must be true or false")
    private = not PRIVATE_MEMBERS.isdisjoint(record)
    if private and not development:
        raise KeyRefused("is a private key; keep only its public part here")
    _check_purpose(record, ("verify", "sign") if private else ("verify",))
    fitting, material = _read(kty, record)
    return Key(
        kid=kid,
        kty=kty,
        algorithms=_narrow(fitting, _text(record, "alg")),
        material=material,
        development=development,
    )


def measure(key: object) -> tuple[str, frozenset[str], Material]:
    """Give `kty`, the fitting algorithms and the key itself, or raise: the same bounds for JWK and PEM."""
    match key:
        case RSAPublicKey():
            if not _RSA_BITS[0] <= key.key_size <= _RSA_BITS[1]:
                raise KeyRefused(f"has {key.key_size} bits; RSA keys need {_RSA_BITS[0]} to {_RSA_BITS[1]}")
            return "RSA", RSA, key
        case EllipticCurvePublicKey():
            names = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
            curve = names.get(key.curve.name)
            if curve is None:
                raise KeyIgnored(f"the curve `{key.curve.name}` is not supported")
            return "EC", BY_CURVE[curve], key
        case Ed25519PublicKey():
            return "OKP", BY_CURVE["Ed25519"], key
        case _:
            raise KeyIgnored("this kind of key is not supported")


def shown(text: str) -> str:
    """Spell input for a message: short, and no control characters."""
    plain = text.encode("unicode_escape", "backslashreplace").decode("ascii")
    return plain if len(plain) <= 80 else plain[:80] + "…"


def _check_purpose(record: Mapping[str, object], enough: tuple[str, ...]) -> None:
    use = _text(record, "use")
    if use not in (None, "sig"):
        raise KeyIgnored(f"its `use` is `{shown(use or '')}`, not `sig`")
    if "key_ops" not in record:
        return
    operations = record["key_ops"]
    if not isinstance(operations, list) or not all(isinstance(one, str) for one in operations):
        raise KeyRefused("`key_ops` must be a list of strings")
    if not any(one in operations for one in enough):
        raise KeyIgnored("its `key_ops` do not include `verify`")


def _read(kty: str, record: Mapping[str, object]) -> tuple[frozenset[str], Material]:
    if kty == "oct":
        return SECRET, _secret(record)
    if kty in _PUBLIC_MEMBERS:
        return _public(kty, record)
    raise KeyIgnored(f"the key type `{shown(kty)}` is not supported")


def _secret(record: Mapping[str, object]) -> bytes:
    secret = _bytes(record, "k")
    if len(secret) < _SECRET_BYTES:
        raise KeyRefused(f"the secret has {len(secret)} bytes, at least {_SECRET_BYTES} random ones are needed")
    try:
        # The library refuses what looks like a public key: it would be no secret.
        return HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(secret)
    except PyJWTError:
        raise KeyRefused("the secret looks like a public key, which is no secret") from None


def _public(kty: str, record: Mapping[str, object]) -> tuple[frozenset[str], Material]:
    curve = _text(record, "crv")
    if kty != "RSA" and curve is not None and curve not in BY_CURVE:
        raise KeyIgnored(f"the curve `{shown(curve)}` is not supported")
    parts = {"kty": kty} | {name: _part(record, name) for name in _PUBLIC_MEMBERS[kty]}
    if kty == "RSA" and len(parts["n"]) > _RSA_BITS[1]:  # six bits a character: far beyond the bound
        raise KeyRefused(f"is larger than {_RSA_BITS[1]} bits")
    reader = {"RSA": RSAAlgorithm.from_jwk, "EC": ECAlgorithm.from_jwk, "OKP": OKPAlgorithm.from_jwk}[kty]
    try:
        _, fitting, material = measure(reader(parts))
    except (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, PyJWTError):
        raise KeyRefused(f"the numbers of the {kty} key are not valid; export it again") from None
    return fitting, material


def _narrow(fitting: frozenset[str], alg: str | None) -> frozenset[str]:
    if alg is None:
        return fitting
    if alg in fitting:
        return same(frozenset({alg}))
    if alg not in ALGORITHMS:
        raise KeyIgnored(f"its `alg` is `{shown(alg)}`, which is not for verifying tokens here")
    raise KeyRefused(f"its `alg` is `{alg}`, but the key fits {' and '.join(f'`{one}`' for one in sorted(fitting))}")


def _text(record: Mapping[str, object], name: str) -> str | None:
    value = record.get(name)
    if value is None and name not in record:
        return None
    if not isinstance(value, str) or not value or len(value) > _LONGEST or not value.isprintable():
        raise KeyRefused(f"`{name}` must be a printable string of 1 to {_LONGEST} characters")
    return value


def _part(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise KeyRefused(f"has no `{name}`, or it is not a string")
    if name != "crv":
        _decoded(name, value)
    return value


def _bytes(record: Mapping[str, object], name: str) -> bytes:
    return _decoded(name, _part(record, name))


def _decoded(name: str, value: str) -> bytes:
    try:
        return base64url.decode(value.encode("ascii"))
    except ValueError:
        raise KeyRefused(f"`{name}` is not base64url without padding") from None
