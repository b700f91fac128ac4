"""Tasks: who made one may ask about it by the right of the call that made it, and nobody else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_adapter import AuthzMiddleware
from mcp_adapter.gate import Ruling, Way
from mcp_adapter.jsonrpc import Kind, Message
from mcp_adapter.methods import items
from mcp_adapter.pdp import Answer, Decision, Fault, Item, Unanswered
from mcp_adapter.principal import Principal
from mcp_adapter.tasks import Tasks
from tests.adapter.bench import ALICE_TOKEN, Lines, Said, call, post, tool
from tests.adapter.fake_sidecar import FakeSidecar
from tests.adapter.wire import META, MODERN

OLD_WORDS = {"task": {"taskId": "t1", "status": "working"}}
NEW_WORDS = {"resultType": "task", "taskId": "t1", "status": "working"}


class Working:
    """A server whose tools make tasks, and whose tasks say their name."""

    def __init__(self, made=OLD_WORDS, *, streams: bool = False, listed=()) -> None:
        self.made, self.streams, self.listed = made, streams, listed
        self.bodies: list[bytes] = []

    async def __call__(self, scope, receive, send) -> None:
        body = (await receive())["body"]
        self.bodies.append(body)
        asked = json.loads(body)
        result = {
            "tools/call": self.made,
            "tasks/list": {"tasks": [{"taskId": task, "status": "working"} for task in self.listed]},
        }.get(asked["method"], {"ok": True})
        said = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        kind = b"application/json"
        if self.streams:
            kind, said = b"text/event-stream", b": wait\n\ndata: " + said + b"\n\n"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": said[:20], "more_body": True})
        await send({"type": "http.response.body", "body": said[20:], "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def guarded(server, sidecar: FakeSidecar, lines: Lines) -> AuthzMiddleware:
    return AuthzMiddleware(server, server="ops", sidecar=sidecar.target, audit=lines, timeout=5)


def about(method: str, task: str = "t1", **more) -> bytes:
    return call(method, {"taskId": task, **more})


ABOUT = ["tasks/get", "tasks/result", "tasks/update", "tasks/cancel"]


@pytest.mark.parametrize("method", ABOUT)
@pytest.mark.parametrize(
    ("made", "streams"),
    [
        pytest.param(OLD_WORDS, False, id="2025-11-25"),
        pytest.param(OLD_WORDS, True, id="2025-11-25 as an event"),
        pytest.param(NEW_WORDS, False, id="the extension"),
        pytest.param(NEW_WORDS, True, id="the extension as an event"),
    ],
)
async def test_the_maker_asks_by_the_right_of_the_call(sidecar, table, lines, method, made, streams):
    table.may["alice"].add((method, "echo"))
    app = guarded(Working(made, streams=streams), sidecar, lines)
    assert (await post(app, tool("echo", text="x"))).status_code == 200
    assert (await post(app, about(method))).status_code == 200
    asked = table.asked[-1]
    assert (asked.method, asked.tool, asked.arguments_json) == (method, "echo", b'{"text": "x"}')
    assert (lines.last["outcome"], lines.last["tool"]) == ("allowed", "echo")


NOT_FOUND = {"code": -32602, "message": "task not found"}


@pytest.mark.parametrize("who", ["bob", "root"])
@pytest.mark.parametrize("method", ABOUT)
async def test_a_task_of_somebody_else_reads_like_one_that_is_unknown(sidecar, lines, table, method, who):
    table.may["alice"].add((method, "echo"))
    server = Working()
    app = guarded(server, sidecar, lines)
    await post(app, tool("echo"))
    theirs = await post(app, about(method), token=f"token-{who}")
    unknown = await post(app, about(method, "t2"), token=f"token-{who}")
    for answer in (theirs, unknown):
        assert answer.status_code == 200  # 404 would end the client's session
        error = answer.json()["error"]
        assert error.pop("data").keys() == {"decision_id"}
        assert error == NOT_FOUND
    assert len(server.bodies) == 1
    assert [event["outcome"] for event in lines.events[-2:]] == ["denied", "denied"]
    assert {event["reason"] for event in lines.events[-2:]} == {"task_unknown"}


async def test_without_sessions_it_is_404(sidecar, lines):
    app = guarded(Working(), sidecar, lines)
    body = about("tasks/get", _meta=META)
    answer = await post(app, body, mcp_protocol_version=MODERN, mcp_method="tasks/get", mcp_name="t1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32602)


async def test_a_maker_who_lost_the_right_to_the_tool_is_denied(sidecar, table, lines):
    app = guarded(Working(), sidecar, lines)
    await post(app, tool("echo"))
    answer = await post(app, about("tasks/get"))
    assert answer.status_code == 403


async def test_a_caller_who_was_not_verified_learns_nothing(sidecar, table, lines):
    table.expired.add("token-alice")
    app = guarded(Working(), sidecar, lines)
    assert (await post(app, about("tasks/get"))).status_code == 401


async def test_no_answer_is_not_an_unknown_task():
    pdp = Said()
    pdp.error = Unanswered(Fault.UNAVAILABLE, "down")
    app = AuthzMiddleware(Working(), client=pdp, audit=Lines())
    assert (await post(app, about("tasks/get"))).status_code == 503


async def test_observing_lets_unknown_tasks_pass_and_says_so():
    lines = Lines()
    app = AuthzMiddleware(Working(), client=Said(observe=True), audit=lines)
    assert (await post(app, about("tasks/get"))).status_code == 200
    assert (lines.last["outcome"], lines.last["reason"]) == ("observed", "task_unknown")


async def test_a_list_of_tasks_shows_the_callers_own(sidecar, table, lines):
    app = guarded(Working(listed=["t1", "t2", "t3"]), sidecar, lines)
    await post(app, tool("echo"))
    shown = (await post(app, call("tasks/list"))).json()["result"]["tasks"]
    assert [task["taskId"] for task in shown] == ["t1"]
    assert (lines.last["listed"], lines.last["hidden"]) == (1, 2)
    others = (await post(app, call("tasks/list"), token="token-root")).json()["result"]["tasks"]
    assert others == []


def listening(*tasks: object, uris=()) -> bytes:
    wanted = {"taskIds": list(tasks), "resourceSubscriptions": list(uris)}
    return call("subscriptions/listen", {"notifications": wanted, "_meta": META})


async def listen(app, body: bytes, token: str = ALICE_TOKEN):
    return await post(app, body, token=token, mcp_protocol_version=MODERN, mcp_method="subscriptions/listen")


async def test_a_listener_hears_of_its_own_tasks_alone(sidecar, table, lines):
    table.may["alice"].add(("tasks/get", "echo"))
    app = guarded(Working(), sidecar, lines)
    await post(app, tool("echo"))
    assert (await listen(app, listening("t1", uris=["note://a"]))).status_code == 200
    assert [(item.method, item.tool) for item in table.asked[-1].items] == [
        ("subscriptions/listen", ""),
        ("subscriptions/listen", "note://a"),
        ("tasks/get", "echo"),
    ]
    assert (await listen(app, listening("t1", "t2"))).status_code == 404
    assert (await listen(app, listening("t1"), "token-root")).status_code == 404
    assert (await listen(app, listening("t1", uris=["note://b"]))).status_code == 403


@pytest.mark.parametrize(
    "tasks",
    [
        pytest.param([1], id="a number"),
        pytest.param([""], id="an empty name"),
        pytest.param([["t1"]], id="a list"),
        pytest.param(["t"] * 1000, id="too many"),
    ],
)
async def test_a_listener_names_tasks_properly(sidecar, lines, tasks):
    app = guarded(Working(), sidecar, lines)
    assert (await listen(app, listening(*tasks))).status_code == 400


@pytest.mark.parametrize(
    "made",
    [
        pytest.param({"taskId": "t1"}, id="a result that only looks like one"),
        pytest.param({"resultType": "task"}, id="no name"),
        pytest.param({"resultType": "task", "taskId": 1}, id="a name that is none"),
        pytest.param({"task": {"taskId": "t" * 3000}}, id="a name that is too long"),
        pytest.param({"resultType": "task", "taskId": "t1", "x": "y" * 70_000}, id="an answer that is too large"),
    ],
)
async def test_what_is_no_task_is_not_remembered(sidecar, table, lines, made):
    app = guarded(Working(made), sidecar, lines)
    await post(app, tool("echo"))
    assert (await post(app, about("tasks/get"), token="token-alice")).json()["error"]["code"] == -32602


# -- the memory itself --

ALICE = Principal(issuer="https://idp.example", subject="alice", client_id="cli")
BOB = Principal(issuer="https://idp.example", subject="bob", client_id="cli")
ELSEWHERE = Principal(issuer="https://idp.example", subject="alice", client_id="other")
CALL = Item(method="tools/call", tool="echo", arguments=b"{}")


def test_the_same_person_with_another_client_is_somebody_else():
    tasks = Tasks()
    tasks.remember("t", ALICE, CALL)
    assert [tasks.tool("t", who) for who in (ALICE, ELSEWHERE, BOB, None)] == ["echo", "", "", ""]


def test_a_task_stays_with_its_first_maker():
    tasks = Tasks()
    tasks.remember("t", ALICE, CALL)
    tasks.remember("t", BOB, CALL)
    assert (tasks.tool("t", ALICE), tasks.tool("t", BOB)) == ("echo", "")


def test_nobody_has_no_tasks():
    tasks = Tasks()
    tasks.remember("t", None, CALL)
    assert tasks.claim(Message(kind=Kind.REQUEST, method="tasks/get", params={"taskId": "t"}), ()).made == (None,)


def test_a_task_is_forgotten_a_day_after_its_last_use():
    now = 0.0
    tasks = Tasks(clock=lambda: now)
    tasks.remember("t", ALICE, CALL)
    now = 86_000.0
    assert tasks.tool("t", ALICE) == "echo"
    now = 170_000.0
    assert tasks.tool("t", ALICE) == "echo"
    now = 260_000.0
    assert tasks.tool("t", ALICE) == ""
    tasks.remember("t", BOB, CALL)
    assert tasks.tool("t", BOB) == "echo"


def test_who_makes_too_many_forgets_its_own():
    tasks = Tasks(each=2)
    tasks.remember("b", BOB, CALL)
    for name in ("1", "2", "3"):
        tasks.remember(name, ALICE, CALL)
    assert [tasks.tool(name, ALICE) for name in ("1", "2", "3")] == ["", "echo", "echo"]
    assert tasks.tool("b", BOB) == "echo"


def test_the_oldest_go_first_when_there_are_too_many_in_all():
    tasks = Tasks(most=2)
    tasks.remember("1", ALICE, CALL)
    tasks.remember("2", BOB, CALL)
    assert tasks.tool("1", ALICE) == "echo"  # used again, so it is the younger one
    tasks.remember("3", ELSEWHERE, CALL)
    assert (tasks.tool("1", ALICE), tasks.tool("2", BOB), tasks.tool("3", ELSEWHERE)) == ("echo", "", "echo")


def test_arguments_that_are_too_long_are_not_kept():
    tasks = Tasks()
    tasks.remember("t", ALICE, Item(method="tools/call", tool="echo", arguments=b'{"x":"' + b"y" * 5000 + b'"}'))
    message = Message(kind=Kind.REQUEST, method="tasks/get", params={"taskId": "t"})
    assert tasks.claim(message, items(message)).items == (Item(method="tasks/get", tool="echo"),)


WHO = st.sampled_from([ALICE, BOB, ELSEWHERE])


@given(st.lists(st.tuples(st.sampled_from("abcd"), WHO), max_size=30), st.sampled_from("abcd"), WHO)
def test_only_the_first_maker_ever_passes(made, named, who):
    tasks = Tasks(most=1000, each=1000)
    for name, maker in made:
        tasks.remember(name, maker, CALL)
    message = Message(kind=Kind.REQUEST, method="tasks/get", params={"taskId": named})
    claim = tasks.claim(message, items(message))
    allowed = Decision(allowed=True, reason="allowed_by_rule")
    ruling = claim.rule(Ruling(way=Way.PASS, reason="", message="", answer=Answer(decisions=(allowed,), principal=who)))
    makers = [maker for name, maker in made if name == named]
    assert bool(ruling) is (makers[:1] == [who])
    assert ruling.way in (Way.PASS, Way.UNKNOWN)
