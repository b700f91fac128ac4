"""A real MCP server and a real MCP client, in both eras, with a sidecar of real gRPC between them."""

import asyncio

import httpx2
import pytest
from mcp.shared.exceptions import MCPError

from mcp_adapter import AuthzMiddleware
from tests.adapter.real_server import caller, running, server

SHAPES = [
    pytest.param("auto", False, False, id="modern"),
    pytest.param("auto", False, True, id="modern, JSON answers"),
    pytest.param("legacy", False, False, id="old era with sessions"),
    pytest.param("legacy", False, True, id="old era with sessions, JSON answers"),
    pytest.param("legacy", True, False, id="old era without sessions"),
    pytest.param("legacy", True, True, id="old era without sessions, JSON answers"),
]


def guarded(sidecar, lines, *, stateless: bool = False, as_json: bool = False) -> AuthzMiddleware:
    app = server().streamable_http_app(stateless_http=stateless, json_response=as_json)
    return AuthzMiddleware(app, server="ops", sidecar=sidecar.target, audit=lines, help_text="ask #it-access")


@pytest.mark.parametrize(("mode", "stateless", "as_json"), SHAPES)
async def test_a_real_client_calls_what_it_may_and_sees_only_that(sidecar, lines, mode, stateless, as_json):
    app = guarded(sidecar, lines, stateless=stateless, as_json=as_json)
    async with running(app) as url, caller(url, "alice", mode) as alice:
        assert (await alice.call_tool("echo", {"text": "hi"})).content[0].text == "hi"
        assert (await alice.call_tool("whoami", {})).content[0].text == "alice"
        assert [tool.name for tool in (await alice.list_tools()).tools] == ["echo", "write", "fail", "whoami"]
        assert [str(r.uri) for r in (await alice.list_resources()).resources] == ["note://a"]
        assert [prompt.name for prompt in (await alice.list_prompts()).prompts] == ["greet"]
        with pytest.raises(MCPError) as denied:
            await alice.call_tool("danger", {})
        assert denied.value.error.code == 40300
        assert denied.value.error.message == "not permitted (ask #it-access)"
        assert denied.value.error.data["decision_id"].startswith("decision-")
        with pytest.raises(MCPError) as narrow:
            await alice.call_tool("write", {})
        assert narrow.value.error.code == 40301
        assert narrow.value.error.data["required_scopes"] == ["tickets:write", "tickets:read"]
        assert (await alice.call_tool("fail", {})).is_error
    listed = next(event for event in lines.events if event.get("method") == "tools/list")
    assert (listed["listed"], listed["hidden"]) == (4, 1)
    failed = [event["tool_error"] for event in lines.events if event.get("tool") == "fail"]
    assert failed == [True]


@pytest.mark.parametrize(("mode", "stateless", "as_json"), [SHAPES[0], SHAPES[2], SHAPES[5]])
async def test_two_users_who_interleave_never_see_the_others_list_or_principal(
    sidecar, lines, mode, stateless, as_json
):
    app = guarded(sidecar, lines, stateless=stateless, as_json=as_json)
    async with running(app) as url, caller(url, "alice", mode) as alice, caller(url, "bob", mode) as bob:

        async def once(client, name, other, turn):
            assert (await client.call_tool("whoami", {})).content[0].text == name
            if turn % 5:
                return
            tools = {tool.name for tool in (await client.list_tools()).tools}
            assert ("danger" in tools) is (name == "bob")
            assert ("echo" in tools) is (name == "alice")
            with pytest.raises(MCPError):
                await client.call_tool(other, {"text": "x"})

        for turn in range(50):
            async with asyncio.timeout(10):
                await asyncio.gather(once(alice, "alice", "danger", turn), once(bob, "bob", "echo", turn))
    denied = {(event["who"]["subject"], event["tool"]) for event in lines.events if event["outcome"] == "denied"}
    assert denied == {("alice", "danger"), ("bob", "echo")}
    assert {event["outcome"] for event in lines.events} <= {"allowed", "denied", "aborted"}


async def test_a_session_of_another_principal_is_not_found_on_any_method(sidecar, lines):
    async with running(guarded(sidecar, lines)) as url, httpx2.AsyncClient(base_url=url, timeout=10) as http:
        session = await opened(http, "alice")
        for verb in ("POST", "GET", "DELETE"):
            answer = await http.request(verb, "/mcp", headers=headers("bob", session), content=PING[verb])
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, 40400)
        for forged in (session.partition(".")[0], session[:-1] + "x", "a.b", "x"):
            answer = await http.post("/mcp", headers=headers("alice", forged), content=PING["POST"])
            assert answer.status_code == 404
        mine = await http.post("/mcp", headers=headers("alice", session), content=PING["POST"])
        assert mine.status_code == 200
        assert (await http.delete("/mcp", headers=headers("alice", session))).status_code == 200
        assert (await http.post("/mcp", headers=headers("alice", session), content=PING["POST"])).status_code == 404
    assert all(session not in line.decode() for line in lines.raw)


async def test_a_stream_of_a_session_ends_with_its_client_and_leaves_a_line(sidecar, lines):
    async with running(guarded(sidecar, lines)) as url, httpx2.AsyncClient(base_url=url, timeout=10) as http:
        session = await opened(http, "alice")
        async with http.stream("GET", "/mcp", headers=headers("alice", session)) as stream:
            assert stream.status_code == 200
            assert stream.headers["mcp-session-id"] == session
    streamed = [event for event in lines.events if event["method"] == "session/stream"]
    assert [(event["status"], event["outcome"]) for event in streamed] == [(200, "aborted")]


async def test_lying_headers_of_an_older_version_change_nothing(sidecar, lines):
    lies = {"mcp-method": "tools/list", "mcp-name": "echo"}
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"danger","arguments":{}}}'
    async with running(guarded(sidecar, lines, stateless=True)) as url, httpx2.AsyncClient(base_url=url) as http:
        for version in ({}, {"mcp-protocol-version": "2025-11-25"}):
            answer = await http.post("/mcp", headers=headers("alice") | lies | version, content=body)
            assert answer.status_code == 403
        newer = {"mcp-protocol-version": "2026-07-28"}
        answer = await http.post("/mcp", headers=headers("alice") | lies | newer, content=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32020)
    assert b"BOOM" not in b"".join(lines.raw)


async def test_service_returns_after_the_sidecar_was_killed_and_started_again(sidecar, lines):
    async with running(guarded(sidecar, lines, stateless=True)) as url, httpx2.AsyncClient(base_url=url) as http:

        async def ask():
            return (await http.post("/mcp", headers=headers("alice"), content=PING["POST"])).status_code

        assert await ask() == 200
        await sidecar.stop()
        assert await ask() == 503
        await sidecar.start()
        async with asyncio.timeout(10):
            while (status := await ask()) != 200:
                assert status == 503
    assert lines.last["outcome"] == "allowed"


PING = {"POST": b'{"jsonrpc":"2.0","id":1,"method":"ping"}', "GET": b"", "DELETE": b""}


def headers(name: str, session: str = "") -> dict[str, str]:
    found = {
        "authorization": f"Bearer token-{name}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    return found | ({"mcp-session-id": session} if session else {})


async def opened(http, name: str) -> str:
    """Open a session of the old era and give its id as the client sees it."""
    body = (
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
        b'"clientInfo":{"name":"test","version":"1"}}}'
    )
    answer = await http.post("/mcp", headers=headers(name), content=body)
    session = answer.headers["mcp-session-id"]
    said = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
    assert (await http.post("/mcp", headers=headers(name, session), content=said)).status_code == 202
    return session
