"""Servers from npm, unchanged, under guard: the reference server, and one that gives files away."""

import asyncio
import shutil
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.stdio import stdio_client
from mcp.shared.exceptions import MCPError

from tests.app.running import House, house
from tests.matrix import environments
from tests.stdio.test_real_servers import parameters

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

_POLICY = """\
p, role:user, ops, tools/call, echo, allow
p, role:user, ops, tools/call, get-env, allow
p, *, ops, tools/call, get-env, deny
p, role:user, ops, tools/call, read_text_file, allow, "args.path.endsWith('.txt')"
g, user:alice, role:user
"""


@pytest.fixture
def ground():
    with house() as found:
        found.policy.write_text(_POLICY)
        yield found


@asynccontextmanager
async def guarded(ground: House, server: str, *arguments: str):
    modules = await asyncio.to_thread(environments.node)
    program = modules / "@modelcontextprotocol" / server / "dist" / "index.js"
    command = [shutil.which("node") or "node", str(program), *arguments]
    async with Client(stdio_client(parameters(ground, *command)), mode="auto") as client:
        yield client


async def test_of_server_everything_nobody_gets_the_environment(ground):
    async with guarded(ground, "server-everything", "stdio") as alice:
        assert [tool.name for tool in (await alice.list_tools()).tools] == ["echo"]
        assert (await alice.call_tool("echo", {"message": "hi"})).content[0].text == "Echo: hi"
        with pytest.raises(MCPError) as denied:
            await alice.call_tool("get-env", {})
        assert denied.value.error.code == 40300


async def test_of_server_filesystem_a_condition_says_which_files(ground, tmp_path: Path):
    for name in ("open.txt", "secret.key"):
        (tmp_path / name).write_text(name)
    async with guarded(ground, "server-filesystem", str(tmp_path)) as alice:
        assert [tool.name for tool in (await alice.list_tools()).tools] == ["read_text_file"]
        found = await alice.call_tool("read_text_file", {"path": str(tmp_path / "open.txt")})
        assert found.content[0].text == "open.txt"
        for tool, path in (("read_text_file", "secret.key"), ("write_file", "open.txt")):
            with pytest.raises(MCPError) as denied:
                await alice.call_tool(tool, {"path": str(tmp_path / path), "content": "x"})
            assert denied.value.error.code == 40300
