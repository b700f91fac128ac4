"""What passes keeps its order and comes at once; what a tool said of itself is seen in passing."""

import asyncio

import pytest

from mcp_adapter.outcome import Tap
from tests.adapter.answers import LISTING, event
from tests.adapter.bench import Said, call
from tests.adapter.guarding import guard


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
