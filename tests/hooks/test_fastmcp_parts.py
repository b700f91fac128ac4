"""The FastMCP hook by itself: what it reads of each kind of message, and what it makes of each kind of list."""

import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import mcp_types
import pytest
from mcp.shared.exceptions import MCPError

from tests.adapter.bench import Lines, Said

_STAND_IN = str(Path(__file__).with_name("stand_in"))
_NAMES = ("fastmcp", "fastmcp.exceptions", "fastmcp.server", "fastmcp.server.middleware", "mcp_adapter.fastmcp")
SCOPE = {"type": "http", "method": "POST", "path": "/mcp", "headers": [(b"authorization", b"Bearer token-alice")]}


@pytest.fixture
def module(monkeypatch):
    for name in _NAMES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(_STAND_IN)
    yield importlib.import_module("mcp_adapter.fastmcp")
    for name in _NAMES:
        sys.modules.pop(name, None)


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def lines() -> Lines:
    return Lines()


@pytest.fixture
def guard(module, said, lines):
    return module.AuthzFastMCPMiddleware(server="ops", client=said, audit=lines)


def context(method: str | None, message: object, *, scope: object = SCOPE, kind: str = "request") -> SimpleNamespace:
    request = None if scope is None else SimpleNamespace(scope=scope)
    asked = SimpleNamespace(request=request, protocol_version="2026-07-28")
    return SimpleNamespace(
        method=method, message=message, type=kind, fastmcp_context=SimpleNamespace(request_context=asked)
    )


def giving(result: object):
    async def call_next(context: object) -> object:
        return result

    return call_next


MESSAGES = [
    pytest.param(
        "tools/call", mcp_types.CallToolRequestParams(name="echo", arguments={"n": 1}), "echo", b'{"n": 1}', id="a call"
    ),
    pytest.param("resources/read", mcp_types.ReadResourceRequestParams(uri="note://a"), "note://a", b"", id="a read"),
    pytest.param("prompts/get", mcp_types.GetPromptRequestParams(name="greet"), "greet", b"", id="a prompt"),
    pytest.param("ping", {}, "", b"", id="raw parameters"),
    pytest.param("tools/list", mcp_types.ListToolsRequest(method="tools/list"), "", b"", id="a request without any"),
]


@pytest.mark.parametrize(("method", "message", "tool", "arguments"), MESSAGES)
async def test_it_asks_for_what_the_message_says(guard, said, method, message, tool, arguments):
    result = [] if method == "tools/list" else "done"
    assert await guard.on_message(context(method, message), giving(result)) == result
    (item,) = said.items
    assert (item.method, item.tool, item.arguments) == (method, tool, arguments)


@pytest.mark.parametrize(
    ("method", "attribute", "names", "hidden", "left"),
    [
        pytest.param("tools/list", "name", ["a", "b"], {"b"}, ["a"], id="tools"),
        pytest.param("prompts/list", "name", ["a", ""], set(), ["a"], id="a prompt without a name"),
        pytest.param("resources/list", "uri", ["note://a", "note://../b"], set(), ["note://a"], id="an odd URI"),
        pytest.param("resources/templates/list", "uri_template", ["n://{x}"], {"n://{x}"}, [], id="templates"),
        pytest.param("tools/list", "name", [], set(), [], id="nothing"),
    ],
)
async def test_a_list_is_left_with_what_may_be_seen(guard, said, lines, method, attribute, names, hidden, left):
    said.hidden = hidden
    components = [SimpleNamespace(**{attribute: name}) for name in names]
    seen = await guard.on_message(context(method, {}), giving(components))
    assert [getattr(one, attribute) for one in seen] == left
    assert (lines.last["listed"], lines.last["hidden"]) == (len(left), len(names) - len(left))


async def test_a_task_is_for_its_maker_in_a_list_and_by_itself(guard, said, lines):
    params = mcp_types.CallToolRequestParams(name="echo")
    task = mcp_types.Task(task_id="t1", status="working", created_at="x", last_updated_at="x", ttl=None)
    await guard.on_message(context("tools/call", params), giving(mcp_types.CreateTaskResult(task=task)))
    tasks = [{"taskId": "t1"}, {"taskId": "t2"}]
    left = await guard.on_message(context("tasks/list", {}), giving({"tasks": tasks}))
    assert left["tasks"] == [{"taskId": "t1"}]
    assert (lines.last["listed"], lines.last["hidden"]) == (1, 1)
    assert await guard.on_message(context("tasks/get", {"taskId": "t1"}), giving("done")) == "done"
    assert said.items[-1].tool == "echo"
    with pytest.raises(MCPError) as denied:
        await guard.on_message(context("tasks/get", {"taskId": "t2"}), giving("done"))
    assert denied.value.error.code == -32602


@pytest.mark.parametrize(("method", "result"), [("tools/list", 7), ("tasks/list", [])])
async def test_a_list_of_another_kind_is_not_shown(guard, method, result):
    with pytest.raises(MCPError) as denied:
        await guard.on_message(context(method, {}), giving(result))
    assert denied.value.error.code == 50300


async def test_a_notification_is_judged_as_one(guard, said):
    await guard.on_message(context("notifications/initialized", {}, kind="notification"), giving(None))
    assert said.items[0].method == "notifications/initialized"


async def test_without_a_request_all_is_denied(guard, said):
    with pytest.raises(MCPError) as denied:
        await guard.on_message(context("ping", {}, scope=None), giving("done"))
    assert denied.value.error.code == 40100
    assert said.items == []


async def test_a_resource_is_judged_before_an_extension_describes_it(guard, said, module):
    about = context(None, mcp_types.ReadResourceRequestParams(uri="note://a"))
    assert await guard.check_resource_access(about) is None
    assert await guard.on_read_resource(about, giving("read")) == "read"
    assert [item.tool for item in said.items] == ["note://a"]
    denying = module.AuthzFastMCPMiddleware(server="ops", client=Said(allowed=False), audit=Lines())
    with pytest.raises(module.AuthorizationError, match="not permitted"):
        await denying.check_resource_access(about)


async def test_it_is_open_as_long_as_the_server_runs(guard, said):
    async with guard.lifespan(None) as found:
        assert found == {}
    assert said.closed
