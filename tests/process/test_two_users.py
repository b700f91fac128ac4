"""Two people at once, by the official client: nobody sees the other's list, name or decision."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from tests.process.grounds import ISSUER, Ground, lines, token, until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

ROUNDS = 12
SEES = {
    "vera": {"lookup_inventory", "list_tickets"},
    "alice": {"lookup_inventory", "list_tickets", "create_ticket"},
    "mallory": set[str](),
}


@asynccontextmanager
async def connected(url: str, bearer: str, mode: str) -> AsyncIterator[Client]:
    headers = {"Authorization": f"Bearer {bearer}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=10, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


async def visit(shared: Ground, user: str, mode: str, bearer: str) -> list[str]:
    """List and create by turns; give the ids of the decisions that the caller was told."""
    told: list[str] = []
    async with connected(shared.playground.url, bearer, mode) as client:
        for number in range(ROUNDS):
            seen = {tool.name for tool in (await client.list_tools()).tools}
            assert seen == SEES[user]
            try:
                made = await client.call_tool("create_ticket", {"title": f"{mode} of {user}", "body": str(number)})
            except MCPError as error:
                assert user != "alice"
                data: Any = error.error.data
                told.append(data["decision_id"])
            else:
                assert user == "alice"
                assert made.structured_content is not None
                assert made.structured_content["author"] == user
    return told


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_interleaved_callers_never_meet(shared: Ground, mode: str) -> None:
    bearers = {user: token(shared.playground, user, "tickets:write", jti=f"{mode}-{user}") for user in SEES}
    async with asyncio.timeout(60):
        told = await asyncio.gather(
            *(visit(shared, user, mode, bearers[user]) for user in SEES for _ in range(2)),
        )
    async with (
        asyncio.timeout(10),
        connected(shared.playground.url, bearers["alice"], mode) as client,
    ):
        listed = (await client.call_tool("list_tickets", {"status": "open"})).structured_content
    assert listed is not None
    made = [ticket for ticket in listed["result"] if ticket["title"].startswith(f"{mode} of")]
    assert {(one["title"], one["author"], one["issuer"]) for one in made} == {(f"{mode} of alice", "alice", ISSUER)}
    assert len(made) == 2 * ROUNDS

    users = [user for user in SEES for _ in range(2)]
    wanted = {number: user for user, ids in zip(users, told, strict=True) for number in ids}
    events = until(lambda: _decided(shared, wanted))
    for number, user in wanted.items():
        assert events[number]["who"]["subject"] == user
        assert events[number]["who"]["token_id"] == f"{mode}-{user}"
    joined = {one["decision_id"]: one for one in lines(shared.playground.requests) if "decision_id" in one}
    for number, user in wanted.items():
        assert (joined[number]["who"]["subject"], joined[number]["status"]) == (user, 403)


def _decided(shared: Ground, wanted: dict[str, str]) -> dict[str, dict[str, Any]]:
    found = {one["decision_id"]: one for one in lines(shared.playground.decisions) if "decision_id" in one}
    return found if found.keys() >= wanted.keys() else {}
