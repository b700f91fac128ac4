"""Strict JSON: what two parsers could read differently is refused.

Refused: anything but UTF-8 without a byte order mark, duplicate keys (also when they differ only by case, Unicode
compatibility form or invisible characters), control characters in keys, lone surrogates, NaN and infinities, numbers
that do not fit 64 bits, and nesting beyond a limit. Sources: RFC 8259 sections 4, 6 and 8; CVE-2026-27896.
"""

import json
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

import msgspec

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_INT64_MIN: Final = -(2**63)
_UINT64_MAX: Final = 2**64 - 1
_LONGEST_INT: Final = 20
_UNSURE: Final = object()
_encode: Final = msgspec.json.Encoder().encode


class StrictJsonError(ValueError):
    """The text is not JSON that everybody reads alike; the message says why, without quoting it."""


def loads(data: bytes, *, max_depth: int = 64) -> object:
    """Parse, or raise `StrictJsonError`; no other exception leaves here, whatever the bytes."""
    value = _canonical(data, max_depth)
    return _carefully(data, max_depth) if value is _UNSURE else value


def _canonical(data: bytes, max_depth: int) -> object:
    """Parse quickly what is its own canonical spelling, but for blanks between the tokens, or give `_UNSURE`.

    INVARIANT: whatever is encoded anew to the very same tokens has no duplicate key, no odd number and no other
    ambiguity, so that only its depth and its keys are left to look at.
    """
    try:
        value: object = msgspec.json.decode(data)
        again = _encode(value)
        if again != data and again != msgspec.json.format(data, indent=-1):
            return _UNSURE
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return _UNSURE
    return value if _sure((value,), max_depth) else _UNSURE


def _sure(items: Iterable[object], depth: int) -> bool:
    """Look at what a new encoding does not show: depth, keys that read alike, integers that not everybody can hold."""
    for item in items:
        if isinstance(item, str):
            continue
        if isinstance(item, dict):
            _check_keys(item)
            if depth < 1 or not _sure(item.values(), depth - 1):
                return False
        elif isinstance(item, list):
            if depth < 1 or not _sure(item, depth - 1):
                return False
        elif isinstance(item, int) and not _INT64_MIN <= item <= _UINT64_MAX:
            return False
    return True


def _carefully(data: bytes, max_depth: int) -> object:
    if data.startswith(b"\xef\xbb\xbf"):
        raise StrictJsonError("begins with a byte order mark")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StrictJsonError(f"is not UTF-8 at byte {error.start}") from None
    _check_depth(data, max_depth)
    try:
        value: object = _decoder.decode(text)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise StrictJsonError(f"breaks at {place}: {error.msg[:1].lower()}{error.msg[1:]}") from None
    except RecursionError:
        raise StrictJsonError(f"is nested deeper than {max_depth}") from None
    if "\\u" in text:
        _check_surrogates(value)
    return value


def _check_depth(data: bytes, limit: int) -> None:
    if data.count(b"[") + data.count(b"{") <= limit:
        return
    depth = 0
    for byte in _STRING.sub(b"", data):
        if byte in b"[{":
            depth += 1
            if depth > limit:
                raise StrictJsonError(f"is nested deeper than {limit}")
        elif byte in b"]}":
            depth -= 1


def _pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise StrictJsonError("has a duplicate key")
    _check_keys(found)
    return found


def _check_keys(found: dict[str, object]) -> None:
    together = "".join(found)
    if not together.isascii() or not together.isprintable():
        _check_odd_keys(found)
    # Plain ASCII keys can only collide by case, and not without a capital.
    elif together != together.lower() and len({key.lower() for key in found}) != len(found):
        raise StrictJsonError("has two keys that differ only by case")


def _check_odd_keys(found: dict[str, object]) -> None:
    seen: set[str] = set()
    for key in found:
        if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn") for char in key):
            raise StrictJsonError("has an invisible or control character in a key")
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", key).casefold())
        if folded in seen:
            raise StrictJsonError("has two keys that read alike")
        seen.add(folded)


def _int(digits: str) -> int:
    if len(digits) <= _LONGEST_INT and _INT64_MIN <= (number := int(digits)) <= _UINT64_MAX:
        return number
    raise StrictJsonError("has an integer beyond 64 bits")


def _float(digits: str) -> float:
    number = float(digits)
    if number in (float("inf"), float("-inf")):
        raise StrictJsonError("has a number beyond the range of doubles")
    return number


def _constant(name: str) -> object:
    raise StrictJsonError(f"has {name}, which is not JSON")


def _check_surrogates(value: object) -> None:
    """Escapes can spell half a character, which some parsers keep and others replace."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                if _SURROGATE.search(text):
                    raise StrictJsonError("has a lone surrogate")
            case dict() as members:
                waiting += members.keys()
                waiting += members.values()
            case list() as items:
                waiting += items
            case _:
                pass


_decoder: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_int, parse_float=_float, parse_constant=_constant
)
