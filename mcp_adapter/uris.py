"""Resource URIs that everybody reads alike."""

import re
from typing import Final

_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_BETWEEN: Final = re.compile(r"[/?#]")
# Escapes of unreserved characters (RFC 3986 section 2.3) are never needed, and one reader resolves what another
# compares; `%2F`, `%5C` and `%00` are how a path hides its ends.
_ESCAPES: Final = re.compile(
    r"%(?![0-9A-Fa-f]{2})|%(2[DdEeFf]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaCcFf]|6[1-9A-Fa-f]|7[0-9AaEeFf]|[01][0-9A-Fa-f])"
)
_ODD: Final = re.compile(r"[\x00-\x20\x7f-\xa0\\\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff]")


def wrong(uri: str) -> str:
    """Say what makes a URI ambiguous, or nothing when it is fine.

    A policy compares URIs by bytes. What a server might resolve to another resource is refused, not normalised: dot
    segments, escapes of what needs none, backslashes, spaces, control characters, a scheme in upper case.
    """
    if _ODD.search(uri):
        return "has a space, a backslash or a control character"
    if _ESCAPES.search(uri):
        return "escapes a character that needs no escape, or one that hides the ends of a path"
    scheme = _SCHEME.match(uri)
    if scheme is not None and scheme[0] != scheme[0].lower():
        return "has a scheme in upper case"
    path = uri if scheme is None else uri[scheme.end() :]
    if any(part in (".", "..") for part in _BETWEEN.split(path)):
        return "has a dot segment"
    return ""
