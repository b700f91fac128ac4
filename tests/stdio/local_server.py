"""A server that speaks over its standard input and output, as `mcp-authz stdio` guards it."""

from mcp.server.mcpserver import Context, MCPServer
from pydantic import BaseModel

mcp = MCPServer("local")


class Asked(BaseModel):
    name: str


@mcp.tool()
def echo(text: str) -> str:
    return text


@mcp.tool()
def danger() -> str:
    return "BOOM"


@mcp.tool()
async def ask(ctx: Context) -> str:
    found = await ctx.elicit("Who are you?", schema=Asked)
    return found.data.name if found.action == "accept" else "nobody"


@mcp.resource("note://a")
def note_a() -> str:
    return "a"


@mcp.resource("note://b")
def note_b() -> str:
    return "b"


mcp.run()
