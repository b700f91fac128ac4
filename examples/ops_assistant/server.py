"""The assistant's MCP surface: four tools, a resource, a resource template, a prompt."""

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceNotFoundError, ToolError
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, ToolAnnotations
from pydantic import Field, StringConstraints

from examples.ops_assistant.store import Author, Item, Priority, Store, Summary, Ticket

Caller = Callable[[Context[Any, Any]], Author]
"""Says who is calling; raises `LookupError` when nobody vouches for the caller."""

Query = Annotated[
    str,
    StringConstraints(strip_whitespace=True, max_length=100),
    Field(description="Part of an item number or name, for example `laptop`; empty for the whole inventory."),
]
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=3, max_length=120),
    Field(description="What is wrong, in one line."),
]
Body = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=4000),
    Field(description="What happened, where, and what was tried."),
]
Number = Annotated[int, Field(ge=1, le=2**53, description="The ticket's number, as `list_tickets` shows it.")]
PromptNumber = Annotated[str, Field(description="The ticket's number, as `list_tickets` shows it.")]
ListedStatus = Annotated[Literal["open", "closed", "all"], Field(description="Which tickets to list.")]

_NUMBER = re.compile("[1-9][0-9]{0,14}", re.ASCII)
_HINT = "`list_tickets` shows the ones there are"
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=False)
_DELETES = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False)


def build(store: Store, caller: Caller) -> MCPServer[Any]:
    """Give the server of the operations assistant over this store."""
    server: MCPServer[Any] = MCPServer(
        "ops-assistant",
        title="Operations assistant",
        instructions="Looks up the stock of the operations team and keeps its tickets.",
    )
    _add_inventory(server, store)
    _add_tickets(server, store, caller)
    return server


def _add_inventory(server: MCPServer[Any], store: Store) -> None:
    @server.tool(title="Look up inventory", annotations=_READS)
    def lookup_inventory(query: Query = "") -> list[Item]:
        """Find items in stock by part of their number or name: where they are and how many are left."""
        return store.find_items(query)

    @server.resource("inventory://summary", title="Inventory summary", mime_type="application/json")
    def inventory_summary() -> Summary:
        """How many kinds and pieces are in stock, what is sold out, how many tickets are open."""
        return store.summary()

    @server.resource("inventory://items/{sku}", title="Inventory item", mime_type="application/json")
    def inventory_item(sku: str) -> Item:
        """One item by its exact number, for example `inventory://items/LAP-14`."""
        item = store.item(sku)
        if item is None:
            raise ResourceNotFoundError(f"no item has the number `{sku}`; `lookup_inventory` finds the ones there are")
        return item


def _add_tickets(server: MCPServer[Any], store: Store, caller: Caller) -> None:
    @server.tool(title="Create a ticket", annotations=_ADDS)
    def create_ticket(ctx: Context[Any, Any], title: Title, body: Body, priority: Priority = "normal") -> Ticket:
        """Open a ticket for the operations team; the caller is recorded as its author."""
        return store.add_ticket(title, body, priority, caller(ctx))

    @server.tool(title="List tickets", annotations=_READS)
    def list_tickets(status: ListedStatus = "open") -> list[Ticket]:
        """List tickets, oldest first."""
        return store.tickets(None if status == "all" else status)

    @server.tool(title="Delete a ticket", annotations=_DELETES)
    def delete_ticket(ticket_id: Number) -> str:
        """Delete a ticket for good."""
        if not store.remove_ticket(ticket_id):
            raise ToolError(f"no ticket has the number `{ticket_id}`; {_HINT}")
        return f"ticket {ticket_id} is deleted"

    @server.prompt(title="Triage a ticket")
    def triage_ticket(ticket_id: PromptNumber) -> str:
        """Ask for a priority and a next step for one ticket."""
        # The arguments of a prompt are strings on the wire.
        ticket = store.ticket(int(ticket_id)) if _NUMBER.fullmatch(ticket_id) else None
        if ticket is None:
            raise MCPError(INVALID_PARAMS, f"no ticket has the number `{ticket_id}`; {_HINT}")
        facts = "\n".join(f"{name}: {value}" for name, value in asdict(ticket).items() if name != "issuer")
        return (
            f"Here is a ticket of the operations team.\n\n{facts}\n\nGive its priority and the next step, with reasons."
        )
