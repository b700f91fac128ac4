"""Tasks over a pipe: who made one may ask about it by the right of the call that made it."""

import pytest

from mcp_adapter.client import SidecarClient
from tests.stdio.parts import Pair, call, request, result

MADE = [
    pytest.param({"task": {"taskId": "t1", "status": "working"}}, id="2025-11-25"),
    pytest.param({"resultType": "task", "taskId": "t1"}, id="the extension"),
]
ABOUT = ["tasks/get", "tasks/result", "tasks/update", "tasks/cancel"]
CANCELLED = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}}


@pytest.fixture
async def pair(sidecar, lines):
    client = SidecarClient(sidecar.target, timeout=5)
    yield Pair(client, lines)
    await client.close()


@pytest.mark.parametrize("method", ABOUT)
@pytest.mark.parametrize("made", MADE)
async def test_the_maker_asks_by_the_right_of_the_call(pair, table, method, made):
    table.may["alice"].add((method, "echo"))
    await pair.says(call("echo", n=1))
    await pair.hears(result(**made))
    await pair.says(request(method, taskId="t1"))
    assert len(pair.to_server.lines) == 2
    asked = table.asked[-1]
    assert (asked.method, asked.tool, asked.arguments_json) == (method, "echo", b'{"n": 1}')
    await pair.hears(result())
    assert (pair.audit.last["outcome"], pair.audit.last["tool"]) == ("allowed", "echo")


@pytest.mark.parametrize("method", ABOUT)
async def test_a_task_that_nobody_made_here_is_unknown_whatever_the_policy_says(pair, table, method):
    table.may["alice"].add(("*", "*"))
    await pair.says(request(method, taskId="t9"))
    assert pair.to_server.lines == []
    assert (pair.answer["error"]["code"], pair.answer["error"]["message"]) == (
        -32602,
        "task not found (ask #it-access)",
    )
    assert (pair.audit.last["outcome"], pair.audit.last["reason"]) == ("denied", "task_unknown")


async def test_a_maker_who_lost_the_right_to_the_tool_is_denied(pair):
    await pair.says(call("echo"))
    await pair.hears(result(task={"taskId": "t1"}))
    await pair.says(request("tasks/get", taskId="t1"))
    assert pair.answer["error"]["code"] == 40300


async def test_a_list_of_tasks_shows_the_callers_own(pair):
    await pair.says(call("echo"))
    await pair.hears(result(task={"taskId": "t1"}))
    await pair.says(request("tasks/list"))
    await pair.hears(result(tasks=[{"taskId": "t1"}, {"taskId": "t2"}]))
    assert pair.answer["result"]["tasks"] == [{"taskId": "t1"}]
    assert (pair.audit.last["listed"], pair.audit.last["hidden"]) == (1, 1)


async def test_a_listener_hears_of_its_own_tasks_alone(pair, table):
    table.may["alice"].add(("tasks/get", "echo"))
    await pair.says(call("echo"))
    await pair.hears(result(task={"taskId": "t1"}))
    await pair.says(request("subscriptions/listen", 2, notifications={"taskIds": ["t1"]}))
    assert len(pair.to_server.lines) == 2
    await pair.says(request("subscriptions/listen", 3, notifications={"taskIds": ["t1", "t2"]}))
    assert len(pair.to_server.lines) == 2
    assert (pair.answer["id"], pair.answer["error"]["code"]) == (3, -32602)


async def test_a_late_answer_to_a_cancelled_call_makes_no_task_of_another_tool(pair, table):
    table.may["alice"].add(("tasks/get", "whoami"))
    await pair.says(call("echo"))
    await pair.says(CANCELLED)
    await pair.says(call("whoami"))  # with the same id
    await pair.hears(result(task={"taskId": "t1"}))
    await pair.says(request("tasks/get", 2, taskId="t1"))
    assert pair.answer["error"]["code"] == -32602


async def test_ids_that_were_left_are_remembered_in_a_bounded_number(sidecar, lines):
    client = SidecarClient(sidecar.target, timeout=5)
    pair = Pair(client, lines, most=2)
    for number in (1, 2, 3):
        await pair.says(call("echo", number))
        await pair.says(CANCELLED | {"params": {"requestId": number}})
    assert [pair.calls.sure(number) for number in (1, 2, 3)] == [True, False, False]
    await client.close()
