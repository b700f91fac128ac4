"""Canonical base64url: one spelling for each value, without padding (RFC 7515 section 2)."""

import binascii
from typing import Final

# What is not of this alphabet (also `+`, `/` and `=`) becomes what the strict decoder refuses.
_FROM: Final = bytes.maketrans(b"-_+/=", b"+/!!!")
_TO: Final = bytes.maketrans(b"+/", b"-_")


def decode(data: bytes) -> bytes:
    """Decode, or raise `ValueError` for anything but the one spelling of the value.

    Python's usual decoder skips what it does not know, takes both alphabets, and drops stray bits at the end, so that
    many texts would be one token.
    """
    value = binascii.a2b_base64(data.translate(_FROM) + b"=" * (-len(data) % 4), strict_mode=True)
    # Only the last characters can have stray bits.
    over = len(data) % 4
    if over and encode(value[-(over - 1) :] if over > 1 else b"") != data[-over:]:
        raise ValueError("is not canonical base64url")
    return value


def encode(value: bytes) -> bytes:
    """Encode."""
    return binascii.b2a_base64(value, newline=False).rstrip(b"=").translate(_TO)
