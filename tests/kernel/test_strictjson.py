"""Strict JSON refuses what two parsers could read differently, and reads the rest as everybody does."""

import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz_sidecar import strictjson
from authz_sidecar.strictjson import StrictJsonError, loads
from tests.effort import examples


@pytest.mark.parametrize(
    ("data", "message"),
    [
        pytest.param(b"", "expecting value", id="nothing"),
        pytest.param(b"\xef\xbb\xbf{}", "byte order mark", id="a byte order mark"),
        pytest.param('{"a":1}'.encode("utf-16"), "not UTF-8", id="UTF-16"),
        pytest.param('{"a":1}'.encode("utf-16-le"), "", id="UTF-16 without a mark"),
        pytest.param(b'{"a":"\xff"}', "not UTF-8 at byte 6", id="a stray byte"),
        pytest.param(b'"\xed\xa0\x80"', "not UTF-8", id="a surrogate in bytes"),
        pytest.param(b'"\xc0\xaf"', "not UTF-8", id="an overlong form"),
        pytest.param(b'{"a":1,"a":1}', "duplicate key", id="a key twice, of equal value"),
        pytest.param(b'{"a":1,"\\u0061":2}', "duplicate key", id="a key twice, once escaped"),
        pytest.param(b'{"x":[{"a":1,"a":2}]}', "duplicate key", id="a key twice, deep inside"),
        pytest.param(b'{"name":1,"Name":2}', "only by case", id="keys that differ by case"),
        pytest.param('{"K":1,"\u212a":2}'.encode(), "read alike", id="the Kelvin sign"),
        pytest.param('{"s":1,"\u017f":2}'.encode(), "read alike", id="the long s"),
        pytest.param('{"\ufb01":1,"fi":2}'.encode(), "read alike", id="a ligature"),
        pytest.param('{"\u00e9":1,"e\u0301":2}'.encode(), "read alike", id="an accent, composed or not"),
        pytest.param(b'{"name\\u0000":1}', "control character in a key", id="a NUL in a key"),
        pytest.param('{"na\u200bme":1}'.encode(), "invisible", id="a zero-width space in a key"),
        pytest.param('{"\u202ename":1}'.encode(), "invisible", id="a direction mark in a key"),
        pytest.param(b'{"a\\u007f":1}', "control character in a key", id="DEL in a key"),
        pytest.param(b'{"\\ud800":1}', "in a key", id="half a character in a key"),
        pytest.param(b'"\\ud800"', "lone surrogate", id="half a character"),
        pytest.param(b'"\\udc00\\ud800"', "lone surrogate", id="halves in the wrong order"),
        pytest.param(b'[{"a":["\\ud800"]}]', "lone surrogate", id="half a character, deep inside"),
        pytest.param(b"NaN", "NaN", id="not a number"),
        pytest.param(b"[Infinity]", "Infinity", id="infinity"),
        pytest.param(b"-Infinity", "-Infinity", id="minus infinity"),
        pytest.param(b"1e400", "range of doubles", id="beyond doubles"),
        pytest.param(b"-1e400", "range of doubles", id="below doubles"),
        pytest.param(b"18446744073709551616", "64 bits", id="one beyond 64 bits"),
        pytest.param(b"-9223372036854775809", "64 bits", id="one below 64 bits"),
        pytest.param(b"1" * 5_000, "64 bits", id="more digits than Python converts"),
        pytest.param(b"01", "", id="a leading zero"),
        pytest.param(b"+1", "", id="a plus"),
        pytest.param(b".5", "", id="no digit before the point"),
        pytest.param(b"1.", "", id="no digit after the point"),
        pytest.param(b"'a'", "", id="single quotes"),
        pytest.param(b'{"a":1,}', "", id="a trailing comma"),
        pytest.param(b"[1,]", "", id="a trailing comma in a list"),
        pytest.param(b"{} {}", "extra data", id="two values"),
        pytest.param(b"{}\0", "extra data", id="a NUL after the value"),
        pytest.param(b'"a\tb"', "control character", id="a raw tab in a string"),
        pytest.param(b'"a\nb"', "control character", id="a raw line end in a string"),
        pytest.param(b'"\\x41"', "escape", id="an escape that JSON has not"),
        pytest.param(b"{a:1}", "", id="a key without quotes"),
        pytest.param(b"/**/1", "", id="a comment"),
        pytest.param("\u00a01".encode(), "", id="a space that is none"),
        pytest.param(b"\x0c1", "", id="a form feed"),
        pytest.param(b"True", "", id="a word of Python"),
        pytest.param(b"[" * 65 + b"]" * 65, "deeper than 64", id="too deep"),
        pytest.param(b'{"a":' * 65 + b"1" + b"}" * 65, "deeper than 64", id="too deep by objects"),
        pytest.param(b"[" * 100_000, "deeper than 64", id="far too deep"),
        pytest.param(b'["\\"]"' + b"[" * 65, "deeper than 64", id="too deep behind a quoted bracket"),
        pytest.param(b'"' + b"[" * 100, "", id="brackets in a string that does not end"),
    ],
)
def test_it_refuses(data: bytes, message: str) -> None:
    with pytest.raises(StrictJsonError) as caught:
        loads(data)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        pytest.param(b" {} \n", {}, id="spaces around"),
        pytest.param(b'{"a":{"a":1}}', {"a": {"a": 1}}, id="a key again at another depth"),
        pytest.param(b'{"":1}', {"": 1}, id="an empty key"),
        pytest.param(b'[{"a":1},{"A":1}]', [{"a": 1}, {"A": 1}], id="case differs in different objects"),
        pytest.param(b'{"a b":1,"a-b":2}', {"a b": 1, "a-b": 2}, id="keys with spaces"),
        pytest.param('{"\u00e9":1,"e":2}'.encode(), {"\u00e9": 1, "e": 2}, id="keys that only look alike"),
        pytest.param(b'"\\ud83d\\ude00"', "\U0001f600", id="two halves of a character"),
        pytest.param(b'"a\\u0000\\u200b"', "a\0\u200b", id="odd characters in a value"),
        pytest.param(b"9007199254740993", 9007199254740993, id="an integer that doubles lose"),
        pytest.param(b"18446744073709551615", 2**64 - 1, id="the largest integer"),
        pytest.param(b"-9223372036854775808", -(2**63), id="the smallest integer"),
        pytest.param(b"1.7976931348623157e308", 1.7976931348623157e308, id="the largest double"),
        pytest.param(b"[" * 64 + b"]" * 64, json.loads("[" * 64 + "]" * 64), id="as deep as it goes"),
        pytest.param(b"[" + b"[]," * 500 + b"[]]", [[]] * 501, id="many brackets side by side"),
        pytest.param(b'["' + b"[{" * 100 + b'"]', ["[{" * 100], id="brackets in a string"),
        pytest.param(b'["\\\\",[[]],"\\"[["]', ["\\", [[]], '"[['], id="escaped quotes"),
        pytest.param(b"null", None, id="null"),
    ],
)
def test_it_reads(data: bytes, value: object) -> None:
    assert loads(data) == value


@pytest.mark.parametrize("depth", [1, 2, 10])
def test_the_depth_is_exact(depth: int) -> None:
    assert loads(b"[" * depth + b"]" * depth, max_depth=depth) is not None
    with pytest.raises(StrictJsonError, match=f"deeper than {depth}"):
        loads(b"[" * (depth + 1) + b"]" * (depth + 1), max_depth=depth)


def test_a_limit_beyond_what_python_can_nest_is_still_an_error_of_ours() -> None:
    with pytest.raises(StrictJsonError, match="deeper"):
        loads(b"[" * 200_000 + b"]" * 200_000, max_depth=1_000_000)


def test_the_message_quotes_nothing_of_the_text() -> None:
    for data in (b'{"canary":1,"canary":2}', b'"canary\xff"', b"canary", b'{"canary" 1}'):
        with pytest.raises(StrictJsonError) as caught:
            loads(data)
        assert "canary" not in str(caught.value)


@settings(max_examples=examples(500))
@given(st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(data: bytes) -> None:
    with suppress(StrictJsonError):
        loads(data)


# Pieces that are nearly JSON reach deeper than random bytes.
_PIECES = rb"""{ } [ ] : , " "a" "A" \ \u00 \ud800 1 - e9 NaN null""".split()
_pieces = st.lists(st.sampled_from([*_PIECES, b" ", b"\xc3\xa9", b"\xff", b"\0"]), max_size=20).map(b"".join)


@settings(max_examples=examples(500))
@given(_pieces)
def test_what_it_accepts_is_what_everybody_reads(data: bytes) -> None:
    with suppress(StrictJsonError):
        assert loads(data) == json.loads(data)


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefgh", max_size=3), inner, max_size=4),
    max_leaves=15,
)


@given(value=_values, escaped=st.booleans())
def test_what_is_written_is_read_back(value: object, *, escaped: bool) -> None:
    data = json.dumps(value, ensure_ascii=escaped).encode()
    assert loads(data) == value
    assert json.dumps(loads(data)) == json.dumps(value)


_KEYS = st.text(max_size=4) | st.sampled_from(["a", "A", "name", "Name", "ſ", "\u212a", "\u0000", "\u200b"])
_ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)
_TOKENS = (
    "{ } [ ] : , 1 -0 -0.0 1e5 1.50 01 NaN true null "
    "18446744073709551615 18446744073709551616 -9223372036854775809 1e400"
)
_TEXTS = st.lists(st.sampled_from([*_TOKENS.split(), " ", '"a"', '"A"', '"\\u0041"', '"\\ud800"']), max_size=14).map(
    lambda all_: "".join(all_).encode()
)


def _written(value: object, ascii_only: bool) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@settings(deadline=None, max_examples=examples(500))
@given(st.binary(max_size=30) | _TEXTS | st.builds(_written, _ANY, st.booleans()))
def test_the_quick_way_accepts_nothing_else_and_reads_nothing_otherwise_than_the_careful_way(data: bytes) -> None:
    def outcome(read: Callable[[bytes, int], object]) -> str:
        try:
            return repr(read(data, 64))
        except StrictJsonError:
            return "refused"

    assert outcome(lambda text, depth: loads(text, max_depth=depth)) == outcome(strictjson._carefully)
