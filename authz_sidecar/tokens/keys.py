"""Reading an issuer's keys from a local file: a JWKS, one JWK, or a PEM public key or certificate."""

import re
import stat
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from authz_sidecar import strictjson
from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens import jwk
from authz_sidecar.tokens.jwk import KeyIgnored, KeyRefused
from authz_sidecar.tokens.keyset import Key, KeySet

__all__ = ["Key", "KeySet", "load_client_secret", "load_keys", "load_secret", "parse_keys"]

_LARGEST_FILE: Final = 1_048_576
_MOST_KEYS: Final = 1000
_SHORTEST_SECRET: Final = 32
_LONGEST_SECRET: Final = 1_024
_PEM: Final = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_EXPECTED: Final = "a JWKS, a JWK, or a PEM public key or certificate"


def load_keys(path: Path) -> KeySet:
    """Read the keys of one issuer, or raise `ConfigError` with the path and what to do, whatever the file holds."""
    data = _read(path, f"name {_EXPECTED}")
    try:
        return parse_keys(data)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def parse_keys(data: bytes) -> KeySet:
    """Read keys from the bytes of a file, or raise `ConfigError`; nothing else leaves here, whatever the bytes."""
    if len(data) > _LARGEST_FILE:
        raise ConfigError(f"is larger than {_LARGEST_FILE} bytes; expected {_EXPECTED}")
    if not data.strip():
        raise ConfigError(f"is empty; expected {_EXPECTED}")
    blocks = _PEM.findall(data)
    if blocks and not data.lstrip().startswith((b"{", b"[")):
        return KeySet(keys=(_pem(data, blocks),))
    try:
        document = strictjson.loads(data, max_depth=8)
    except strictjson.StrictJsonError as error:
        raise ConfigError(f"the file {error}; expected {_EXPECTED}") from None
    if not isinstance(document, dict):
        raise ConfigError(f"is not a JSON object; expected {_EXPECTED}")
    return _set(document)


def parse_published(data: bytes) -> KeySet:
    """Read the JWKS that an issuer publishes, or raise `ConfigError`; nothing else leaves here, whatever the bytes.

    A key that cannot be used is left aside and does not spoil the others (RFC 7517 section 5). A shared secret is
    never used: everybody could read it.
    """
    try:
        document = strictjson.loads(data, max_depth=8)
    except strictjson.StrictJsonError as error:
        raise ConfigError(str(error)) from None
    if not isinstance(document, dict) or "keys" not in document:
        raise ConfigError("is not a JWKS: there is no `keys`")
    return _set(document, published=True)


def _set(document: dict[str, object], *, published: bool = False) -> KeySet:
    records = document.get("keys", [document])
    if not isinstance(records, list) or len(records) > _MOST_KEYS:
        raise ConfigError(f"`keys` must be a list of at most {_MOST_KEYS} keys")
    keys: list[Key] = []
    ignored: list[str] = []
    for index, record in enumerate(records):
        where = f"keys[{index}]" if "keys" in document else "the key"
        if isinstance(record, dict) and isinstance(kid := record.get("kid"), str):
            where += f" (kid `{jwk.shown(kid)}`)"
        try:
            key = jwk.read(record)
            if published and key.kty == "oct":
                raise KeyRefused("is a shared secret that everybody can read")
            keys.append(key)
        except KeyRefused as error:
            if not published:
                raise ConfigError(f"{where}: {error}") from None
            ignored.append(f"{where}: {error}")
        except KeyIgnored as error:
            # RFC 7517 section 5: a set may hold keys for other purposes.
            ignored.append(f"{where}: {error}")
    if not keys:
        raise ConfigError("; ".join(["holds no key that verifies tokens", *ignored[:10]]))
    return KeySet(keys=tuple(keys), ignored=tuple(ignored))


def _pem(data: bytes, blocks: list[bytes]) -> Key:
    """Read one public key. The dates of a certificate are not looked at: the file is what the operator trusts."""
    if any(b"PRIVATE" in label for label in blocks):
        raise ConfigError("holds a private key; keep it away from here, and name the file of its public part")
    if len(blocks) > 1:
        raise ConfigError(f"holds {len(blocks)} PEM blocks, expected one; use a JWKS for several keys")
    label = blocks[0].decode("ascii")
    try:
        if label == "CERTIFICATE":
            found: object = x509.load_pem_x509_certificate(data).public_key()
        elif label in ("PUBLIC KEY", "RSA PUBLIC KEY"):
            found = load_pem_public_key(data)
        else:
            raise ConfigError(f"holds a PEM block `{label}`; expected `PUBLIC KEY` or `CERTIFICATE`")
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(f"the PEM block `{label}` cannot be read; export the public key again") from None
    try:
        kty, fitting, material = jwk.measure(found)
    except (KeyRefused, KeyIgnored) as error:
        raise ConfigError(f"the key: {error}") from None
    return Key(kid=None, kty=kty, algorithms=fitting, material=material)


def load_secret(path: Path) -> KeySet:
    """Read a shared secret for HS256, an issuer's only key: at least 32 random bytes.

    A line end at the end of the file is not part of it. Raises `ConfigError`; PEM and JSON are refused, since a public
    key that serves as a secret is how algorithm confusion begins (CVE-2022-29217, CVE-2026-48526).
    """
    data = _read(path, "name a file of random bytes").rstrip(b"\r\n")
    if _PEM.search(data) or data.lstrip()[:1] in (b"{", b"["):
        raise ConfigError(f"{path}: holds a key in PEM or JSON; a shared secret is a file of random bytes")
    if not _SHORTEST_SECRET <= len(data) <= _LONGEST_SECRET:
        raise ConfigError(
            f"{path}: holds {len(data)} bytes; a shared secret has 32 to 1,024, for example "
            "`head -c 32 /dev/urandom | base64`"
        )
    return KeySet(keys=(Key(kid=None, kty="oct", algorithms=frozenset({"HS256"}), material=data),))


def load_client_secret(path: Path) -> str:
    """Read the secret with which we call a provider; raises `ConfigError`. A line end at its end is not part of it."""
    data = _read(path, "name a file that holds the client secret").rstrip(b"\r\n")
    if not 0 < len(data) <= _LONGEST_SECRET or not data.isascii() or not data.decode("ascii").isprintable():
        raise ConfigError(f"{path}: expected one line of 1 to 1,024 printable ASCII characters, the client secret")
    return data.decode("ascii")


def _read(path: Path, advice: str) -> bytes:
    try:
        # A pipe or device would be waited for, perhaps for ever.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigError(f"{path}: is not a file; {advice}")
        with path.open("rb") as file:
            return file.read(_LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not a path"
        raise ConfigError(f"{path}: cannot be read: {why}; {advice}") from None
