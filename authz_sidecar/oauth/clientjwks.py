"""The public keys of a client, as a JWKS (RFC 7517): the same reading for a file, a document and a page."""

from collections.abc import Mapping
from typing import Final

from authz_sidecar import strictjson

Jwks = tuple[Mapping[str, object], ...]

_MOST: Final = 64
_SECRET: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class JwksRefused(ValueError):
    """It is no set of public keys; the message follows a name of what was read, and quotes no key."""


def parse(data: bytes) -> Jwks:
    """Read the bytes of a set, or raise `JwksRefused`."""
    try:
        return read(strictjson.loads(data, max_depth=8))
    except strictjson.StrictJsonError as error:
        raise JwksRefused(f"cannot be read: {error}") from None


def read(document: object) -> Jwks:
    """Read a set, or raise `JwksRefused`; which key fits a signature is said when one comes.

    One private key spoils the whole: it is known to others, and its owner should hear of it.
    """
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list) or not 0 < len(keys) <= _MOST or not all(isinstance(one, dict) for one in keys):
        raise JwksRefused(f'is no JWKS: expected {{"keys": [...]}} with 1 to {_MOST} public keys')
    if any(not _SECRET.isdisjoint(one) for one in keys):
        raise JwksRefused("holds a private key, which is the client's alone; give its public half")
    return tuple(keys)
