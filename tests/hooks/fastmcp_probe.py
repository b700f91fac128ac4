"""Run by the interpreter that has FastMCP 4: a server with the hook, real clients, and what they were told, as JSON."""

import asyncio
import json
import socket
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastmcp import Context, FastMCP
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from mcp_adapter import current_principal
from mcp_adapter.fastmcp import AuthzFastMCPMiddleware


def server(guard: AuthzFastMCPMiddleware) -> FastMCP:
    mcp = FastMCP("hooked", middleware=[guard])

    @mcp.tool
    def echo(text: str) -> str:
        return text

    @mcp.tool
    def danger() -> str:
        return "BOOM"

    @mcp.tool
    def write() -> str:
        return "written"

    @mcp.tool
    def fail() -> str:
        raise ValueError("failed")

    @mcp.tool
    async def whoami(ctx: Context) -> str:
        return current_principal(ctx).subject

    @mcp.resource("note://a")
    def note_a() -> str:
        return "a"

    @mcp.resource("note://b")
    def note_b() -> str:
        return "b"

    @mcp.resource("note://{name}/lines")
    def lines(name: str) -> str:
        return name

    @mcp.prompt
    def greet() -> str:
        return "hello"

    @mcp.prompt
    def secret() -> str:
        return "hidden"

    return mcp


async def said(asked: Any) -> Any:
    """Give what an answer says, or its error."""
    try:
        result = await asked
    except MCPError as error:
        return {"code": error.error.code, "message": error.error.message, "data": error.error.data}
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def visit(client: Client) -> dict[str, Any]:
    """Ask for everything."""
    return {
        "tools": await said(client.list_tools()),
        "resources": await said(client.list_resources()),
        "templates": await said(client.list_resource_templates()),
        "prompts": await said(client.list_prompts()),
        "echo": await said(client.call_tool("echo", {"text": "hi"})),
        "danger": await said(client.call_tool("danger", {})),
        "write": await said(client.call_tool("write", {})),
        "fail": await said(client.call_tool("fail", {})),
        "whoami": await said(client.call_tool("whoami", {})),
        "note a": await said(client.read_resource("note://a")),
        "note b": await said(client.read_resource("note://b")),
        "greet": await said(client.get_prompt("greet")),
        "secret": await said(client.get_prompt("secret")),
    }


@asynccontextmanager
async def running(app: Any) -> Any:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    web = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2, ws="none"))
    task = asyncio.create_task(web.serve([listener]))
    async with asyncio.timeout(10):
        while not web.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    web.should_exit = True
    await task
    listener.close()


async def main(sidecar: str, audit: Path) -> None:
    found: dict[str, Any] = {}
    guard = AuthzFastMCPMiddleware(server="ops", sidecar=sidecar, audit=audit, help_text="ask #it-access")
    async with running(server(guard).http_app()) as url:
        for mode in ("auto", "legacy"):
            for name in ("alice", "bob"):
                async with (
                    httpx2.AsyncClient(headers={"authorization": f"Bearer token-{name}"}, timeout=10) as http,
                    Client(streamable_http_client(url, http_client=http), mode=mode) as client,
                ):
                    found[f"{mode} {name}"] = await visit(client)
    await guard.hook.close()
    piped = AuthzFastMCPMiddleware(server="ops", sidecar=sidecar, audit=audit)
    found["pipe"] = await over_a_pipe(piped)
    await piped.hook.close()
    sys.stdout.write(json.dumps(found) + "\n")


async def over_a_pipe(guard: AuthzFastMCPMiddleware) -> Any:
    """Call without any HTTP request, and with no token configured."""
    from fastmcp import Client as FastClient

    try:
        async with FastClient(server(guard)) as client:
            return [tool.name for tool in await client.list_tools()]
    except Exception as error:  # noqa: BLE001 - whatever the client makes of it
        return str(error)


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
