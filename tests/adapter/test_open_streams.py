"""Streams that stay open end when their caller may not have them any more; what client and server see of it."""

import asyncio
import json
import time
from dataclasses import replace

import pytest

from mcp_adapter.gate import Ruling, Way
from mcp_adapter.streams import Streams
from mcp_adapter.vigil import Vigil
from tests.adapter.bench import Lines
from tests.adapter.open_streams import SOON, Held, Reader, Teller, asked, guard, until, watched

CALL = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        pytest.param("no_matching_rule", "no_matching_rule", id="the right is gone"),
        pytest.param("denied_by_rule", "denied_by_rule", id="a rule denies"),
        pytest.param("token_revoked", "token_revoked", id="the token is revoked"),
        pytest.param("insufficient_scope", "insufficient_scope", id="a scope is needed now"),
    ],
)
async def test_a_stream_ends_when_its_caller_may_not_have_it_any_more(teller: Teller, lines: Lines, reason, outcome):
    server = Held()
    reader = Reader(guard(server, teller, lines), "alice", None)
    await reader.until(b"hello")
    await watched(teller)
    teller.reason["alice"] = reason
    await teller.tell()
    said = await reader.end()
    assert said == b": hello\n\n"
    assert reader.whole
    assert server.alone.is_set()
    assert (lines.last["outcome"], lines.last["status"], lines.last["reason"]) == ("ended", 200, outcome)
    assert lines.last["who"]["subject"] == "alice"


async def test_a_stream_goes_on_when_a_change_does_not_concern_it(teller: Teller, lines: Lines):
    server = Held()
    reader = Reader(guard(server, teller, lines), "alice", None)
    await watched(teller)
    await asked(teller, 2)
    for times in range(3, 6):
        await teller.tell()
        await asked(teller, times)
    server.more.put_nowait(b": still\n\n")
    await reader.until(b"still")
    await reader.leave()
    assert lines.last["outcome"] == "aborted"


async def test_a_request_whose_stream_ends_is_answered_by_an_error_with_its_id(teller: Teller, lines: Lines):
    reader = Reader(guard(Held(), teller, lines), "alice", CALL)
    await reader.until(b"hello")
    await watched(teller)
    teller.reason["alice"] = "token_revoked"
    await teller.tell()
    said = await reader.end()
    last = said.removeprefix(b": hello\n\n").decode()
    assert last.startswith("event: message\ndata: ")
    assert last.endswith("\n\n")
    answer = json.loads(last.split("data: ", 1)[1])
    assert (answer["id"], answer["error"]["code"]) == (7, 40100)


async def test_in_the_middle_of_an_event_nothing_of_ours_is_said(teller: Teller, lines: Lines):
    reader = Reader(guard(Held(b"data: half"), teller, lines), "alice", CALL)
    await reader.until(b"half")
    await watched(teller)
    teller.reason["alice"] = "token_revoked"
    await teller.tell()
    assert await reader.end() == b"data: half"
    assert reader.whole


async def test_nothing_of_the_server_follows_the_end(teller: Teller, lines: Lines):
    server = Held()
    server.stubborn = True
    reader = Reader(guard(server, teller, lines), "alice", None)
    await reader.until(b"hello")
    await watched(teller)
    teller.reason["alice"] = "denied_by_rule"
    await teller.tell()
    async with asyncio.timeout(10):
        await server.alone.wait()
    server.more.put_nowait(b"data: secret\n\n")
    assert await reader.end() == b": hello\n\n"
    assert server.cancelled.is_set()
    assert lines.last["outcome"] == "ended"


async def test_a_client_that_does_not_read_holds_up_neither_its_end_nor_the_others(teller: Teller, lines: Lines):
    server = Held()
    app = guard(server, teller, lines)
    slow, other = Reader(app, "alice", None), Reader(app, "alice", None)
    await slow.until(b"hello")
    await other.until(b"hello")
    await watched(teller)
    await asked(teller, 4)
    slow.reading.clear()
    server.more.put_nowait(b": one\n\n")
    server.more.put_nowait(b": two\n\n")
    teller.reason["alice"] = "denied_by_rule"
    await teller.tell()
    await other.end()
    await slow.end()
    assert other.whole
    assert not slow.whole
    assert [event["outcome"] for event in lines.events] == ["ended", "ended"]
    assert len(app._door.staying.streams) == 0


async def test_a_stream_that_ends_while_it_is_asked_about_is_forgotten(teller: Teller, lines: Lines):
    app = guard(Held(), teller, lines, replace(SOON, retry=0.001))
    leaving, staying = Reader(app, "bob", None), Reader(app, "alice", None)
    await leaving.until(b"hello")
    await staying.until(b"hello")
    await watched(teller)
    await asked(teller, 4)
    teller.slow = asyncio.Event()
    await teller.tell()
    await asked(teller, 6)
    await leaving.leave()
    teller.expires_at = time.time()
    teller.slow.set()
    await staying.until(b"hello")
    before = teller.asked.count("bob")
    await until(lambda: teller.asked.count("alice") > 5)  # whose token counts a little longer than it says
    assert teller.asked.count("bob") == before
    assert [event["outcome"] for event in lines.events] == ["aborted"]
    await staying.leave()


@pytest.mark.parametrize("fault", [RuntimeError("ours"), None], ids=["a fault of ours", "a no"])
async def test_what_comes_of_a_question_after_the_end_is_not_said(teller: Teller, fault):
    asking, answer, said = asyncio.Event(), asyncio.Event(), []

    async def judge() -> Ruling:
        asking.set()
        await answer.wait()
        if fault is not None:
            raise fault
        return Ruling(way=Way.FORBID, reason="no_matching_rule", message="no")

    async def end(last: Ruling) -> None:
        said.append(last)

    first = Ruling(way=Way.PASS, reason="allowed_by_rule", message="")
    vigil = Vigil(Streams(teller, pace=SOON), first, None, judge=judge, end=end)
    task = asyncio.create_task(vigil.again(1))
    async with asyncio.timeout(10):
        await asking.wait()
        vigil.leave()
        answer.set()
        await task
    await vigil.again(2)
    assert not vigil.ended
    assert said == []


async def test_an_answer_that_is_soon_over_is_not_held(teller: Teller, lines: Lines):
    app = guard(Held(), teller, lines, replace(SOON, settle=30))
    reader = Reader(app, "alice", CALL)
    await reader.until(b"hello")
    assert len(app._door.staying.streams) == 0
    await reader.leave()
    assert teller.watched == 0


async def test_where_the_operator_only_watches_streams_go_on(teller: Teller, lines: Lines):
    teller.observe = True
    reader = Reader(guard(Held(), teller, lines), "alice", None)
    await watched(teller)
    teller.reason["alice"] = "denied_by_rule"
    await teller.tell()
    await asked(teller, 3)
    assert not reader.task.done()
    await reader.leave()


async def test_a_timeout_of_the_servers_own_is_its_own(teller: Teller, lines: Lines):
    async def server(scope, receive, send):
        raise TimeoutError

    reader = Reader(guard(server, teller, lines), "alice", CALL)
    with pytest.raises(TimeoutError):
        await reader.end()


async def test_a_server_that_asks_what_came_after_the_end_hears_that_its_client_is_gone(teller: Teller, lines: Lines):
    heard = []

    class Deaf(Held):
        async def __call__(self, scope, receive, send) -> None:
            await receive()
            await send({"type": "http.response.start", "status": 200, "headers": list(self.headers)})
            await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
            await self.more.get()
            heard.append(await receive())

    server = Deaf()
    app = guard(server, teller, lines, replace(SOON, grace=5))
    reader = Reader(app, "alice", None)
    await reader.until(b"hello")
    await watched(teller)
    teller.reason["alice"] = "denied_by_rule"
    await teller.tell()
    await until(lambda: reader.whole)
    server.more.put_nowait(b"")
    await reader.end()
    assert heard == [{"type": "http.disconnect"}]


async def test_a_timeout_of_what_the_server_receives_is_its_own(teller: Teller, lines: Lines):
    caught = []

    async def server(scope, receive, send):
        await receive()
        try:
            await receive()
        except TimeoutError as error:
            caught.append(error)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    reader = Reader(guard(server, teller, lines), "alice", None)
    sent = []

    async def receive():
        if not sent:
            sent.append(1)
            return {"type": "http.request", "body": b"", "more_body": False}
        raise TimeoutError

    reader._receive = receive  # type: ignore[method-assign]
    reader.task.cancel()
    await asyncio.wait({reader.task})
    await guard(server, teller, lines)(reader.scope, receive, reader._send)
    assert len(caught) == 1
