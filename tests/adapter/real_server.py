"""A real MCP server on loopback, and a real client for it."""

import asyncio
import socket
from contextlib import asynccontextmanager

import httpx2
import uvicorn
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer

from mcp_adapter import current_principal


def server(mcp: MCPServer | None = None) -> MCPServer:
    """Give a server its tools, resources and prompts."""
    mcp = mcp or MCPServer("test")

    @mcp.tool()
    def echo(text: str) -> str:
        return text

    @mcp.tool()
    def danger() -> str:
        return "BOOM"

    @mcp.tool()
    def write() -> str:
        return "written"

    @mcp.tool()
    def fail() -> str:
        raise ValueError("failed")

    @mcp.tool()
    async def whoami(ctx: Context) -> str:
        return current_principal(ctx).subject

    @mcp.resource("note://a")
    def note_a() -> str:
        return "a"

    @mcp.resource("note://b")
    def note_b() -> str:
        return "b"

    @mcp.prompt()
    def greet() -> str:
        return "hello"

    return mcp


class Web(uvicorn.Server):
    """A web server that says when it is up."""

    def __init__(self, app) -> None:
        super().__init__(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=2))
        self.up = asyncio.Event()

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def running(app):
    """Serve an app on loopback; gives its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    web = Web(app)
    task = asyncio.create_task(web.serve([listener]))
    async with asyncio.timeout(10):
        await web.up.wait()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        web.should_exit = True
        async with asyncio.timeout(10):
            await task
        listener.close()


@asynccontextmanager
async def caller(url: str, name: str, mode: str):
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer token-{name}"}, timeout=10) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client
