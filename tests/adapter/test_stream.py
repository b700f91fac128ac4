"""Streams of events and lists: what may be seen passes, byte for byte, and nothing else."""

import asyncio
import itertools
import json
import re
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_adapter.filter import Filter, Unreadable
from mcp_adapter.outcome import Tap
from mcp_adapter.pdp import Fault, Unanswered
from mcp_adapter.sse import Events, TooLong
from tests.adapter.bench import Said, Upstream, call, client, post
from tests.adapter.guarding import guard


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


def answer(result: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()


def hiding(*names: str, modern: bool = False):
    pdp = Said()
    pdp.hidden = set(names)
    asked = []

    async def sift(items):
        asked.append([(item.method, item.tool) for item in items])
        return tuple(item.tool not in names for item in items)

    return Filter(sift, modern=modern), asked


@pytest.mark.parametrize(
    ("key", "name", "method"),
    [
        ("tools", "name", "tools/list"),
        ("prompts", "name", "prompts/list"),
        ("resources", "uri", "resources/list"),
        ("resourceTemplates", "uriTemplate", "resources/templates/list"),
    ],
)
async def test_each_kind_of_list_is_filtered_by_one_question(key, name, method):
    found, asked = hiding("x:2")
    entries = [{name: f"x:{n}", "n": 9007199254740993} for n in (3, 2, 1)]
    got = json.loads(await found.payload(answer({key: entries, "nextCursor": "c"})))
    assert got["result"] == {key: [entries[0], entries[2]], "nextCursor": "c"}
    assert asked == [[(method, "x:3"), (method, "x:2"), (method, "x:1")]]
    assert (found.listed, found.hidden) == (2, 1)


@pytest.mark.parametrize(
    ("modern", "said", "expected"),
    [(True, {}, "private"), (False, {}, None), (False, {"cacheScope": "public"}, "private")],
)
async def test_a_filtered_list_is_marked_as_the_callers_own(modern, said, expected):
    found, _ = hiding(modern=modern)
    got = json.loads(await found.payload(answer({"tools": [], **said})))
    assert got["result"].get("cacheScope") == expected


@pytest.mark.parametrize(
    "entry",
    [{}, {"name": ""}, {"name": 5}, {"name": None}, {"name": "x" * 2049}],
    ids=["no name", "empty name", "number", "null", "long name"],
)
async def test_an_entry_that_nobody_could_call_is_hidden_without_asking(entry):
    found, asked = hiding()
    assert json.loads(await found.payload(answer({"tools": [entry]})))["result"]["tools"] == []
    assert asked == []


async def test_a_resource_that_could_not_be_read_and_a_task_are_hidden():
    found, asked = hiding()
    got = json.loads(await found.payload(answer({"resources": [{"uri": "f:/../x"}], "tasks": [{"taskId": "1"}]})))
    assert got["result"] == {"resources": [], "tasks": []}
    assert asked == []


async def test_lists_in_an_array_of_messages_are_filtered():
    found, _ = hiding("b")
    batch = b"[" + answer({"tools": [{"name": "a"}, {"name": "b"}]}) + b"," + call("ping") + b"]"
    got = json.loads(await found.payload(batch))
    assert got[0]["result"]["tools"] == [{"name": "a"}]
    assert got[1]["method"] == "ping"


@pytest.mark.parametrize(
    "data",
    [call("notifications/x", number=None), answer({"content": []}), answer(None), b'{"id":1,"error":{"code":1}}'],
    ids=["notification", "no list", "null", "error"],
)
async def test_other_messages_pass_byte_for_byte(data):
    found, _ = hiding("a")
    assert await found.payload(data) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        b"5",
        b'"a"',
        b"[1]",
        answer({"tools": {}}),
        answer({"tools": [1]}),
        b"\xef\xbb\xbf{}",
        b'{"result":{}',
        b"\xff",
    ],
)
async def test_an_answer_that_cannot_be_read_is_not_passed(data):
    found, _ = hiding()
    with pytest.raises(Unreadable):
        await found.payload(data)


@given(st.binary(max_size=80))
async def test_any_answer_passes_or_is_unreadable(data):
    found, _ = hiding()
    with suppress(Unreadable):
        await found.payload(data)


async def test_the_first_of_two_equal_keys_is_not_seen_either():
    found, _ = hiding("secret")
    data = b'{"id":1,"result":{"tools":[{"name":"secret"}],"tools":[{"name":"a","name":"secret"},{"name":"b"}]}}'
    assert b"secret" not in await found.payload(data)


LISTING = answer({"tools": [{"name": "open"}, {"name": "secret"}], "nextCursor": "c"})


def event(data: bytes, end: bytes = b"\n") -> bytes:
    return b"id: 1" + end + b"data: " + data + end + end


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
async def test_a_list_in_a_stream_is_filtered_and_the_rest_passes_byte_for_byte(end):
    before = b": ping" + end + end + event(call("notifications/message", number=None), end)
    after = b"event: other\ndata: not json\n\n"
    stream = before + event(LISTING, end) + after
    for size in (1, 7, len(stream)):
        pdp = Said()
        pdp.hidden = {"secret"}
        chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
        app, lines = guard(Upstream(chunks, content_type="text/event-stream"), pdp)
        got = await post(app, call("tools/list"))
        assert re.sub(rb"(id: 1)[.][0-9a-f]{32}", rb"\1", got.content).startswith(before)  # an id is sealed
        assert b"secret" not in got.content
        assert got.content.endswith(after)
        assert b"open" in got.content
        assert (lines.last["listed"], lines.last["hidden"]) == (1, 1)
        assert len(pdp.batches) == 1


@pytest.mark.parametrize("missing", [1, 2])
async def test_a_list_in_a_stream_that_ends_too_soon_is_filtered(missing):
    pdp = Said()
    pdp.hidden = {"secret"}
    app, _ = guard(Upstream(event(LISTING)[:-missing], content_type="text/event-stream"), pdp)
    got = await post(app, call("tools/list"))
    assert b"open" in got.content
    assert b"secret" not in got.content


async def test_a_list_that_a_session_stream_replays_is_filtered():
    pdp = Said()
    pdp.hidden = {"secret"}
    app, _ = guard(Upstream(event(LISTING), content_type="text/event-stream"), pdp)
    async with client(app) as http:
        got = await http.get("/mcp", headers={"authorization": "Bearer token-alice"})
    assert b"open" in got.content
    assert b"secret" not in got.content


async def test_a_whole_list_is_filtered_and_its_length_is_right():
    pdp = Said()
    pdp.hidden = {"secret"}
    half = len(LISTING) // 2
    headers = [(b"Content-Length", str(len(LISTING)).encode())]
    app, _ = guard(Upstream([LISTING[:half], LISTING[half:]], headers=headers), pdp)
    got = await post(app, call("tools/list"))
    assert got.json()["result"] == {"tools": [{"name": "open"}], "nextCursor": "c"}
    assert int(got.headers["content-length"]) == len(got.content)


async def test_a_long_list_is_asked_about_in_batches_of_a_thousand():
    pdp = Said()
    app, _ = guard(Upstream(answer({"tools": [{"name": f"t{n}"} for n in range(2500)]})), pdp)
    got = await post(app, call("tools/list"))
    assert len(got.json()["result"]["tools"]) == 2500
    assert [len(batch) for batch in pdp.batches] == [1000, 1000, 500]


class Swapping(Said):
    """Its policy is swapped after as many batches as it is made with, each time for one that hides nothing more."""

    def __init__(self, *swaps: int) -> None:
        super().__init__()
        self.swaps = swaps

    async def check_batch(self, token, items, *, server, request_id, **rest):
        said = await super().check_batch(token, items, server=server, request_id=request_id)
        made = sum(len(self.batches) > swap for swap in self.swaps)
        if made:
            return replace(said, revision=f"r{made}")
        return replace(said, revision="r0", decisions=tuple(replace(one, allowed=False) for one in said.decisions))


async def test_a_long_list_is_judged_by_one_revision_of_the_policy():
    pdp = Swapping(1)
    app, _ = guard(Upstream(answer({"tools": [{"name": f"t{n}"} for n in range(1500)]})), pdp)
    got = await post(app, call("tools/list"))
    assert len(got.json()["result"]["tools"]) == 1500
    assert len(pdp.batches) == 4


async def test_a_list_that_no_one_revision_judges_is_not_passed():
    pdp = Swapping(1, 3, 5)
    app, _ = guard(Upstream(answer({"tools": [{"name": f"t{n}"} for n in range(1500)]})), pdp)
    got = await post(app, call("tools/list"))
    assert got.status_code == 503
    assert len(pdp.batches) == 6


@pytest.mark.parametrize(
    ("upstream", "status"),
    [
        pytest.param(Upstream(LISTING, headers=[(b"content-encoding", b"br")]), 500, id="compressed"),
        pytest.param(Upstream(b"\x00" + LISTING), 500, id="not JSON"),
        pytest.param(Upstream(LISTING, content_type="text/plain"), 500, id="plain text"),
        pytest.param(Upstream(LISTING, content_type=""), 500, id="no type"),
        pytest.param(Upstream([b" " * (16 * 1024 * 1024), b"  "]), 500, id="endless"),
    ],
)
async def test_a_list_that_cannot_be_filtered_is_not_passed(upstream, status):
    app, lines = guard(upstream, Said())
    got = await post(app, call("tools/list"))
    assert (got.status_code, got.json()["error"]["code"]) == (status, 50300)
    assert b"secret" not in got.content
    assert lines.last["outcome"] == "unanswered"


async def test_a_list_is_not_passed_when_nobody_says_who_may_see_it():
    pdp = Said()
    pdp.batch_error = Unanswered(Fault.TIMEOUT, "slow")
    app, lines = guard(Upstream(LISTING), pdp)
    got = await post(app, call("tools/list"))
    assert got.status_code == 503
    assert lines.last["outcome"] == "unanswered"


@pytest.mark.parametrize(
    "stream",
    [event(LISTING), event(b"not json"), b"data: " + b"x" * (16 * 1024 * 1024)],
    ids=["unanswered", "unreadable", "endless"],
)
async def test_a_stream_that_cannot_be_filtered_ends_with_an_error(stream):
    pdp = Said()
    pdp.batch_error = Unanswered(Fault.UNAVAILABLE, "gone")
    app, lines = guard(Upstream([stream, event(LISTING)], content_type="text/event-stream"), pdp)
    got = await post(app, call("tools/list"))
    assert got.content.startswith(b"event: message\ndata: {")
    assert b"50300" in got.content
    assert b"secret" not in got.content
    assert lines.last["outcome"] == "unanswered"


async def test_a_batch_with_too_few_answers_is_no_answer():
    class Short(Said):
        async def check_batch(self, token, items, *, server, request_id, **rest):
            return await super().check_batch(token, items[1:], server=server, request_id=request_id)

    app, _ = guard(Upstream(LISTING), Short())
    assert (await post(app, call("tools/list"))).status_code == 503


async def test_an_error_in_plain_words_and_an_empty_answer_pass():
    app, _ = guard(Upstream(b"busy", content_type="text/plain", status=503), Said())
    assert (await post(app, call("tools/list"))).text == "busy"
    app, _ = guard(Upstream(b"", content_type="", status=202), Said())
    assert (await post(app, call("tools/list"))).status_code == 202


async def test_lists_are_not_filtered_where_the_operator_only_watches():
    pdp = Said(allowed=False, observe=True)
    app, lines = guard(Upstream(LISTING), pdp)
    assert (await post(app, call("tools/list"))).content == LISTING
    assert lines.last["outcome"] == "observed"


@pytest.mark.parametrize(
    ("body", "streams", "failed"),
    [
        (b'{"id":1,"result":{"isError":true}}', False, True),
        (b'{"id":1,"result":{"content":[]}}', False, False),
        (b'{"id":1,"error":{"code":1}}', False, True),
        (b'{"id":2,"result":{"isError":true}}', False, None),
        (b"nonsense", False, None),
        (b"x" * 70_000, False, None),
        (b': hi\n\ndata: {"method":"x"}\n\ndata: {"id":1,"result":{"isError":true}}\n\n', True, True),
        (b"data: nonsense\n\n", True, None),
    ],
)
def test_the_outcome_of_a_tool_is_seen_in_passing(body, streams, failed):
    tap = Tap(1)
    tap.streams = streams
    tap.take(body)
    tap.take(b"")
    assert tap.failed() is failed


async def test_a_keep_alive_is_not_delayed_by_an_event_that_is_coming():
    seen = []

    async def slow(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b": ping\n\n", "more_body": True})
        seen.append("sent")
        await send({"type": "http.response.body", "body": event(LISTING)[:20], "more_body": True})
        await send({"type": "http.response.body", "body": event(LISTING)[20:]})

    app, _ = guard(slow, Said())

    async def send(message):
        if message.get("body"):
            seen.append(message["body"])

    await app(*request(call("tools/list")), send)
    assert seen[:2] == [b": ping\n\n", "sent"]


async def test_what_two_tasks_of_a_server_send_at_once_keeps_its_order():
    asked, go = asyncio.Event(), asyncio.Event()

    class Slow(Said):
        async def check_batch(self, token, items, **rest):
            asked.set()
            await go.wait()
            return await super().check_batch(token, items, **rest)

    async def busy(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        first = asyncio.create_task(send({"type": "http.response.body", "body": event(LISTING), "more_body": True}))
        await asked.wait()
        second = asyncio.create_task(send({"type": "http.response.body", "body": b": ping\n\n", "more_body": True}))
        go.set()
        await asyncio.gather(first, second)
        await send({"type": "http.response.body"})

    app, _ = guard(busy, Slow())
    got = b""

    async def send(message):
        nonlocal got
        got += message.get("body", b"")

    async with asyncio.timeout(10):
        await app(*request(call("tools/list")), send)
    assert b"open" in got
    assert got.endswith(b": ping\n\n")


async def test_a_body_that_comes_before_its_head_is_dropped():
    async def wrong(scope, receive, send):
        await send({"type": "http.response.body", "body": event(LISTING)})

    app, _ = guard(wrong, Said())
    got = []

    async def send(message):
        got.append(message)

    await app(*request(call("tools/list")), send)
    assert got == []


def request(body: bytes):
    headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer token-alice")]

    async def receive():
        return {"type": "http.request", "body": body}

    return {"type": "http", "method": "POST", "path": "/mcp", "headers": headers, "query_string": b""}, receive
