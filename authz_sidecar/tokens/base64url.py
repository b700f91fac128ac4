"""Canonical base64url: one spelling for each value, without padding (RFC 7515 section 2)."""

import binascii
from typing import Final

_FROM: Final = bytes.maketrans(b"-_", b"+/")
_TO: Final = bytes.maketrans(b"+/", b"-_")


def decode(data: bytes) -> bytes:
    """Decode, or raise `ValueError` for anything but the one spelling of the value.

    Python's decoder skips what it does not know, takes both alphabets, and drops stray bits at the end, so that many
    texts would be one token.
    """
    value = binascii.a2b_base64(data.translate(_FROM) + b"=" * (-len(data) % 4))
    if encode(value) != data:
        raise ValueError("is not canonical base64url")
    return value


def encode(value: bytes) -> bytes:
    """Encode."""
    return binascii.b2a_base64(value, newline=False).rstrip(b"=").translate(_TO)
