"""Lists that come by other ways are filtered, too, and stay the caller's own."""

import asyncio
import gc
import json

import httpx
import pytest
from mcp.server.mcpserver import MCPServer

from mcp_adapter import AuthzMiddleware
from tests.adapter.bench import ALICE, Lines, Said, Upstream, call, post, tool
from tests.adapter.guarding import guard
from tests.adapter.real_server import running
from tests.adapter.wire import META, MODERN, Caller


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the SDK forgets the first request
async def test_a_list_that_answers_a_call_of_the_same_id_is_filtered(sidecar):
    """Two requests of one id in a session: the SDK gives the answer of the first to the second."""
    mcp = MCPServer("test")
    asked, go, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @mcp.tool()
    async def echo() -> str:
        await done.wait()
        return "late"

    @mcp.tool()
    def danger() -> str:
        return "BOOM"

    listing = mcp.list_tools

    async def slowly(*args, **more):
        asked.set()
        await go.wait()
        return await listing(*args, **more)

    mcp.list_tools = slowly
    started = asyncio.Event()

    async def noticing(scope, receive, send):
        async def heard():
            event = await receive()
            if b'"tools/call"' in event.get("body", b""):
                started.set()
            return event

        await app(scope, heard, send)

    app = mcp.streamable_http_app()
    guarded = AuthzMiddleware(noticing, server="ops", sidecar=sidecar.target, audit=Lines(), timeout=5)
    async with asyncio.timeout(10), running(guarded) as url, Caller(url, "alice", modern=False) as alice:
        first = asyncio.create_task(alice.ask("tools/list", {}, 5))
        await asked.wait()
        second = asyncio.create_task(alice.ask("tools/call", {"name": "echo", "arguments": {}}, 5))
        await started.wait()
        for _ in range(50):  # the SDK's own tasks take the call
            await asyncio.sleep(0)
        go.set()
        finished, waiting = await asyncio.wait({first, second}, timeout=2, return_when=asyncio.FIRST_COMPLETED)
        done.set()
        said = b"".join(one.result().content for one in finished)
        for one in waiting:
            one.cancel()
        await asyncio.wait({first, second})
    gc.collect()  # what the SDK left open is told here and in no other test
    assert b"echo" in said
    assert b"danger" not in said


READ = b'{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"note://a","text":"a"}],"ttlMs":5,"cacheScope":"public"}}'


async def test_what_was_read_is_the_callers_own():
    app, lines = guard(Upstream(READ))
    body = call("resources/read", {"uri": "note://a", "_meta": META})
    answer = await post(app, body, mcp_protocol_version=MODERN, mcp_method="resources/read", mcp_name="note://a")
    assert answer.json()["result"] == json.loads(READ)["result"] | {"cacheScope": "private"}
    assert "listed" not in lines.last


LISTS = [
    ("tools/list", "tools", "name", "tools/call"),
    ("prompts/list", "prompts", "name", "prompts/get"),
    ("resources/list", "resources", "uri", "resources/read"),
    ("resources/templates/list", "resourceTemplates", "uriTemplate", "resources/read"),
]


@pytest.mark.parametrize(("method", "key", "name", "right"), LISTS)
@pytest.mark.parametrize("streams", [pytest.param(False, id="JSON"), pytest.param(True, id="events")])
@pytest.mark.parametrize("new", [pytest.param(True, id="new era"), pytest.param(False, id="old era")])
async def test_every_list_keeps_order_and_cursor_and_is_private(method, key, name, right, streams, new):
    entries = [{name: f"x:{letter}", "title": letter} for letter in "dbca"]
    result = {key: entries, "nextCursor": "page-2"}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
    kind = "text/event-stream" if streams else "application/json"
    upstream = Upstream(b"id: 7\ndata: " + body + b"\n\n" if streams else body, content_type=kind)
    pdp = Said()
    pdp.hidden = {"x:b", "x:a"}
    app, lines = guard(upstream, pdp)
    mirrored = {"mcp_protocol_version": MODERN, "mcp_method": method} if new else {}
    params = {"cursor": "page-1"} | ({"_meta": META} if new else {})
    answer = await post(app, call(method, params), accept_encoding="gzip", **mirrored)
    data = answer.content.partition(b"data: ")[2] if streams else answer.content
    shown = json.loads(data)["result"]
    assert shown[key] == [entries[0], entries[2]]
    assert shown["nextCursor"] == "page-2"
    assert shown.get("cacheScope") == ("private" if new else None)
    assert [(item.method, item.tool) for item in pdp.batches[0]] == [(method, f"x:{letter}") for letter in "dbca"]
    assert (lines.last["listed"], lines.last["hidden"]) == (2, 2)
    assert b"accept-encoding" not in upstream.seen_headers


async def test_an_answer_in_a_session_that_is_no_list_keeps_its_bytes():
    body = b'{"jsonrpc" : "2.0","id":1,"result":{"content":[ ],"structuredContent":{"tools":[{"name":"x"}]}}}'
    app, _ = guard(Upstream(body, headers=[(b"mcp-session-id", b"s1")]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        headers = ALICE | {"content-type": "application/json"}
        first = await http.post("/mcp", content=tool("t"), headers=headers)
        second = await http.post(
            "/mcp", content=tool("t"), headers=headers | {"mcp-session-id": first.headers["mcp-session-id"]}
        )
    assert (first.content, second.content) == (body, body)
