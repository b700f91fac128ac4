"""The people of the demo: each calls the ops assistant with the official MCP client."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

CALLS: Mapping[str, dict[str, Any]] = {
    "lookup_inventory": {"query": "laptop"},
    "list_tickets": {},
    "create_ticket": {"title": "Printer on fire", "body": "Floor 3", "priority": "high"},
    "delete_ticket": {"ticket_id": 1},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """One person with one token."""

    name: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one call."""

    tool: str
    allowed: bool
    text: str
    decision_id: str = ""


async def visit(
    url: str, caller: Caller, *, mode: str = "auto", calls: Mapping[str, dict[str, Any]] = CALLS
) -> tuple[list[str], list[Outcome]]:
    """List the tools and call every one of `calls`, listed or not."""
    headers = {"Authorization": f"Bearer {caller.token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=10) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,  # type: ignore[arg-type]
    ):
        listed = [tool.name for tool in (await client.list_tools()).tools]
        return listed, [await _call(client, tool, arguments) for tool, arguments in calls.items()]


async def _call(client: Client, tool: str, arguments: dict[str, Any]) -> Outcome:
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as error:
        data = error.error.data if isinstance(error.error.data, dict) else {}
        return Outcome(tool=tool, allowed=False, text=error.error.message, decision_id=str(data.get("decision_id", "")))
    text = " ".join(getattr(part, "text", "") for part in result.content)
    return Outcome(tool=tool, allowed=True, text=f"error: {text}" if result.is_error else text)


async def status_without_token(url: str) -> tuple[int, str]:
    """Knock without a token, as anybody can."""
    async with httpx2.AsyncClient(timeout=10) as http:
        answer = await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        return answer.status_code, answer.headers.get("www-authenticate", "")
