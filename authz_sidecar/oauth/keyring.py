"""The keys that we sign with: files in a directory, read anew when they change, rotated with overlap.

They are not in the database, so that whoever gets hold of its file can be nobody.
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from authz_sidecar import strictjson
from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth.places import KEYS
from authz_sidecar.ports import Clock

ALGORITHMS: Final = ("ES256", "RS256", "EdDSA")
ACCESS_TOKEN: Final = "at+jwt"  # noqa: S105 - RFC 9068 section 2.1: a type, not a secret
_DEVELOPMENT: Final = "authz_development"
_SECRET: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth"})
_LONGEST: Final = 16_384

Jwk = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """One key of the ring; times in seconds since the epoch."""

    kid: str
    algorithm: str
    made: float
    signs_from: float
    until: float | None
    """When nothing that it signed can count any more; None while no other is to follow it."""


class Keyring:
    """Signs with the newest key whose time has come, and publishes every key that still verifies something."""

    def __init__(self, directory: Path, *, clock: Clock) -> None:
        """Read the keys; raises `ConfigError` when there are none."""
        self._path = directory / KEYS
        self._clock = clock
        self._seen: tuple[int, int] = (0, 0)
        self._keys: list[Jwk] = []
        self._material: dict[str, Any] = {}
        self._log = structlog.stdlib.get_logger("authz_sidecar.oauth")
        self._read()

    @property
    def keys(self) -> tuple[SigningKey, ...]:
        """Give the keys, the newest first."""
        self._read()
        return tuple(_told(key) for key in reversed(self._keys))

    @property
    def algorithms(self) -> tuple[str, ...]:
        """Give what tokens may be signed with at the moment."""
        self._read()
        return tuple(sorted({key["alg"] for key in self._keys}))

    def jwks(self) -> dict[str, list[Jwk]]:
        """Give the public halves (RFC 7517 section 5)."""
        self._read()
        now = self._clock()
        return {"keys": [_public(key) for key in self._keys if not _over(key, now)]}

    def sign(self, claims: Mapping[str, object], *, typ: str = ACCESS_TOKEN) -> str:
        """Sign claims."""
        self._read()
        key = self._signing()
        material = self._material[key["kid"]]
        return jwt.encode(dict(claims), material, algorithm=key["alg"], headers={"typ": typ, "kid": key["kid"]})

    def read(self, token: str, *, issuer: str) -> Mapping[str, Any] | None:
        """Give the claims of an access token that we signed and that has not ended; None for anything else."""
        if len(token) > _LONGEST:
            return None
        self._read()
        try:
            header = jwt.get_unverified_header(token)
            key = next((one for one in self._keys if one["kid"] == header.get("kid")), None)
            if key is None or header.get("typ") != ACCESS_TOKEN or _over(key, self._clock()):
                return None
            claims: Mapping[str, Any] = jwt.decode(
                token,
                jwt.PyJWK(_public(key)),
                algorithms=[key["alg"]],  # of our own record, never of the token
                issuer=issuer,
                options={
                    "require": ["exp", "iat", "jti", "aud", "sub", "client_id"],
                    "verify_aud": False,  # the caller says for which resource
                    "verify_exp": False,  # by our own clock, below
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError:
            return None
        return claims if claims["exp"] > self._clock() else None

    def _signing(self) -> Jwk:
        now = self._clock()
        ready = [key for key in self._keys if key["nbf"] <= now]
        return max(ready or self._keys[:1], key=lambda key: float(key["nbf"]))

    def _read(self) -> None:
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_ino)
            if seen == self._seen:
                return
            keys = self._loaded()
        except OSError:
            if self._keys:
                return  # what we have goes on; a rotation replaces the file at once, so it is never half there
            raise ConfigError(f"{self._path}: cannot be read; `authz-sidecar oauth key generate` makes one") from None
        self._keys = keys
        self._material = {key["kid"]: jwt.PyJWK(key).key for key in keys}
        self._seen = seen

    def _loaded(self) -> list[Jwk]:
        """Read the file; one that somebody broke changes nothing while we run, and is said once."""
        try:
            return _load(self._path)
        except ConfigError as error:
            if not self._keys:
                raise
            self._log.error("oauth_keys_refused", detail=str(error))
            return self._keys


def generate(directory: Path, *, algorithm: str, now: float, development: bool = False) -> str:
    """Make the first key, and give its `kid`; raises `ConfigError` when there is one."""
    path = directory / KEYS
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(path):
        if path.exists():
            raise ConfigError(f"{path}: exists already; use `authz-sidecar oauth key rotate`")
        key = _made(algorithm, now=now, signs_from=now, development=development)
        _write(path, [key])
    return str(key["kid"])


def ensure(directory: Path, *, algorithm: str, now: float, development: bool = False) -> None:
    """Make the first key where there is none; of several servers that start at once, one makes it."""
    path = directory / KEYS
    if not path.exists():
        try:
            generate(directory, algorithm=algorithm, now=now, development=development)
        except ConfigError:
            if not path.exists():
                raise


def rotate(directory: Path, *, algorithm: str | None, now: float, ahead: float, overlap: float) -> str:
    """Add a key that signs in `ahead` seconds, and give its `kid`; the old one verifies `overlap` seconds beyond that.

    It is published at once, so that whoever keeps our keys for a while has it in time. Keys that are over go away.
    Raises `ConfigError`.
    """
    path = directory / KEYS
    with _alone(path):
        return _rotate(path, algorithm=algorithm, now=now, ahead=ahead, overlap=overlap)


def _rotate(path: Path, *, algorithm: str | None, now: float, ahead: float, overlap: float) -> str:
    try:
        keys = _load(path)
    except OSError:
        raise ConfigError(f"{path}: cannot be read; `authz-sidecar oauth key generate` makes one") from None
    last = keys[-1]
    if last["nbf"] > now:
        raise ConfigError(f"{path}: the key `{last['kid']}` has not begun to sign yet; wait for that")
    new = _made(algorithm or last["alg"], now=now, signs_from=now + ahead, development=last.get(_DEVELOPMENT) is True)
    kept = [key if "exp" in key else key | {"exp": now + ahead + overlap} for key in keys if not _over(key, now)]
    _write(path, [*kept, new])
    return str(new["kid"])


def _made(algorithm: str, *, now: float, signs_from: float, development: bool) -> Jwk:
    match algorithm:
        case "ES256":
            pair = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()), as_dict=True)
        case "RS256":
            pair = RSAAlgorithm.to_jwk(rsa.generate_private_key(public_exponent=65_537, key_size=2_048), as_dict=True)
        case "EdDSA":
            pair = OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate(), as_dict=True)
        case _:
            raise ConfigError(f"cannot make a key for `{algorithm}`; expected one of {', '.join(ALGORITHMS)}")
    key: Jwk = {name: value for name, value in pair.items() if name != "key_ops"}
    kid = hashlib.sha256(json.dumps(_public(key), sort_keys=True).encode()).hexdigest()[:24]
    mark = {_DEVELOPMENT: True} if development else {}
    return key | {"kid": kid, "alg": algorithm, "use": "sig", "iat": now, "nbf": signs_from} | mark


def _load(path: Path) -> list[Jwk]:
    try:
        document = strictjson.loads(path.read_bytes(), max_depth=8)
        keys = document["keys"] if isinstance(document, dict) else None
        if not isinstance(keys, list) or not keys:
            raise ValueError("no keys")
        for key in keys:
            jwt.PyJWK(key)
            _told(key)
    except (strictjson.StrictJsonError, jwt.PyJWTError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{path}: is not a ring of private keys that we wrote") from None
    return keys


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait for whoever else is changing the keys: two at once would lose the key of one, with its tokens."""
    try:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read, `authz-sidecar oauth key generate` makes one: {error.strerror}"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # ends with the process, whatever happens to it
        yield
    finally:
        os.close(descriptor)


def _write(path: Path, keys: list[Jwk]) -> None:
    """Replace the file at once: the server may read it at any moment. It is readable by its owner alone."""
    fresh = path.with_name(path.name + ".new")
    data = json.dumps({"keys": keys}, indent=2).encode() + b"\n"
    try:
        fresh.unlink(missing_ok=True)  # of a writer that died
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123 - a descriptor
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot write the keys: {error.strerror}") from None


def _public(key: Mapping[str, Any]) -> Jwk:
    return {name: value for name, value in key.items() if name not in _SECRET | {"iat", "nbf", "exp"}}


def _over(key: Mapping[str, Any], now: float) -> bool:
    return "exp" in key and float(key["exp"]) <= now


def _told(key: Mapping[str, Any]) -> SigningKey:
    until = key.get("exp")
    return SigningKey(
        kid=key["kid"],
        algorithm=key["alg"],
        made=float(key["iat"]),
        signs_from=float(key["nbf"]),
        until=None if until is None else float(until),
    )
