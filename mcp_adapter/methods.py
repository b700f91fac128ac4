"""What each MCP method acts on, and which results are lists: the adapter's table.

Source: the MCP specification, revisions 2024-11-05 to 2026-07-28, and the tasks extension. How a method is judged is
the sidecar's table; here stands only where to look in a message.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from mcp_adapter import uris
from mcp_adapter.jsonrpc import Kind, Message
from mcp_adapter.pdp import LARGEST_BATCH, Item
from mcp_adapter.refusal import INVALID_PARAMS, Refusal

LONGEST_TOOL: Final = 2048
"""Bytes of a name, by the wire contract."""

CLIENT_RESPONSE: Final = "client/response"
SESSION_DELETE: Final = "session/delete"
SESSION_STREAM: Final = "session/stream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list in a result: under which key it stands, which member names an entry, and which method asks for it."""

    key: str
    name: str
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """Where a method says what it acts on."""

    find: Callable[[Message], tuple[Item, ...]]
    listing: Listing | None = None
    mirrored: str = ""
    """The parameter that `Mcp-Name` repeats (2026-07-28, "Request Metadata"), if any."""
    old: bool = False
    """Whether 2026-07-28 has it no more: there it is an unknown method, whatever a server makes of it."""


def _wrong(message: str) -> Refusal:
    return Refusal(400, INVALID_PARAMS, message)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(f"`{name}` is not a string, or is empty")
    if len(value.encode()) > LONGEST_TOOL:
        raise _wrong(f"`{name}` is longer than {LONGEST_TOOL} bytes")
    return value


def _address(value: object, name: str) -> str:
    address = _text(value, name)
    if problem := uris.wrong(address):
        raise _wrong(f"`{name}` {problem}")
    return address


def _nothing(message: Message) -> tuple[Item, ...]:
    return (Item(method=message.method),)


def _name(message: Message) -> tuple[Item, ...]:
    name = _text(message.params.get("name"), "name")
    return (Item(method=message.method, tool=name, arguments=message.arguments),)


def uri(message: Message) -> tuple[Item, ...]:
    """Ask about a resource."""
    return (Item(method=message.method, tool=_address(message.params.get("uri"), "uri")),)


def _ref(message: Message) -> tuple[Item, ...]:
    match message.params.get("ref"):
        case {"type": "ref/prompt", "name": name, **rest} if "uri" not in rest:
            tool = f"ref/prompt:{_text(name, 'ref.name')}"
        case {"type": "ref/resource", "uri": address, **rest} if "name" not in rest:
            tool = f"ref/resource:{_address(address, 'ref.uri')}"
        case _:
            raise _wrong("`ref` is neither a prompt nor a resource")
    return (Item(method=message.method, tool=tool),)


def _task(message: Message) -> tuple[Item, ...]:
    # The right to a task follows from the call that made it (`tasks.py`). Where nobody remembers that, the empty name
    # is matched by a `*` row alone.
    _text(message.params.get("taskId"), "taskId")
    return (Item(method=message.method),)


def _listen(message: Message) -> tuple[Item, ...]:
    """Ask for each URI, and with the empty name for the rest: that lists have changed."""
    wanted = message.params.get("notifications", {})
    if not isinstance(wanted, dict):
        raise _wrong("`notifications` is not an object")
    addresses = wanted.get("resourceSubscriptions", [])
    tasks = wanted.get("taskIds", [])
    if not isinstance(addresses, list) or not isinstance(tasks, list):
        raise _wrong("`notifications` has something else than a list")
    if len(addresses) + len(tasks) > LARGEST_BATCH - 2:
        raise _wrong(f"`notifications` names more than {LARGEST_BATCH - 2} things")
    for task in tasks:
        _text(task, "taskIds")
    items = [Item(method=message.method)]
    items += (Item(method=message.method, tool=_address(one, "resourceSubscriptions")) for one in addresses)
    if tasks:
        items.append(Item(method="tasks/get"))
    return tuple(items)


def _listed(key: str, name: str, method: str, *, old: bool = False) -> tuple[str, Method]:
    return method, Method(find=_nothing, listing=Listing(key=key, name=name, method=method), old=old)


METHODS: Final[Mapping[str, Method]] = MappingProxyType(
    {
        "initialize": Method(find=_nothing),
        "logging/setLevel": Method(find=_nothing, old=True),
        "ping": Method(find=_nothing),
        "server/discover": Method(find=_nothing),
        "tools/call": Method(find=_name, mirrored="name"),
        "prompts/get": Method(find=_name, mirrored="name"),
        "resources/read": Method(find=uri, mirrored="uri"),
        "resources/subscribe": Method(find=uri, old=True),
        "resources/unsubscribe": Method(find=uri, old=True),
        "completion/complete": Method(find=_ref),
        "subscriptions/listen": Method(find=_listen),
        "tasks/cancel": Method(find=_task, mirrored="taskId"),
        "tasks/get": Method(find=_task, mirrored="taskId"),
        "tasks/result": Method(find=_task, old=True),
        "tasks/update": Method(find=_task, mirrored="taskId"),
        **dict(
            [
                _listed("tools", "name", "tools/list"),
                _listed("prompts", "name", "prompts/list"),
                _listed("resources", "uri", "resources/list"),
                _listed("resourceTemplates", "uriTemplate", "resources/templates/list"),
                _listed("tasks", "taskId", "tasks/list", old=True),
            ]
        ),
    }
)

LISTINGS: Final = tuple(entry.listing for entry in METHODS.values() if entry.listing is not None)


def items(message: Message) -> tuple[Item, ...]:
    """Give everything that a message asks for, all of which must be allowed; raises `Refusal` (400)."""
    if message.kind is Kind.RESPONSE:
        return (Item(method=CLIENT_RESPONSE),)
    entry = METHODS.get(message.method)
    if entry is None:  # the sidecar denies what neither it nor the server's configuration knows
        return _nothing(message)
    try:
        return entry.find(message)
    except Refusal as refusal:
        raise Refusal(refusal.status, refusal.code, refusal.message, request_id=message.id) from None


def task_ids(message: Message) -> tuple[str, ...]:
    """Give the tasks that a message names, once `items` has found it well formed."""
    if message.method.startswith("tasks/"):
        named = message.params.get("taskId")
        return (named,) if isinstance(named, str) else ()
    wanted = message.params.get("notifications") if message.method == "subscriptions/listen" else None
    named = wanted.get("taskIds") if isinstance(wanted, dict) else None
    return tuple(dict.fromkeys(task for task in named if isinstance(task, str))) if isinstance(named, list) else ()
