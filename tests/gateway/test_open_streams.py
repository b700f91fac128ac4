"""Streams through the gateway end when their right ends, for the client and for the server alike."""

import asyncio
import json

import pytest

from tests.adapter.fake_sidecar import REVISION
from tests.gateway.standing import asking, call, config, events, gateway

STREAM = [(b"content-type", b"text/event-stream")]


async def hold(send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": STREAM})
    await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
    await asyncio.Event().wait()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_revoked_token_ends_its_streams(tmp_path, sidecar, table, server, upstream, method):
    server.answering = hold
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http, asyncio.timeout(10):
        content = call(number=5) if method == "POST" else None
        async with http.stream(method, "/mcp", content=content) as answer:
            pieces = answer.aiter_bytes()
            assert await anext(pieces) == b": hello\n\n"
            while not table.watches:  # noqa: ASYNC110 - the fake has no event for it
                await asyncio.sleep(0.01)
            table.expired.add("token-alice")
            await table.tell((REVISION, 1))
            rest = b"".join([piece async for piece in pieces])  # raises unless the answer is whole
        await server.gone.wait()
    if method == "POST":
        said = json.loads(rest.decode().split("data: ")[1])
        assert (said["id"], said["error"]["code"]) == (5, 40100)
    else:
        assert rest == b""
    event = events(tmp_path)[-1]
    assert (event["outcome"], event["reason"], event["who"]["subject"]) == ("ended", "token_expired", "alice")


async def test_what_a_caller_may_see_is_told_to_its_stream(tmp_path, sidecar, table, server, upstream):
    tools = [{"name": "echo"}, {"name": "danger"}]
    server.body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).encode()
    first = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": True}}}
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http, asyncio.timeout(10):
        await http.post("/mcp", content=b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
        server.body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": first}).encode()
        await http.post("/mcp", content=b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}')
        server.answering = hold
        async with http.stream("GET", "/mcp") as answer:
            pieces = answer.aiter_bytes()
            assert await anext(pieces) == b": hello\n\n"
            table.may["alice"].add(("tools/call", "danger"))
            said = await anext(pieces)
    assert json.loads(said.split(b"data: ")[1]) == {
        "jsonrpc": "2.0",
        "method": "notifications/tools/list_changed",
    }
