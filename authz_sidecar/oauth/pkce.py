"""PKCE (RFC 7636) with S256 alone: `plain` protects nothing, so there is none."""

import base64
import hashlib
import hmac
import re
import secrets
from typing import Final

_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def generate_pkce_pair() -> tuple[str, str]:
    """Make a code verifier of 256 bits and its S256 code challenge (RFC 7636 sections 4.1 and 4.2)."""
    verifier = secrets.token_urlsafe(32)
    return verifier, challenge_of(verifier)


def challenge_of(verifier: str) -> str:
    """Give the S256 challenge of a verifier; raises `ValueError` for what is no verifier."""
    if not _VERIFIER.fullmatch(verifier):
        raise ValueError("a code verifier has 43 to 128 letters, digits, `-`, `.`, `_` or `~`")
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def is_challenge(text: str) -> bool:
    """Say whether it can be an S256 challenge: 32 bytes in base64url, spelled in the one way that an encoder does."""
    if not _CHALLENGE.fullmatch(text):
        return False
    return base64.urlsafe_b64encode(base64.urlsafe_b64decode(text + "=")).rstrip(b"=").decode() == text


def verify_pkce(verifier: str, challenge: str) -> bool:
    """Say whether the verifier belongs to the S256 challenge, in constant time; False on any doubt."""
    if not _VERIFIER.fullmatch(verifier) or not is_challenge(challenge):
        return False
    return hmac.compare_digest(challenge_of(verifier), challenge)
