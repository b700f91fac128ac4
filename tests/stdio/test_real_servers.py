"""Real MCP clients and a real MCP server over pipes, in both eras, with the guard between them."""

import asyncio
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from tests.app.running import House, house, until
from tests.process.grounds import lines as events

pytestmark = pytest.mark.process

_SERVER = Path(__file__).with_name("local_server.py")
_POLICY = """\
p, role:user, ops, tools/call, echo, allow
p, role:user, ops, tools/call, ask, allow
p, role:user, ops, resources/read, note://a, allow
g, user:alice, role:user
"""


@pytest.fixture
def ground():
    with house() as found:
        found.policy.write_text(_POLICY)
        yield found


def parameters(ground: House, *command: str) -> StdioServerParameters:
    """Say how an MCP host starts a server under guard; the sidecar is inside."""
    arguments = ["--config", str(ground.config), "--audit", str(ground.home / "audit.jsonl"), "--timeout", "10"]
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "mcp_adapter", "stdio", *arguments, "--", *command],
        env={"AUTHZ_TOKEN": ground.token()},
    )


@asynccontextmanager
async def local(ground: House, mode: str, **settings):
    guarded = parameters(ground, sys.executable, str(_SERVER))
    async with Client(stdio_client(guarded), mode=mode, **settings) as client:
        yield client


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_local_server_answers_what_the_policy_allows(ground, mode):
    async with local(ground, mode) as alice:
        assert [tool.name for tool in (await alice.list_tools()).tools] == ["echo", "ask"]
        assert [str(one.uri) for one in (await alice.list_resources()).resources] == ["note://a"]
        assert (await alice.call_tool("echo", {"text": "hi"})).content[0].text == "hi"
        assert (await alice.read_resource("note://a")).contents[0].text == "a"
        for asked in (alice.call_tool("danger", {}), alice.read_resource("note://b")):
            with pytest.raises(MCPError) as denied:
                await asked
            assert denied.value.error.code == 40300
    denials = [event for event in events(ground.home / "audit.jsonl") if event["outcome"] == "denied"]
    assert [event["tool"] for event in denials] == ["danger", "note://b"]
    told = {event["decision_id"] for event in ground.decisions if event["type"] == "decision"}
    assert {event["decision_id"] for event in denials} <= told


async def test_a_server_may_ask_its_client_and_gets_the_answer(ground):
    from mcp_types import ElicitResult

    async def answer(context, params):
        return ElicitResult(action="accept", content={"name": "Ann"})

    async with local(ground, "legacy", elicitation_callback=answer) as alice:
        assert (await alice.call_tool("ask", {})).content[0].text == "Ann"


async def test_an_edit_of_the_policy_is_live_in_the_running_session(ground):
    async with local(ground, "legacy") as alice:
        with pytest.raises(MCPError):
            await alice.call_tool("danger", {})
        ground.policy.write_text(_POLICY + "p, role:user, ops, tools/call, danger, allow\n")

        async def seen() -> bool:
            return "danger" in [tool.name for tool in (await alice.list_tools()).tools]

        await until(seen)
        assert (await alice.call_tool("danger", {})).content[0].text == "BOOM"


async def test_a_call_under_way_ends_when_its_right_is_taken_away(ground):
    asked = asyncio.Event()

    async def answer(context, params):
        asked.set()
        await asyncio.Event().wait()  # a person who thinks about it

    async with local(ground, "legacy", elicitation_callback=answer) as alice, asyncio.timeout(30):
        calling = asyncio.create_task(alice.call_tool("ask", {}))
        await asked.wait()
        ground.policy.write_text(_POLICY.replace("p, role:user, ops, tools/call, ask, allow\n", ""))
        with pytest.raises(MCPError) as ended:
            await calling
        assert ended.value.error.code == 40300
        assert (await alice.call_tool("echo", {"text": "hi"})).content[0].text == "hi"
    (event,) = [event for event in events(ground.home / "audit.jsonl") if event.get("tool") == "ask"]
    assert (event["outcome"], event["reason"]) == ("ended", "no_matching_rule")
