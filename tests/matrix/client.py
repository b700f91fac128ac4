"""A client on either generation of the MCP Python SDK: lists, calls, steps up when told to, and prints what it saw.

`python -m tests.matrix.client MODE`, with the plan (`plans.py`) as JSON on standard input.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from importlib.metadata import version
from typing import Any

import anyio

FIRST_GENERATION = version("mcp").startswith("1.")
if FIRST_GENERATION:
    import httpx as http_library
    from mcp import ClientSession
    from mcp import McpError as ProtocolError
else:
    import httpx2 as http_library
    from mcp import Client
    from mcp import MCPError as ProtocolError
from mcp import StdioServerParameters  # noqa: E402 - these are in both generations
from mcp.client.stdio import stdio_client  # noqa: E402
from mcp.client.streamable_http import streamable_http_client  # noqa: E402

SCOPE_NEEDED = 40301


class StepUp(http_library.Auth):
    """Sends the token; when a challenge asks for more scope, takes the wider token once and comes again."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._token, self._wider = plan["token"], plan["wider"]
        self.challenges: list[str] = []

    def auth_flow(self, request):
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        challenge = response.headers.get("www-authenticate", "")
        if response.status_code in {401, 403}:
            self.challenges.append(challenge)
        if 'error="insufficient_scope"' in challenge and self._wider:
            self._token, self._wider = self._wider, ""
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request


async def connected(stack: AsyncExitStack, plan: dict[str, Any], mode: str, auth: StepUp) -> Any:
    if "command" in plan:
        server = StdioServerParameters(command=plan["command"])
        transport = stdio_client(server)
    else:
        http = await stack.enter_async_context(http_library.AsyncClient(auth=auth, timeout=20))
        transport = streamable_http_client(plan["url"], http_client=http)
    if not FIRST_GENERATION:
        return await stack.enter_async_context(Client(transport, mode=mode))
    read, write, *_ = await stack.enter_async_context(transport)
    session = await stack.enter_async_context(ClientSession(read, write))
    await session.initialize()
    return session


async def call(client: Any, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        result = await client.call_tool(tool, arguments)
    except ProtocolError as error:
        return {"ok": False, "code": error.error.code, "text": error.error.message, "data": error.error.data}
    failed = result.isError if FIRST_GENERATION else result.is_error
    return {"ok": not failed, "text": " ".join(getattr(part, "text", "") for part in result.content)}


async def stepping(client: Any, plan: dict[str, Any], seen: dict[str, Any]) -> dict[str, Any]:
    """Call what needs a scope; over HTTP the challenge is met below us, over stdio by a new token in the file."""
    found = await call(client, *plan["calls"]["stepped"])
    if found.get("code") == SCOPE_NEEDED:
        seen["challenges"].append(json.dumps(found["data"]))
        if "token_file" in plan:
            await anyio.Path(plan["token_file"]).write_text(plan["wider"])
            return await call(client, *plan["calls"]["stepped"])
    return found


async def visit(plan: dict[str, Any], mode: str) -> dict[str, Any]:
    auth = StepUp(plan)
    seen: dict[str, Any] = {"alive": False, "challenges": auth.challenges}
    try:
        async with asyncio.timeout(30), AsyncExitStack() as stack:
            client = await connected(stack, plan, mode, auth)
            seen["tools"] = [tool.name for tool in (await client.list_tools()).tools]
            seen["allowed"] = await call(client, *plan["calls"]["allowed"])
            seen["stepped"] = await stepping(client, plan, seen)
            with anyio.move_on_after(5):  # a connection that died may leave its call waiting
                seen["denied"] = await call(client, *plan["calls"]["denied"])
                seen["alive"] = (await call(client, *plan["calls"]["allowed"]))["ok"]
    except* Exception as problems:  # noqa: BLE001 - whatever ends the connection is what we report
        seen["problem"] = sorted({str(one) for one in leaves(problems)})
    return seen


def leaves(problem: BaseException) -> list[BaseException]:
    if isinstance(problem, BaseExceptionGroup):
        return [leaf for one in problem.exceptions for leaf in leaves(one)]
    return [problem]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(visit(json.load(sys.stdin), sys.argv[1]))))  # noqa: T201 - its answer
