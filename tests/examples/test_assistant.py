"""The sample server's tools, resources and prompt, asked by the official client in memory."""

from pathlib import Path

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent, TextResourceContents

from examples.ops_assistant.server import build
from examples.ops_assistant.store import Author, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "ops.db")


@pytest.fixture(params=["auto", "legacy"])
def client(store: Store, request: pytest.FixtureRequest) -> Client:
    """Give a client that is not connected: the test itself enters it, in its own task."""
    return Client(build(store, lambda _ctx: Author(subject="alice", issuer="https://idp.example")), mode=request.param)


async def test_every_tool_is_described(client: Client) -> None:
    async with client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert sorted(tools) == ["create_ticket", "delete_ticket", "list_tickets", "lookup_inventory"]
        for tool in tools.values():
            assert tool.title
            assert tool.description
            for name, schema in tool.input_schema["properties"].items():
                assert "description" in schema or name == "priority"
        deletes = tools["delete_ticket"].annotations
        assert deletes is not None
        assert deletes.destructive_hint


async def test_inventory_is_looked_up(client: Client) -> None:
    async with client:
        result = await client.call_tool("lookup_inventory", {"query": " laptop "})
        assert not result.is_error
        assert result.structured_content is not None
        assert [item["sku"] for item in result.structured_content["result"]] == ["LAP-14", "LAP-16"]


async def test_a_created_ticket_names_its_caller(client: Client, store: Store) -> None:
    async with client:
        result = await client.call_tool("create_ticket", {"title": "No light", "body": "Desk 4", "priority": "high"})
        assert not result.is_error
        assert result.structured_content is not None
        ticket = store.ticket(result.structured_content["id"])
        assert ticket is not None
        assert (ticket.author, ticket.issuer, ticket.priority) == ("alice", "https://idp.example", "high")


@pytest.mark.parametrize(
    ("status", "numbers"),
    [
        pytest.param("open", [1], id="open ones"),
        pytest.param("closed", [2], id="closed ones"),
        pytest.param("all", [1, 2], id="all"),
    ],
)
async def test_tickets_are_listed(client: Client, status: str, numbers: list[int]) -> None:
    async with client:
        result = await client.call_tool("list_tickets", {"status": status})
        assert result.structured_content is not None
        assert [ticket["id"] for ticket in result.structured_content["result"]] == numbers


async def test_a_ticket_is_deleted_once(client: Client) -> None:
    async with client:
        first = await client.call_tool("delete_ticket", {"ticket_id": 1})
        assert not first.is_error
        second = await client.call_tool("delete_ticket", {"ticket_id": 1})
        assert second.is_error
        assert _text(second.content[0]).endswith(
            "no ticket has the number `1`; `list_tickets` shows the ones there are"
        )


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        pytest.param("create_ticket", {"title": "  ", "body": "b"}, "title", id="blank title"),
        pytest.param("create_ticket", {"title": "No light", "body": " "}, "body", id="blank body"),
        pytest.param("create_ticket", {"title": "No light", "body": "b", "priority": "now"}, "priority", id="priority"),
        pytest.param("create_ticket", {"title": "x" * 121, "body": "b"}, "title", id="long title"),
        pytest.param("delete_ticket", {"ticket_id": 0}, "ticket_id", id="number below one"),
        pytest.param("delete_ticket", {"ticket_id": 2**63}, "ticket_id", id="number beyond the database"),
        pytest.param("list_tickets", {"status": "lost"}, "status", id="unknown status"),
        pytest.param("lookup_inventory", {"query": "x" * 101}, "query", id="long query"),
    ],
)
async def test_wrong_arguments_are_refused_by_name(
    client: Client, store: Store, tool: str, arguments: dict[str, object], field: str
) -> None:
    async with client:
        before = store.tickets()
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        assert field in _text(result.content[0])
        assert store.tickets() == before


async def test_resources_are_read(client: Client) -> None:
    async with client:
        assert [str(resource.uri) for resource in (await client.list_resources()).resources] == ["inventory://summary"]
        templates = (await client.list_resource_templates()).resource_templates
        assert [template.uri_template for template in templates] == ["inventory://items/{sku}"]
        summary = (await client.read_resource("inventory://summary")).contents[0]
        assert isinstance(summary, TextResourceContents)
        assert '"open_tickets": 1' in summary.text
        item = (await client.read_resource("inventory://items/DOC-USB")).contents[0]
        assert isinstance(item, TextResourceContents)
        assert '"quantity": 0' in item.text


async def test_an_unknown_item_is_told(client: Client) -> None:
    async with client:
        with pytest.raises(MCPError, match="no item has the number `NOPE`"):
            await client.read_resource("inventory://items/NOPE")


async def test_the_prompt_holds_the_ticket(client: Client) -> None:
    async with client:
        prompt = await client.get_prompt("triage_ticket", {"ticket_id": "1"})
        text = _text(prompt.messages[0].content)
        assert "title: Dock does not charge" in text
        assert "issuer" not in text


@pytest.mark.parametrize("number", ["77", "abc", "-1", "1" * 40, "\u0661"])
async def test_a_prompt_about_no_ticket_is_told(client: Client, number: str) -> None:
    async with client:
        with pytest.raises(MCPError, match=f"no ticket has the number `{number}`"):
            await client.get_prompt("triage_ticket", {"ticket_id": number})


async def test_a_caller_that_nobody_vouches_for_writes_nothing(store: Store) -> None:
    def nobody(_ctx: object) -> Author:
        raise LookupError("no principal")

    async with Client(build(store, nobody)) as client:
        result = await client.call_tool("create_ticket", {"title": "No light", "body": "Desk 4"})
    assert result.is_error
    assert len(store.tickets()) == 2


def _text(content: object) -> str:
    assert isinstance(content, TextContent)
    return content.text
