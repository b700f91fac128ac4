"""Clients are told when a policy edit changes what they may see, and only then."""

import json
from typing import Any

import pytest

from mcp_adapter.pdp import Fault, Item, Unanswered
from mcp_adapter.principal import Principal
from mcp_adapter.seen import Seen
from tests.adapter.bench import Lines
from tests.adapter.open_streams import Held, Reader, Teller, guard, until

JSON = [(b"content-type", b"application/json")]
MODERN = {"mcp-protocol-version": "2026-07-28"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Server(Held):
    """A server of either era with two tools and a prompt, which says of its tools when they change."""

    def __init__(self, *, declares: Any = None, honors: Any = None) -> None:
        super().__init__()
        self.capabilities = {"tools": {"listChanged": True}, "prompts": {}} if declares is None else declares
        self.honors = {"toolsListChanged": True} if honors is None else honors

    async def __call__(self, scope, receive, send) -> None:
        event = await receive()
        message = json.loads(event["body"] or b"{}")
        match message.get("method"):
            case "initialize":
                result: dict[str, Any] = {"protocolVersion": "2025-11-25", "capabilities": self.capabilities}
            case "tools/list":
                result = {"tools": [{"name": "echo"}, {"name": "write"}]}
            case "subscriptions/listen":
                self.pieces = (b"event: message\ndata: " + self._acknowledged(message["id"]) + b"\n\n",)
                await super().__call__(scope, receive, send)
                return
            case _:
                self.pieces = (b": hello\n\n",)
                await super().__call__(scope, receive, send)
                return
        body = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": JSON})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _acknowledged(self, number: int) -> bytes:
        meta = {"io.modelcontextprotocol/subscriptionId": number}
        params = {"notifications": self.honors, "_meta": meta}
        method = "notifications/subscriptions/acknowledged"
        return json.dumps({"jsonrpc": "2.0", "method": method, "params": params}).encode()


@pytest.fixture
async def teller() -> Teller:
    return Teller()


async def once(app, who: str, method: str, params: dict[str, Any] | None = None, **headers: str) -> None:
    message: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
    await Reader(app, who, message, **headers).end()


async def settled(app, streams: int) -> None:
    await until(lambda: len(app._door.staying.streams) == streams)


def listen(app, who: str, number: int = 9, **notifications: Any) -> Reader:
    params = {"notifications": notifications or {"toolsListChanged": True}, "_meta": META}
    message = {"jsonrpc": "2.0", "id": number, "method": "subscriptions/listen", "params": params}
    return Reader(app, who, message, **MODERN, **{"mcp-method": "subscriptions/listen"})


CHANGED = b'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'


async def test_an_edit_that_takes_a_tool_from_a_caller_is_told_to_it_alone(teller: Teller, lines: Lines):
    app = guard(server := Server(), teller, lines)
    await once(app, "alice", "initialize")
    for who in ("alice", "bob"):
        await once(app, who, "tools/list")
    alice, bob = Reader(app, "alice", None), Reader(app, "bob", None)
    await alice.until(b"hello")
    await bob.until(b"hello")
    await settled(app, 2)
    await until(lambda: len(teller.batches) >= 4)
    teller.may["alice"].discard("write")
    await teller.tell()
    await alice.until(b"list_changed")
    await until(lambda: len(teller.batches) >= 6)
    server.more.put_nowait(b": one\n\n")
    server.more.put_nowait(b": two\n\n")
    await until(lambda: (alice.said + bob.said).count(b": ") >= 4)
    assert alice.said.count(CHANGED) == 1
    assert CHANGED not in bob.said
    teller.may["bob"].add("write")
    await teller.tell()
    await bob.until(b"list_changed")
    for reader in (alice, bob):
        await reader.leave()
    assert alice.said.count(CHANGED) == 1


async def test_every_stream_of_a_caller_is_told_once_and_asked_about_once(teller: Teller, lines: Lines):
    app = guard(Server(), teller, lines)
    await once(app, "alice", "initialize")
    await once(app, "alice", "tools/list")
    readers = [Reader(app, "alice", None) for _ in range(5)]
    for reader in readers:
        await reader.until(b"hello")
    await settled(app, 5)
    await until(lambda: len(teller.asked) >= 12)
    teller.batches.clear()
    teller.may["alice"].discard("write")
    await teller.tell()
    for reader in readers:
        await reader.until(b"list_changed")
    assert 1 <= len(teller.batches) <= 5
    for reader in readers:
        await reader.leave()
        assert reader.said.count(CHANGED) == 1


@pytest.mark.parametrize(
    ("declares", "lists"),
    [
        pytest.param({"tools": {}}, True, id="a server that never said that it tells"),
        pytest.param({"tools": None}, True, id="a server without tools"),
        pytest.param({"prompts": {"listChanged": True}}, True, id="a server that tells of other lists"),
        pytest.param({"tools": {"listChanged": True}}, False, id="a caller who saw no list"),
    ],
)
async def test_nobody_is_told_what_they_cannot_expect(teller: Teller, lines: Lines, declares, lists):
    app = guard(server := Server(declares=declares), teller, lines)
    await once(app, "alice", "initialize")
    if lists:
        await once(app, "alice", "tools/list")
    reader = Reader(app, "alice", None)
    await reader.until(b"hello")
    await settled(app, 1)
    teller.may["alice"].discard("write")
    await teller.tell()
    await until(lambda: len(teller.asked) >= 4)
    server.more.put_nowait(b": after\n\n")
    await reader.until(b"after")
    await reader.leave()
    assert b"list_changed" not in reader.said


async def test_a_stream_of_the_new_era_is_told_with_the_id_of_its_subscription(teller: Teller, lines: Lines):
    app = guard(Server(), teller, lines)
    await once(app, "alice", "tools/list", {"_meta": META}, **MODERN, **{"mcp-method": "tools/list"})
    reader = listen(app, "alice", 42, toolsListChanged=True)
    await reader.until(b"acknowledged")
    await settled(app, 1)
    await until(lambda: len(teller.batches) >= 2)
    teller.may["alice"].discard("write")
    await teller.tell()
    said = await reader.until(b"list_changed")
    message = json.loads(said.split(b"data: ")[2])
    assert message["method"] == "notifications/tools/list_changed"
    assert message["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": 42}
    await reader.leave()


async def test_a_stream_of_the_new_era_hears_of_nothing_that_was_not_acknowledged(teller: Teller, lines: Lines):
    app = guard(server := Server(honors={"promptsListChanged": True}), teller, lines)
    await once(app, "alice", "tools/list", {"_meta": META}, **MODERN, **{"mcp-method": "tools/list"})
    reader = listen(app, "alice", toolsListChanged=True, promptsListChanged=True)
    await reader.until(b"acknowledged")
    await settled(app, 1)
    teller.may["alice"].discard("write")
    await teller.tell()
    await until(lambda: len(teller.batches) >= 2)
    server.more.put_nowait(b": after\n\n")
    await reader.until(b"after")
    await reader.leave()
    assert b"list_changed" not in reader.said


async def test_a_notification_waits_for_the_end_of_the_servers_event(teller: Teller, lines: Lines):
    app = guard(server := Server(), teller, lines)
    await once(app, "alice", "tools/list", {"_meta": META}, **MODERN, **{"mcp-method": "tools/list"})
    reader = listen(app, "alice")
    await reader.until(b"acknowledged")
    server.more.put_nowait(b'data: {"half":')
    await reader.until(b"half")
    await settled(app, 1)
    await until(lambda: len(teller.batches) >= 2)
    teller.may["alice"].discard("write")
    await teller.tell()
    await until(lambda: len(teller.batches) >= 3)
    server.more.put_nowait(b"1}\n")
    server.more.put_nowait(b"\n")
    said = await reader.until(b"list_changed")
    assert b'data: {"half":1}\n\nevent: message\n' in said
    await reader.leave()


async def test_what_could_not_be_compared_is_told_at_the_next_change(teller: Teller, lines: Lines):
    app = guard(Server(), teller, lines)
    await once(app, "alice", "initialize")
    await once(app, "alice", "tools/list")
    reader = Reader(app, "alice", None)
    await reader.until(b"hello")
    await settled(app, 1)
    await until(lambda: len(teller.batches) >= 2)
    batch = teller.check_batch

    async def down(*args: Any, **named: Any) -> Any:
        teller.batches.append([])
        raise Unanswered(Fault.UNAVAILABLE, "down")

    teller.check_batch = down  # type: ignore[method-assign]
    teller.may["alice"].discard("write")
    await teller.tell()
    await until(lambda: [] in teller.batches)
    teller.check_batch = batch  # type: ignore[method-assign]
    await teller.tell()
    await reader.until(b"list_changed")
    await reader.leave()


ALICE = Principal(issuer="i", subject="alice")
BOB = Principal(issuer="i", subject="bob")


def page(*names: str, method: str = "tools/list") -> list[Item]:
    return [Item(method=method, tool=name) for name in names]


async def look(seen: Seen, who: Principal, heard: int, *hidden: str) -> dict[str, int]:
    async def sift(items):
        return tuple(item.tool not in hidden for item in items)

    return await seen.look(who, heard, sift)


async def test_all_pages_of_all_lists_count(teller: Teller):
    seen = Seen()
    seen.note(ALICE, page("a", "b"), [True, False])
    seen.note(ALICE, page("c"), [True])
    seen.note(ALICE, page("note://a", method="resources/list"), [True])
    seen.note(ALICE, page("note://{x}", method="resources/templates/list"), [True])
    assert await look(seen, ALICE, 1, "b") == {}
    assert await look(seen, ALICE, 2, "b", "c") == {"tools": 1}
    assert await look(seen, ALICE, 3, "b", "c", "note://{x}") == {"tools": 1, "resources": 1}
    assert await look(seen, ALICE, 3) == {"tools": 1, "resources": 1}
    assert seen.versions(ALICE) == {"tools": 1, "resources": 1}


@pytest.mark.parametrize(
    "items",
    [
        pytest.param([], id="an empty list"),
        pytest.param(page("t", method="tasks/list"), id="tasks, which no policy edit makes"),
        pytest.param(page(*map(str, range(1001))), id="a page that is too long"),
    ],
)
async def test_what_is_not_remembered(items):
    seen = Seen()
    seen.note(ALICE, items, [True] * len(items))
    assert await look(seen, ALICE, 1, *(item.tool for item in items)) == {}


async def test_nobody_is_remembered_who_was_not_verified():
    seen = Seen()
    seen.note(None, page("a"), [True])
    assert seen.versions(None) == {}
    assert await seen.look(None, 1, None) == {}  # type: ignore[arg-type]


async def test_memory_is_bounded():
    seen = Seen(most=3)
    for number in range(50):
        who = Principal(issuer="i", subject=f"u{number}")
        for at in range(20):
            seen.note(who, page(f"tool-{number}-{at}"), [True])
    assert len(seen._callers) == 3
    assert all(len(caller.pages) == 16 for caller in seen._callers.values())
    assert len(seen) == len(seen._pages) == 3 * 16


async def test_a_page_of_a_caller_is_shared_with_all_who_see_it():
    seen = Seen()
    for number in range(5):
        seen.note(Principal(issuer="i", subject=f"u{number}"), page("a", "b"), [True, number > 2])
    pages = {id(page) for caller in seen._callers.values() for page in caller.pages}
    assert len(pages) == 1


def test_lists_that_never_read_alike_twice_are_not_kept_for_ever():
    seen = Seen()
    for number in range(100):
        seen.note(ALICE, page(f"log-{number}", "log"), [True, True])
        seen.note(BOB, page(f"log-{number}", "log"), [True, True])
    assert len(seen) == 2 * 16


def test_callers_are_forgotten_when_there_are_too_many_names():
    seen = Seen(names=5)
    seen.note(ALICE, page("a", "b", "c"), [True] * 3)
    seen.note(BOB, page("a", "b", "c"), [True] * 3)
    assert len(seen) == 3
    seen.note(ALICE, page("d", "e", "f"), [True] * 3)
    assert len(seen) == 6
    seen.note(BOB, page("a", "b", "c"), [True] * 3)
    assert len(seen) == 3
