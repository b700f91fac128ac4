"""Event ids: each caller gets its own spelling of them, and nobody resumes the stream of another."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_adapter.marks import Marks
from mcp_adapter.principal import Principal
from mcp_adapter.refusal import Refusal
from mcp_adapter.sessions import Sessions
from mcp_adapter.sse import Events, TooLong
from tests.adapter.bench import Said, Upstream, client
from tests.adapter.guarding import guard

BOB = Principal(issuer="https://idp.example", subject="bob")


def through(stream: bytes, cuts: list[int]) -> bytes:
    marks = Marks(lambda event: b"<" + event + b">")
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return b"".join(marks.feed(stream[at:to]) for at, to in itertools.pairwise(edges)) + marks.end()


PIECES = [
    b"id",
    b"id:",
    b"id: 7",
    b":",
    b" ",
    b"i",
    b"d",
    b"data: id: 1",
    b"event: id",
    b"\n",
    b"\r",
    b"\r\n",
    b"\xef\xbb\xbf",
]


@given(st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join), st.lists(st.integers(0, 60), max_size=6))
def test_every_id_is_sealed_and_all_else_stays_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    got = through(stream, cuts)
    assert got == through(stream, [])
    before, after = Events(10_000), Events(10_000)
    was = [*before.feed(stream), *before.end()]
    now = [*after.feed(got), *after.end()]
    assert [block.data for block in now] == [block.data for block in was]
    for then, block in zip(was, now, strict=True):
        ids = [line for line in then.others.split(b"\n") if line.partition(b":")[0] == b"id"]
        sealed = [line for line in block.others.split(b"\n") if line.partition(b":")[0] == b"id"]
        for old, new in zip(ids, sealed, strict=True):
            value = old.partition(b":")[2].removeprefix(b" ")
            assert new == (b"id: <" + value + b">" if value else old)


def test_an_endless_id_is_refused_and_an_endless_line_of_another_kind_passes() -> None:
    with pytest.raises(TooLong):
        Marks(bytes).feed(b"id: " + b"x" * 2000)
    assert Marks(bytes).feed(b"data: " + b"x" * 2000) == b"data: " + b"x" * 2000


async def test_a_stream_is_resumed_by_its_caller_alone() -> None:
    upstream, pdp = Upstream(b"id: 7\ndata: {}\n\n", content_type="text/event-stream"), Said()
    app, _ = guard(upstream, pdp)
    async with client(app) as http:
        alice = {"authorization": "Bearer token-alice"}
        got = await http.get("/mcp", headers=alice)
        shown = got.text.partition("\n")[0].removeprefix("id: ")
        assert shown.startswith("7.")
        assert len(shown) > 30
        assert (await http.get("/mcp", headers=alice | {"last-event-id": shown})).status_code == 200
        assert upstream.seen_headers[b"last-event-id"] == b"7"
        pdp.principal = BOB
        reached = len(upstream.scopes)
        for stolen in (shown, "7", "8." + shown.partition(".")[2]):
            assert (await http.get("/mcp", headers=alice | {"last-event-id": stolen})).status_code == 404
        assert len(upstream.scopes) == reached
        # No version that a client names brings the header past us.
        await http.get("/mcp", headers=alice | {"last-event-id": shown, "mcp-protocol-version": "9999-01-01"})
        assert b"last-event-id" not in upstream.seen_headers


def test_a_sealed_session_is_no_event_and_a_sealed_event_no_session() -> None:
    sessions = Sessions("ops")
    with pytest.raises(Refusal):
        sessions.open_event(sessions.seal("7", BOB).encode(), BOB)
    with pytest.raises(Refusal):
        sessions.open(sessions.seal_event(b"7", BOB).decode(), BOB, None)
    assert sessions.open_event(sessions.seal_event(b"7", BOB), BOB) == b"7"
