"""Secrets that we make: random, given out once, and kept as hashes alone."""

import hashlib
import hmac
import secrets
from typing import Final

_BYTES: Final = 32


def make(kind: str) -> str:
    """Make a secret of 256 bits; the prefix tells scanners and people what leaked."""
    return f"{kind}_{secrets.token_urlsafe(_BYTES)}"


def digest(secret: str) -> str:
    """Give what is kept: SHA-256, 64 hexadecimal digits. It needs no salt, since nobody can guess 256 bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def matches(secret: str, kept: str) -> bool:
    """Compare a secret with what is kept, in constant time; nothing matches an empty one."""
    return hmac.compare_digest(digest(secret), kept) and kept != ""
