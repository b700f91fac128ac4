"""Lists in streams and in whole answers are filtered, and what cannot be filtered is not passed."""

import re
from dataclasses import replace

import pytest

from mcp_adapter.pdp import Fault, Unanswered
from tests.adapter.answers import LISTING, answer, event
from tests.adapter.bench import Said, Upstream, call, client, post
from tests.adapter.guarding import guard


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
