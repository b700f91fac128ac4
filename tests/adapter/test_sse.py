"""Events are read as browsers read them, whole, bounded, and byte for byte."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_adapter.sse import Events, TooLong


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def blocks(chunks):
    events = Events(10_000)
    return [block for chunk in chunks for block in events.feed(chunk)] + list(events.end())


PIECES = st.lists(
    st.sampled_from(
        [b"data: a", b"data:b", b"data", b": note", b"id: 1", b"event: x", b"\r", b"\n", b"\r\n", b"\xff", b"x"]
    ),
    max_size=20,
).map(b"".join)


@given(PIECES | st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=6))
def test_blocks_are_the_stream_however_it_is_cut(data, cuts):
    found = blocks(split(data, cuts))
    assert b"".join(block.raw for block in found) == data
    said = [(block.event, block.data) for block in found if block.data is not None]
    assert said == [(block.event, block.data) for block in blocks([data]) if block.data is not None]


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        pytest.param(b"data: a\n\n", [b"a"], id="one event"),
        pytest.param(b"data: a\r\n\r\ndata: b\r\rdata:c\n\n", [b"a", b"b", b"c"], id="every line end"),
        pytest.param(b"data: a\ndata:  b\n\n", [b"a\n b"], id="several lines"),
        pytest.param(b"\xef\xbb\xbfdata: a\n\n", [b"a"], id="a byte order mark"),
        pytest.param(b"id: 1\ndata\n\n", [b""], id="empty data"),
        pytest.param(b": ping\n\n", [], id="a comment"),
        pytest.param(b"data: a", [b"a"], id="no end"),
    ],
)
def test_events_are_read_as_browsers_read_them(stream, said):
    assert [block.data for block in blocks([stream]) if block.data is not None] == said


def test_a_comment_is_not_held_back():
    events = Events(100)
    assert [block.raw for block in events.feed(b": ping\n")] == [b": ping\n"]


def test_a_comment_within_an_event_stays_there():
    events = Events(100)
    assert list(events.feed(b"data: a\n: ping\n")) == []


def test_an_event_is_bounded():
    with pytest.raises(TooLong):
        list(Events(10).feed(b"data: " + b"x" * 10))


def test_an_event_keeps_its_other_lines_when_its_data_changes():
    (block,) = blocks([b"id: 7\r\nevent: message\r\ndata: a\r\n\r\n"])
    assert block.saying(b"b\nc") == b"id: 7\nevent: message\ndata: b\ndata: c\n\n"
