"""An MCP server on whichever SDK is installed, with the tool names of server-everything.

`python -m tests.matrix.upstream KIND PORT RECORD [SIDECAR AUDIT [DENIED]]`; KIND is `mcp`, `mcp-stateless` or
`fastmcp`. With a SIDECAR the app is wrapped in the middleware, without one it is bare, for the gateway. Every tool that
really runs leaves its name in the file RECORD.
"""

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import uvicorn

from mcp_adapter import AuthzMiddleware


def tools(server: Any, record: Path) -> None:
    def ran(name: str) -> None:
        with record.open("a") as file:
            file.write(f"{name}\n")

    @server.tool(name="echo")
    def echo(message: str) -> str:
        ran("echo")
        return f"Echo: {message}"

    @server.tool(name="get-sum")
    def get_sum(a: float, b: float) -> str:
        ran("get-sum")
        return f"The sum of {a:g} and {b:g} is {a + b:g}."

    @server.tool(name="get-env")
    def get_env() -> str:
        ran("get-env")
        return "PATH=secret"


def build(kind: str, record: Path) -> Any:
    stateless = kind == "mcp-stateless"
    if kind == "fastmcp":
        from fastmcp import FastMCP

        server = FastMCP("matrix")
        tools(server, record)
        return server.http_app(path="/mcp")
    if version("mcp").startswith("1."):
        from mcp.server.fastmcp import FastMCP

        server = FastMCP("matrix", stateless_http=stateless)
        tools(server, record)
        return server.streamable_http_app()
    from mcp.server.mcpserver import MCPServer

    server = MCPServer("matrix")
    tools(server, record)
    return server.streamable_http_app(stateless_http=stateless)


def main(kind: str, port: str, record: str, sidecar: str = "", audit: str = "", denied: str = "") -> None:
    app = build(kind, Path(record))
    if sidecar:
        more = {"denied": denied} if denied else {}
        app = AuthzMiddleware(app, server="everything", sidecar=sidecar, audit=audit, timeout=10, **more)
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning", ws="none", timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
