"""Strict JSON: any bytes are read as everybody reads them, or refused."""

import json
import unicodedata
from collections.abc import Callable
from typing import Final

from authz_sidecar import strictjson
from tests.fuzz.target import Limit

LIMIT: Final = Limit(steps=2_000, steps_a_byte=80, memory=100_000, memory_a_byte=1_000)
WORDS: Final = ('{"a":', '"a":', "[[[[", "]]]]", "\\u0000", "\\ud800", "1e999", "9223372036854775808", "NaN", "ſ", "İ")
SEEDS: Final = (
    b'{"amount": 100, "to": ["a@x", "b@x"], "deep": {"a": null, "b": [1.5e3, -0, true]}}',
    b'{"a": 1, "A": 2}',
    b'{"b": {"a": 1, "a": 2}}',
    b'{"a": "\\ud83d\\ude00 \\u00e9"}',
    '{"ſ": 1, "s": 2, "\u200b": 3}'.encode(),
    b"[" * 70 + b"]" * 70,
    b'"\xff"',
    b"\xef\xbb\xbf{}",
    b"18446744073709551616",
)
_DEEPEST: Final = 16


def run(data: bytes) -> None:
    """Parse; what is accepted means what the standard library reads, and survives being written and read again."""
    quickly, carefully = _outcome(strictjson.loads, data), _outcome(_careful, data)
    assert _same(quickly, carefully), f"quickly {quickly!r:.80}, carefully {carefully!r:.80}"
    try:
        value = strictjson.loads(data, max_depth=_DEEPEST)
    except strictjson.StrictJsonError as error:
        _unquoted(str(error), data)
        return
    assert _same(value, json.loads(data, object_pairs_hook=_distinct)), "read differently by the standard library"
    again = json.dumps(value).encode()
    assert _same(strictjson.loads(again, max_depth=_DEEPEST), value), "does not survive"
    assert _depth(value) <= _DEEPEST


def _distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read_alike = {unicodedata.normalize("NFKC", key).casefold() for key, _ in pairs}
    assert len(read_alike) == len(pairs), "keys that read alike"
    return dict(pairs)


def _careful(data: bytes, *, max_depth: int) -> object:
    return strictjson._carefully(data, max_depth)


def _outcome(read: Callable[..., object], data: bytes) -> object:
    try:
        return read(data, max_depth=_DEEPEST)
    except strictjson.StrictJsonError:
        return strictjson.StrictJsonError


def _unquoted(message: str, data: bytes) -> None:
    text = data.decode("latin-1")
    assert not any(text[at : at + 24] in message for at in range(min(len(text), 2_000) - 23)), "it quotes the text"


def _same(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and one == other


def _depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(_depth, value.values()), default=0)
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0
