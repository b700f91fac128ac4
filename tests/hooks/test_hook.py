"""The hook by itself: what it refuses before it asks, what it writes down, and whose session is whose."""

import asyncio

import pytest
from mcp_types import CallToolResult, CreateTaskResult, Task

from mcp_adapter.filter import Unreadable
from mcp_adapter.hook import Denied, Heard, Hook
from mcp_adapter.owners import Owners
from mcp_adapter.pdp import Fault, Item, Unanswered
from mcp_adapter.principal import SCOPE_KEY, Principal
from mcp_adapter.refusal import Refusal
from mcp_adapter.wired import sifted
from tests.adapter.bench import Lines, Said


def heard(method: str = "tools/call", *, scope: object = None, headers: object = (), **params: object) -> Heard:
    found = {"type": "http", "method": "POST", "path": "/mcp", "headers": headers} if scope is None else scope
    return Heard(method=method, params=params or {"name": "echo"}, scope=found, version="2026-07-28")


async def done() -> str:
    return "done"


async def unsifted(result, seen):
    return result, None


@pytest.fixture
def lines() -> Lines:
    return Lines()


def hook(lines: Lines, said: Said | None = None) -> Hook:
    return Hook(server="ops", client=said or Said(), audit=lines)


@pytest.mark.parametrize(
    ("message", "code", "told"),
    [
        pytest.param(heard(name="echo", arguments=[1]), -32602, "is not an object", id="arguments that are none"),
        pytest.param(heard(name="echo", arguments={"n": float("nan")}), -32602, "as JSON", id="not a number"),
        pytest.param(heard(name="echo", arguments={"n": {1, 2}.__iter__()}), -32602, "as JSON", id="no JSON at all"),
        pytest.param(heard(name=""), -32602, "`name`", id="no name"),
        pytest.param(heard(headers="x"), -32600, "cannot be read", id="headers that are none"),
        pytest.param(
            heard(headers=[(b"authorization", b"Bearer a"), (b"Authorization", b"Bearer b")]),
            -32600,
            "twice",
            id="twice",
        ),
    ],
)
async def test_what_is_not_well_formed_is_refused(lines, message, code, told):
    said = Said()
    with pytest.raises(Denied, match=told) as denied:
        await hook(lines, said).around(message, done, unsifted)
    assert denied.value.code == code
    assert said.items == []
    assert lines.last["outcome"] == "refused"


async def test_the_event_says_what_the_client_calls_itself(lines):
    meta = {"io.modelcontextprotocol/clientInfo": {"name": "cli", "version": "1"}}
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    message = heard(headers=[(b"traceparent", trace.encode())], name="echo", _meta=meta)
    assert await hook(lines).around(message, done, unsifted) == "done"
    assert (lines.last["untrusted_client"], lines.last["traceparent"]) == ("cli/1", trace)


async def test_the_caller_stands_in_the_scope_of_the_request(lines):
    message = heard()
    await hook(lines).around(message, done, unsifted)
    assert message.scope[SCOPE_KEY].subject == "alice"


async def test_what_the_handler_raises_goes_on_and_is_written_down(lines):
    async def broken() -> str:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await hook(lines).around(heard(), broken, unsifted)
    assert (lines.last["outcome"], lines.last["tool_error"]) == ("allowed", True)
    with pytest.raises(ValueError, match="broken"):
        await hook(lines).around(heard("ping"), broken, unsifted)
    assert "tool_error" not in lines.last


async def test_a_request_that_is_cancelled_is_written_down(lines):
    async def waiting() -> str:
        await asyncio.Event().wait()
        return ""

    running = asyncio.create_task(hook(lines).around(heard(), waiting, unsifted))
    for _ in range(5):
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert lines.last["outcome"] == "aborted"


@pytest.mark.parametrize("error", [Unreadable("odd"), Unanswered(Fault.TIMEOUT, "slow")])
async def test_a_list_that_cannot_be_judged_is_not_shown(lines, error):
    async def failing(result, seen):
        raise error

    with pytest.raises(Denied) as denied:
        await hook(lines).around(heard("tools/list"), done, failing)
    assert denied.value.code == 50300
    assert lines.last["outcome"] == "unanswered"


async def test_a_log_that_cannot_be_opened_keeps_the_server_from_starting(tmp_path):
    (tmp_path / "file").touch()
    guard = Hook(client=Said(), audit=tmp_path / "file" / "audit.jsonl")
    with pytest.raises(OSError, match=r"exists|directory"):
        async with guard.lifespan(None):
            pytest.fail("it started")


def test_the_oldest_session_is_forgotten_first():
    owners, ann, bob = Owners(most=2), Principal(issuer="i", subject="ann"), Principal(issuer="i", subject="bob")
    for session in ("1", "2", "1", "3"):
        owners.check(session, ann)
    with pytest.raises(Refusal, match="session not found"):
        owners.check("1", bob)
    owners.check("2", bob)
    owners.check("", bob)
    owners.check("", ann)


def test_a_caller_of_many_sessions_makes_us_forget_nobody_elses():
    owners, ann, bob = (
        Owners(most=9, each=3),
        Principal(issuer="i", subject="ann"),
        Principal(issuer="i", subject="bob"),
    )
    owners.check("anns", ann)
    for number in range(100):
        owners.check(f"{number}", bob)
    with pytest.raises(Refusal, match="session not found"):
        owners.check("anns", bob)
    with pytest.raises(Refusal, match="session not found"):
        owners.check("99", ann)
    owners.check("0", ann)


def test_a_session_without_a_caller_is_not_open_to_one():
    owners = Owners()
    owners.check("1", None)
    with pytest.raises(Refusal):
        owners.check("1", Principal(issuer="i", subject="ann"))


# -- tasks --

ABOUT = ["tasks/get", "tasks/result", "tasks/update", "tasks/cancel"]
MADE = [
    pytest.param({"task": {"taskId": "t1", "status": "working"}}, id="2025-11-25"),
    pytest.param({"resultType": "task", "taskId": "t1"}, id="the extension"),
    pytest.param(
        CreateTaskResult(task=Task(task_id="t1", status="working", created_at="x", last_updated_at="x", ttl=None)),
        id="a value of the SDK",
    ),
]


def giving(result: object):
    async def proceed() -> object:
        return result

    return proceed


@pytest.mark.parametrize("method", ABOUT)
@pytest.mark.parametrize("made", MADE)
async def test_the_maker_of_a_task_asks_by_the_right_of_the_call(lines, method, made):
    said = Said()
    guard = hook(lines, said)
    assert await guard.around(heard(name="echo", arguments={"n": 1}), giving(made), unsifted) is made
    assert await guard.around(heard(method, taskId="t1"), done, unsifted) == "done"
    assert said.items[-1] == Item(method=method, tool="echo", arguments=b'{"n": 1}')
    assert (lines.last["outcome"], lines.last["tool"]) == ("allowed", "echo")


@pytest.mark.parametrize("method", ABOUT)
async def test_a_task_of_somebody_else_reads_like_one_that_is_unknown(lines, method):
    said = Said()
    guard = hook(lines, said)
    await guard.around(heard(), giving({"task": {"taskId": "t1"}}), unsifted)
    said.principal = Principal(issuer="https://idp.example", subject="root")
    for task in ("t1", "t2"):
        with pytest.raises(Denied, match="task not found") as denied:
            await guard.around(heard(method, taskId=task), done, unsifted)
        assert denied.value.code == -32602
        assert (lines.last["outcome"], lines.last["reason"]) == ("denied", "task_unknown")


async def test_a_maker_who_lost_the_right_to_the_tool_is_denied(lines):
    said = Said()
    guard = hook(lines, said)
    await guard.around(heard(), giving({"task": {"taskId": "t1"}}), unsifted)
    said.decision = Said(allowed=False).decision
    with pytest.raises(Denied) as denied:
        await guard.around(heard("tasks/get", taskId="t1"), done, unsifted)
    assert denied.value.code == 40300


@pytest.mark.parametrize(
    "result",
    [
        pytest.param("done", id="no object"),
        pytest.param({"content": [], "taskId": "t1"}, id="a result that only looks like one"),
        pytest.param({"task": {"taskId": 1}}, id="a name that is none"),
        pytest.param(CallToolResult(content=[]), id="a result of the SDK"),
    ],
)
async def test_what_is_no_task_is_not_remembered(lines, result):
    guard = hook(lines)
    await guard.around(heard(), giving(result), unsifted)
    with pytest.raises(Denied, match="task not found"):
        await guard.around(heard("tasks/get", taskId="t1"), done, unsifted)


async def test_a_listener_hears_of_its_own_tasks_alone(lines):
    guard = hook(lines)
    await guard.around(heard(), giving({"task": {"taskId": "t1"}}), unsifted)
    listening = heard("subscriptions/listen", notifications={"taskIds": ["t1"]})
    assert await guard.around(listening, done, unsifted) == "done"
    with pytest.raises(Denied, match="task not found"):
        await guard.around(heard("subscriptions/listen", notifications={"taskIds": ["t2"]}), done, unsifted)


async def test_a_list_of_tasks_shows_the_callers_own_that_it_may_still_use(lines):
    said = Said()
    guard = hook(lines, said)
    for tool, task in (("echo", "t1"), ("lost", "t2")):
        await guard.around(heard(name=tool), giving({"task": {"taskId": task}}), unsifted)
    said.hidden = {"lost"}
    listed = {"tasks": [{"taskId": "t1"}, {"taskId": "t2"}, {"taskId": "t3"}]}

    async def sift(result, seen):
        return await sifted(result, seen, modern=False)

    shown = await guard.around(heard("tasks/list"), giving(listed), sift)
    assert shown == {"tasks": [{"taskId": "t1"}]}
    assert (lines.last["listed"], lines.last["hidden"]) == (1, 2)
    said.principal = Principal(issuer="https://idp.example", subject="bob")
    assert await guard.around(heard("tasks/list"), giving(listed), sift) == {"tasks": []}


@pytest.mark.parametrize("result", [None, [{"taskId": "t1"}], {"tasks": object()}])
async def test_a_list_that_is_none_on_the_wire_is_not_shown(lines, result):
    async def sift(result, seen):
        return await sifted(result, seen, modern=True)

    with pytest.raises(Denied) as denied:
        await hook(lines).around(heard("tasks/list"), giving(result), sift)
    assert denied.value.code == 50300
