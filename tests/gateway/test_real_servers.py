"""Real MCP clients and a real MCP server of both eras, with the gateway between them."""

import asyncio
import base64
import json
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer
from mcp.shared.exceptions import MCPError

from tests.gateway.standing import asking, config, events, gateway, running


def real_server() -> MCPServer:
    mcp = MCPServer("behind")

    @mcp.tool()
    def echo(text: str) -> str:
        return text

    @mcp.tool()
    def danger() -> str:
        return "BOOM"

    @mcp.tool()
    async def whoami(ctx: Context) -> str:
        await ctx.report_progress(1, 2)
        await ctx.report_progress(2, 2)
        return ctx.headers["x-authz-identity"].split(".")[1]

    @mcp.resource("note://a")
    def note_a() -> str:
        return "a"

    @mcp.resource("note://b")
    def note_b() -> str:
        return "b"

    return mcp


@asynccontextmanager
async def caller(front, name: str, mode: str):
    async with (
        asking(front, name) as http,
        Client(streamable_http_client(f"{front.url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client


SHAPES = [
    pytest.param("auto", False, False, id="modern"),
    pytest.param("auto", False, True, id="modern, JSON answers"),
    pytest.param("legacy", False, False, id="old era with sessions"),
    pytest.param("legacy", False, True, id="old era with sessions, JSON answers"),
    pytest.param("legacy", True, False, id="old era without sessions"),
]


@pytest.mark.parametrize(("mode", "stateless", "as_json"), SHAPES)
async def test_a_real_client_calls_what_it_may_and_sees_only_that(tmp_path, sidecar, mode, stateless, as_json):
    app = real_server().streamable_http_app(stateless_http=stateless, json_response=as_json)
    async with (
        running(app) as url,
        gateway(config(tmp_path, sidecar, url)) as front,
        caller(front, "alice", mode) as alice,
    ):
        assert (await alice.call_tool("echo", {"text": "hi"})).content[0].text == "hi"
        claims = (await alice.call_tool("whoami", {})).content[0].text
        assert _decoded(claims)["sub"] == "alice"
        assert [tool.name for tool in (await alice.list_tools()).tools] == ["echo", "whoami"]
        assert [str(one.uri) for one in (await alice.list_resources()).resources] == ["note://a"]
        with pytest.raises(MCPError) as denied:
            await alice.call_tool("danger", {})
        assert denied.value.error.code == 40300
    outcomes = {(event["method"], event["outcome"]) for event in events(tmp_path) if event.get("tool")}
    assert outcomes == {("tools/call", "allowed"), ("tools/call", "denied")}


async def test_two_users_who_interleave_are_never_taken_for_each_other(tmp_path, sidecar):
    async with (
        running(real_server().streamable_http_app()) as url,
        gateway(config(tmp_path, sidecar, url)) as front,
        caller(front, "alice", "legacy") as alice,
        caller(front, "bob", "legacy") as bob,
    ):

        async def once(client, name):
            claims = (await client.call_tool("whoami", {})).content[0].text
            assert _decoded(claims)["sub"] == name

        async with asyncio.timeout(30):
            for _ in range(20):
                await asyncio.gather(once(alice, "alice"), once(bob, "bob"))


async def test_a_session_belongs_to_its_principal_on_every_method(tmp_path, sidecar):
    app = real_server().streamable_http_app()
    path = None
    async with running(app) as url:
        path = config(tmp_path, sidecar, url)
        async with gateway(path) as front, asking(front) as alice, asking(front, "bob") as bob:
            session = await _opened(alice)
            for http, status in ((bob, 404), (alice, 200)):
                answer = await http.post("/mcp", content=PING, headers={"mcp-session-id": session})
                assert answer.status_code == status
            assert (await bob.delete("/mcp", headers={"mcp-session-id": session})).status_code == 404
            async with alice.stream("GET", "/mcp", headers={"mcp-session-id": session}) as stream:
                assert stream.status_code == 200
        # The seal outlives a restart of the gateway, since its key is kept; the session lives on in the server.
        async with gateway(path) as front, asking(front) as alice:
            kept = {"mcp-session-id": session}
            assert (await alice.post("/mcp", content=PING, headers=kept)).status_code == 200
            assert (await alice.delete("/mcp", headers=kept)).status_code == 200
            assert (await alice.post("/mcp", content=PING, headers=kept)).status_code == 404


PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


async def _opened(http: httpx2.AsyncClient) -> str:
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    session = (await http.post("/mcp", content=body)).headers["mcp-session-id"]
    said = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
    assert (await http.post("/mcp", content=said, headers={"mcp-session-id": session})).status_code == 202
    return session


def _decoded(part: str) -> dict[str, object]:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
