"""Where a development key lies: the signing half for `token mint`, the public half for `jwks_file`."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from authz_sidecar.errors import ConfigError
from authz_sidecar.tokens import mint
from authz_sidecar.tokens.jwk import DEVELOPMENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One key of a directory."""

    kid: str
    algorithm: str
    signs: bool
    made: float | None
    """Seconds since the epoch; None when the key does not say."""
    until: float | None
    """When it no longer needs to verify; None for the key that signs."""
    development: bool


def paths(directory: Path) -> tuple[Path, Path]:
    """Name the signing key and its public half."""
    return directory / "signing-key.json", directory / "jwks.json"


def refuse_existing(wanted: list[Path]) -> None:
    """Raise `ConfigError` when a file is there already; nothing of anybody's is overwritten."""
    if there := [path for path in wanted if path.exists()]:
        raise ConfigError(f"{there[0]}: exists already; nothing was overwritten")


def write(directory: Path, algorithm: str = "ES256") -> None:
    """Make a key marked for development and write both halves."""
    private, public = paths(directory)
    refuse_existing([private, public])
    directory.mkdir(parents=True, exist_ok=True)
    key = _made(algorithm)
    mint.write_keys(private, [key])
    _publish(public, [key])


def listed(directory: Path) -> list[Listed]:
    """Tell the published keys, the one that signs first; raises `ConfigError`."""
    private, public = paths(directory)
    signing = mint.read_keys(private)[0].get("kid")
    found = [
        Listed(
            kid=str(key.get("kid", "")),
            algorithm=str(key.get("alg", "")),
            signs=key.get("kid") == signing,
            made=_number(key, "iat"),
            until=_number(key, "exp"),
            development=key.get(DEVELOPMENT) is True,
        )
        for key in mint.read_keys(public)
    ]
    return sorted(found, key=lambda one: not one.signs)


def rotate(directory: Path, algorithm: str | None, overlap: float) -> str:
    """Sign with a new key from now on, and let the old one verify for `overlap` seconds more; gives the new `kid`.

    Keys whose time is over are taken away. The new key is published before anything is signed with it, and each file
    is replaced at once. Raises `ConfigError`.
    """
    private, public = paths(directory)
    old = mint.read_keys(private)[0]
    now = time.time()
    new = _made(algorithm or str(old.get("alg", "ES256")))
    kept = [key for key in mint.read_keys(public) if not _is_over(key, now)]
    kept = [key if "exp" in key else key | {"exp": int(now + overlap)} for key in kept]
    fresh = private.with_name(private.name + ".new")
    mint.write_keys(fresh, [new])  # exclusive: two rotations at once would lose a key
    try:
        _publish(public, [new, *kept])
        fresh.replace(private)
    finally:
        fresh.unlink(missing_ok=True)
    return str(new["kid"])


def prune(directory: Path) -> list[str]:
    """Take away the public keys whose time is over, and name them; raises `ConfigError`."""
    _, public = paths(directory)
    keys, now = mint.read_keys(public), time.time()
    over = [key for key in keys if _is_over(key, now)]
    if over:
        _publish(public, [key for key in keys if key not in over])
    return [str(key.get("kid", "")) for key in over]


def _made(algorithm: str) -> mint.Jwk:
    # `iat` and `exp` of a key: OpenID Federation 1.0 section 8.7 (historical keys) has the names.
    return mint.generate_key(algorithm) | {"iat": int(time.time())}


def _publish(path: Path, keys: list[mint.Jwk]) -> None:
    """Replace the public file at once: the sidecar may read it at any moment."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(json.dumps(mint.public_jwks(keys), indent=2) + "\n", "utf-8")
    fresh.replace(path)


def _is_over(key: Mapping[str, object], now: float) -> bool:
    until = _number(key, "exp")
    return until is not None and until <= now


def _number(key: Mapping[str, object], name: str) -> float | None:
    value = key.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
