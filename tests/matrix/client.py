"""A client on either generation of the MCP Python SDK: lists, calls, steps up when told to, and prints what it saw.

`python -m tests.matrix.client URL MODE`, with `{"token": …, "wider": …}` on standard input.
"""

import asyncio
import json
import re
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
from mcp.client.streamable_http import streamable_http_client  # noqa: E402 - it is in both generations


class StepUp(http_library.Auth):
    """Sends the token; when a challenge names a scope, fetches the wider token once and comes again."""

    def __init__(self, token: str, wider: str) -> None:
        self._token, self._wider = token, wider
        self.challenges: list[str] = []
        self.statuses: list[int] = []

    def auth_flow(self, request):
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        self.statuses.append(response.status_code)
        challenge = response.headers.get("www-authenticate", "")
        if response.status_code in {401, 403}:
            self.challenges.append(challenge)
        if re.search(r'error="insufficient_scope"', challenge) and self._wider:
            self._token, self._wider = self._wider, ""
            request.headers["Authorization"] = f"Bearer {self._token}"
            response = yield request
            self.statuses.append(response.status_code)


async def connected(stack: AsyncExitStack, url: str, mode: str, auth: StepUp) -> Any:
    http = await stack.enter_async_context(http_library.AsyncClient(auth=auth, timeout=20))
    transport = streamable_http_client(url, http_client=http)
    if not FIRST_GENERATION:
        return await stack.enter_async_context(Client(transport, mode=mode))
    read, write, _ = await stack.enter_async_context(transport)
    session = await stack.enter_async_context(ClientSession(read, write))
    await session.initialize()
    return session


async def call(client: Any, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        result = await client.call_tool(tool, arguments)
    except ProtocolError as error:
        return {"ok": False, "code": error.error.code, "text": error.error.message}
    failed = result.isError if FIRST_GENERATION else result.is_error
    return {"ok": not failed, "text": " ".join(getattr(part, "text", "") for part in result.content)}


async def visit(url: str, mode: str, tokens: dict[str, str]) -> dict[str, Any]:
    seen: dict[str, Any] = {"alive": False}
    auth = StepUp(tokens["token"], tokens["wider"])
    try:
        async with asyncio.timeout(30), AsyncExitStack() as stack:
            client = await connected(stack, url, mode, auth)
            seen["tools"] = [tool.name for tool in (await client.list_tools()).tools]
            seen["echo"] = await call(client, "echo", {"message": "hello"})
            seen["sum"] = await call(client, "get-sum", {"a": 2, "b": 3})
            with anyio.move_on_after(5):  # a connection that died may leave its call waiting
                seen["env"] = await call(client, "get-env", {})
                seen["alive"] = (await call(client, "echo", {"message": "still here"}))["ok"]
    except* Exception as problems:  # noqa: BLE001 - whatever ends the connection is what we report
        seen["problem"] = sorted({str(one) for one in leaves(problems)})
    return {**seen, "challenges": auth.challenges, "statuses": auth.statuses}


def leaves(problem: BaseException) -> list[BaseException]:
    if isinstance(problem, BaseExceptionGroup):
        return [leaf for one in problem.exceptions for leaf in leaves(one)]
    return [problem]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(visit(sys.argv[1], sys.argv[2], json.load(sys.stdin)))))  # noqa: T201 - its answer
