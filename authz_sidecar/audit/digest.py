"""Keyed digests: two lines can be seen to be about one token or one argument, which nobody can guess from them."""

import hashlib
import hmac
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from authz_sidecar.errors import ConfigError

KEY_BYTES: Final = 32
_OTHERS: Final = 0o077
_BYTES: Final = 16


class Digester:
    """HMAC-SHA-256 (RFC 2104), cut to 128 bits, as 32 hexadecimal digits. Without the key nobody can try guesses."""

    def __init__(self, key: bytes) -> None:
        """Take 32 random bytes; raises `ConfigError` for any other number."""
        if len(key) != KEY_BYTES:
            raise ConfigError(f"the digest key has {len(key)} bytes, expected {KEY_BYTES}")
        self._started = hmac.new(key, digestmod=hashlib.sha256)

    def __repr__(self) -> str:
        return "Digester(***)"

    def __call__(self, data: bytes) -> str:
        """Digest the bytes; nothing has no digest."""
        if not data:
            return ""
        digest = self._started.copy()
        digest.update(data)
        return digest.digest()[:_BYTES].hex()

    def many(self, parts: tuple[bytes, ...]) -> str:
        """Digest several byte strings, each with its length, so that no two lists of them look alike."""
        if not any(parts):
            return ""
        digest = self._started.copy()
        for part in parts:
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
        return digest.digest()[:_BYTES].hex()


def load_or_create_key(path: Path) -> bytes:
    """Read the key, or make one where there is none (mode 0600); raises `ConfigError` when it is not fit for use."""
    try:
        return _load(path) if path.exists() else _create(path)
    except FileExistsError:  # somebody else made it meanwhile
        return load_or_create_key(path)
    except OSError as error:
        raise ConfigError(f"cannot use the digest key `{path}`: {error.strerror}") from None


def _load(path: Path) -> bytes:
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode):
            raise ConfigError(f"the digest key `{path}` is not a file")
        if found.st_mode & _OTHERS:
            raise ConfigError(
                f"the digest key `{path}` has mode {stat.S_IMODE(found.st_mode):04o}, expected 0600: "
                f"run `chmod 0600 {path}`"
            )
        key = os.read(opened, KEY_BYTES + 1)
    finally:
        os.close(opened)
    if len(key) != KEY_BYTES:
        raise ConfigError(
            f"the digest key `{path}` has {found.st_size} bytes, expected {KEY_BYTES} random bytes: "
            "remove the file and a new one is made"
        )
    return key


def _create(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = secrets.token_bytes(KEY_BYTES)
    # Written aside and linked, so that a crash leaves no key of half its length.
    aside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    opened = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(opened, key)
        os.fsync(opened)
        os.link(aside, path)
    finally:
        os.close(opened)
        aside.unlink()
    return key
