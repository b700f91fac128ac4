"""Clients are told when a policy edit changes what they may see, and only then."""

import json
from typing import Any

import pytest

from mcp_adapter.pdp import Fault, Unanswered
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
