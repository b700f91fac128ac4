"""Reading a token's header: small, unambiguous, and silent about keys."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from authz_sidecar import strictjson
from authz_sidecar.errors import TokenError
from authz_sidecar.model import Reason
from authz_sidecar.tokens import base64url
from authz_sidecar.tokens.claims import malformed, name

LARGEST: Final = 4096
"""Bytes of the encoded header."""

# `crit` and `b64` change what is signed (RFC 7515 section 4.1.11, RFC 7797; GHSA-752w); the others let the token
# bring its own key or say where to fetch one (RFC 7515 sections 4.1.2, 4.1.3, 4.1.5 and 4.1.6).
_REFUSED: Final = ("crit", "b64", "jku", "jwk", "x5u", "x5c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a header says. Nothing in it is true yet."""

    alg: str
    kid: str | None
    typ: str
    members: Mapping[str, object] = field(repr=False)


# The headers of an issuer's tokens are the same few bytes again and again. Errors are not kept.
@lru_cache(maxsize=256)
def read(segment: bytes) -> Header:
    """Read the first segment of a token, or raise `TokenError`."""
    if len(segment) > LARGEST:
        raise malformed(f"the header is longer than {LARGEST} bytes")
    members = json_object(segment, "the header", max_depth=4)
    for member in _REFUSED:
        if member in members:
            raise malformed(f"the header has `{member}`, which is not accepted")
    alg, kid, typ = _word(members, "alg"), None, ""
    if alg.lower() == "none":
        raise TokenError(Reason.TOKEN_ALGORITHM_NOT_ALLOWED, "the token says that it is not signed")
    if "kid" in members:
        kid = name(members["kid"], "`kid`")
    if "typ" in members:
        typ = _word(members, "typ")
    return Header(alg=alg, kid=kid, typ=typ, members=MappingProxyType(members))


def json_object(segment: bytes, what: str, *, max_depth: int) -> dict[str, object]:
    """Decode a segment that must be a JSON object, or raise `TokenError`."""
    try:
        value = strictjson.loads(base64url.decode(segment), max_depth=max_depth)
    except strictjson.StrictJsonError as error:
        raise malformed(f"{what} {error}") from None
    except ValueError:
        raise malformed(f"{what} is not canonical base64url") from None
    if not isinstance(value, dict):
        raise malformed(f"{what} is not a JSON object")
    return value


def _word(members: Mapping[str, object], member: str) -> str:
    value = members.get(member)
    if not isinstance(value, str) or not value.isascii() or not value.isprintable():
        raise malformed(f"the header's `{member}` is not a plain ASCII string")
    return value
