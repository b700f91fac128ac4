"""The SDK's own middleware, with real servers and clients of both eras: the gate is that of the ASGI form."""

import asyncio
from contextlib import asynccontextmanager

import httpx2
import pytest
from mcp import Client
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

from mcp_adapter import current_principal
from mcp_adapter.mcpserver import AuthzServerMiddleware
from tests.adapter.real_server import caller, running
from tests.adapter.real_server import server as full

MODES = ["auto", "legacy"]


def server(guard: AuthzServerMiddleware) -> MCPServer:
    mcp = full(MCPServer("hooked", middleware=[guard]))

    @mcp.prompt()
    def secret() -> str:
        return "hidden"

    return mcp


@asynccontextmanager
async def hooked(sidecar, lines, *, stateless: bool = False, **settings):
    guard = AuthzServerMiddleware(
        server="ops", sidecar=sidecar.target, audit=lines, help_text="ask #it-access", **settings
    )
    async with running(server(guard).streamable_http_app(stateless_http=stateless)) as url:
        yield url
    await guard.close()


@pytest.mark.parametrize("mode", MODES)
async def test_what_is_allowed_passes_and_what_is_denied_says_why(sidecar, lines, mode):
    async with hooked(sidecar, lines) as url, caller(url, "alice", mode) as alice:
        assert (await alice.call_tool("echo", {"text": "hi"})).content[0].text == "hi"
        with pytest.raises(MCPError) as denied:
            await alice.call_tool("danger", {})
        assert denied.value.error.code == 40300
        assert denied.value.error.message == "not permitted (ask #it-access)"
        assert denied.value.error.data["decision_id"].startswith("decision-")
        assert denied.value.error.data["help"] == "ask #it-access"
        with pytest.raises(MCPError) as denied:
            await alice.call_tool("write", {})
        assert denied.value.error.code == 40301
        assert denied.value.error.data["required_scopes"] == ["tickets:write", "tickets:read"]
    called = [event for event in lines.events if event["method"] == "tools/call"]
    assert [(event["tool"], event["outcome"]) for event in called] == [
        ("echo", "allowed"),
        ("danger", "denied"),
        ("write", "denied"),
    ]
    assert called[0]["tool_error"] is False
    assert called[0]["who"]["subject"] == "alice"
    assert called[0]["path"] == "/mcp"
    assert called[0]["protocol_version"] == ("2026-07-28" if mode == "auto" else "2025-11-25")


@pytest.mark.parametrize("mode", MODES)
async def test_lists_hold_what_the_caller_may_use_and_are_private(sidecar, lines, mode):
    async with hooked(sidecar, lines) as url, caller(url, "alice", mode) as alice:
        tools = await alice.list_tools()
        assert [tool.name for tool in tools.tools] == ["echo", "write", "fail", "whoami"]
        assert [str(one.uri) for one in (await alice.list_resources()).resources] == ["note://a"]
        assert [one.name for one in (await alice.list_prompts()).prompts] == ["greet"]
        if mode == "auto":
            assert tools.cache_scope == "private"
    (event,) = [event for event in lines.events if event["method"] == "tools/list"]
    assert (event["listed"], event["hidden"]) == (4, 1)


@pytest.mark.parametrize("mode", MODES)
async def test_other_methods_are_judged_as_well(sidecar, lines, mode):
    async with hooked(sidecar, lines) as url, caller(url, "alice", mode) as alice:
        assert (await alice.read_resource("note://a")).contents[0].text == "a"
        with pytest.raises(MCPError) as denied:
            await alice.read_resource("note://b")
        assert denied.value.error.code == 40300
        with pytest.raises(MCPError) as denied:
            await alice.get_prompt("secret")
        assert denied.value.error.code == 40300


@pytest.mark.parametrize("mode", MODES)
async def test_the_handler_may_ask_who_is_calling(sidecar, lines, mode):
    async with (
        hooked(sidecar, lines) as url,
        caller(url, "alice", mode) as alice,
        caller(url, "bob", mode) as bob,
    ):

        async def once(client, name: str) -> None:
            assert (await client.call_tool("whoami", {})).content[0].text == name

        async with asyncio.timeout(10):
            for _ in range(5):
                await asyncio.gather(once(alice, "alice"), once(bob, "bob"))


async def test_a_tool_that_fails_is_said_in_the_event(sidecar, lines):
    async with hooked(sidecar, lines) as url, caller(url, "alice", "auto") as alice:
        assert (await alice.call_tool("fail", {})).is_error
    (event,) = [event for event in lines.events if event["method"] == "tools/call"]
    assert event["tool_error"] is True


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({}, 40100, id="no token"),
        pytest.param({"authorization": "Bearer nobody"}, 40100, id="a token of nobody"),
        pytest.param({"authorization": "Bearer a b"}, -32600, id="a mangled token"),
    ],
)
async def test_a_caller_that_is_not_verified_gets_nothing(sidecar, lines, headers, code):
    body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}
    async with hooked(sidecar, lines) as url, httpx2.AsyncClient(timeout=10) as http:
        answer = await http.post(f"{url}/mcp", json=body, headers=ACCEPT | headers)
    assert answer.status_code == 200  # a native hook has no other
    assert f'"code":{code}' in answer.text
    assert lines.last["outcome"] == ("denied" if code == 40100 else "refused")


async def test_a_session_belongs_to_whoever_used_it_first(sidecar, lines):
    async with hooked(sidecar, lines) as url, httpx2.AsyncClient(timeout=10) as http:

        async def post(name: str, method: str, session: str = "", params=None) -> httpx2.Response:
            headers = ACCEPT | {"authorization": f"Bearer token-{name}", "mcp-protocol-version": "2025-11-25"}
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
            return await http.post(
                f"{url}/mcp", json=body, headers=headers | ({"mcp-session-id": session} if session else {})
            )

        session = (await post("alice", "initialize", params=INITIALIZE)).headers["mcp-session-id"]
        assert '"result"' in (await post("alice", "ping", session)).text
        assert '"code":40400' in (await post("bob", "ping", session)).text
        assert '"result"' in (await post("alice", "ping", session)).text


async def test_without_an_answer_nobody_passes(sidecar, lines):
    await sidecar.stop()
    async with hooked(sidecar, lines) as url, httpx2.AsyncClient(timeout=10) as http:
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": INITIALIZE}
        answer = await http.post(f"{url}/mcp", json=body, headers=ACCEPT | {"authorization": "Bearer token-alice"})
    assert '"code":50300' in answer.text
    assert lines.last["outcome"] == "unanswered"


async def test_without_room_in_the_audit_log_nobody_passes(sidecar, lines):
    async with hooked(sidecar, lines) as url, caller(url, "alice", "auto") as alice:
        await alice.list_tools()  # which the client would do by itself to understand an answer
        lines.full = True
        await alice.call_tool("echo", {"text": "the last one"})  # what it leaves behind finds no room
        with pytest.raises(MCPError) as denied:
            await alice.call_tool("echo", {"text": "hi"})
        assert denied.value.error.code == 50300
        lines.full = False
        assert (await alice.call_tool("echo", {"text": "hi"})).content[0].text == "hi"


@pytest.mark.parametrize("observe", [False, True])
async def test_over_a_pipe_all_is_denied_unless_a_token_is_configured(sidecar, lines, table, observe):
    table.observe = observe
    guard = AuthzServerMiddleware(server="ops", sidecar=sidecar.target, audit=lines)
    with pytest.RaisesGroup(pytest.RaisesExc(MCPError, check=_is_no_token), flatten_subgroups=True):
        async with Client(server(guard)):
            pytest.fail("it connected")
    await guard.close()
    guard = AuthzServerMiddleware(server="ops", sidecar=sidecar.target, audit=lines, token=lambda: "token-alice")
    async with Client(server(guard)) as alice:
        assert (await alice.call_tool("echo", {"text": "hi"})).content[0].text == "hi"
        assert len((await alice.list_tools()).tools) == (5 if observe else 4)
        assert (await alice.call_tool("whoami", {})).content[0].text == "alice"
    await guard.close()


async def test_over_a_pipe_each_message_has_the_caller_of_its_own_token(sidecar, lines):
    tokens = ["token-alice"]
    guard = AuthzServerMiddleware(server="ops", sidecar=sidecar.target, audit=lines, token=lambda: tokens[0])
    async with Client(server(guard)) as caller_of_a_pipe:
        for name in ("alice", "root"):
            tokens[0] = f"token-{name}"
            assert (await caller_of_a_pipe.call_tool("whoami", {})).content[0].text == name
    with pytest.raises(LookupError):
        current_principal(None)
    await guard.close()


async def test_observe_mode_lets_through_and_says_so(sidecar, lines, table):
    table.observe = True
    async with hooked(sidecar, lines) as url, caller(url, "alice", "auto") as alice:
        assert (await alice.call_tool("danger", {})).content[0].text == "BOOM"
        assert len((await alice.list_tools()).tools) == 5
    assert [event["outcome"] for event in lines.events if event["method"] == "tools/call"] == ["observed"]


ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


def _is_no_token(error: MCPError) -> bool:
    return error.error.code == 40100
