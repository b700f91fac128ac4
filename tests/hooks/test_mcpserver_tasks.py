"""Tasks of a real server with the SDK's extensions: whoever made one may ask about it, and nobody else."""

from contextlib import asynccontextmanager

from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import MCPServer
from mcp_types import RequestParams

from mcp_adapter.mcpserver import AuthzServerMiddleware
from tests.adapter.real_server import running
from tests.adapter.wire import Caller


class Named(RequestParams):
    task_id: str = ""


class Working(Extension):
    """Every call makes a task."""

    identifier = "io.modelcontextprotocol/tasks"

    async def intercept_tool_call(self, params, ctx, call_next):
        return {"resultType": "task", "taskId": f"of-{params.name}", "status": "working"}

    def methods(self):
        async def get(ctx, params):
            return {"resultType": "complete", "status": "working"}

        async def everybodys(ctx, params):
            return {"resultType": "complete", "tasks": [{"taskId": "of-echo"}, {"taskId": "of-danger"}]}

        return [
            MethodBinding(method="tasks/get", params_type=Named, handler=get),
            MethodBinding(method="tasks/list", params_type=Named, handler=everybodys),
        ]


@asynccontextmanager
async def hooked(sidecar, lines):
    guard = AuthzServerMiddleware(server="ops", sidecar=sidecar.target, audit=lines)
    mcp = MCPServer("hooked", middleware=[guard], extensions=[Working()])

    @mcp.tool()
    def echo() -> str:
        return ""

    async with running(mcp.streamable_http_app()) as url:
        yield url
    await guard.close()


async def test_only_the_maker_of_a_task_reaches_it(sidecar, table, lines):
    table.may["alice"].add(("tasks/get", "echo"))
    table.may["root"] = {("*", "*")}
    async with (
        hooked(sidecar, lines) as url,
        Caller(url, "alice", modern=True) as alice,
        Caller(url, "root", modern=True) as root,
    ):
        made = await alice.ask("tools/call", {"name": "echo", "arguments": {}})
        assert '"taskId":"of-echo"' in made.text, made.text
        about = {"taskId": "of-echo"}
        mine = await alice.ask("tasks/get", about, mcp_name="of-echo")
        assert '"status":"working"' in mine.text, mine.text
        theirs = await root.ask("tasks/get", about, mcp_name="of-echo")
        assert '"message":"task not found"' in theirs.text
        for caller, seen in ((alice, True), (root, False)):
            listed = (await caller.ask("tasks/list", {})).text
            assert ("of-echo" in listed, "of-danger" in listed) == (seen, False)
