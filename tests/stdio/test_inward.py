"""What a client says is judged line by line, and goes on as the very bytes, or not at all."""

import json

import pytest

from mcp_adapter.client import SidecarClient
from mcp_adapter.stdio.lines import TOO_LONG
from tests.adapter.bench import Said
from tests.stdio.parts import Pair, call, request, result


@pytest.fixture
async def pair(sidecar, lines):
    client = SidecarClient(sidecar.target, timeout=5)
    yield Pair(client, lines)
    await client.close()


async def test_an_allowed_call_goes_on_as_the_very_bytes(pair, table):
    arguments = b'{"n":9007199254740993, "x" :1e2}'
    line = b'{"id" : 1,"jsonrpc":"2.0" , "method":"tools/call","params":{"name":"echo","arguments":%b}}' % arguments
    await pair.says(line)
    assert pair.to_server.lines == [line]
    assert table.asked[-1].arguments_json == arguments
    assert pair.to_client.written == b""
    await pair.hears(result(content=[]))
    assert pair.audit.last["outcome"] == "allowed"
    assert pair.audit.last["tool_error"] is False
    assert pair.audit.last["http_method"] == "STDIO"


@pytest.mark.parametrize(
    ("tool", "code", "more"),
    [
        pytest.param("danger", 40300, {"help": "ask #it-access"}, id="denied"),
        pytest.param("write", 40301, {"required_scopes": ["tickets:write", "tickets:read"]}, id="a scope is missing"),
    ],
)
async def test_a_denied_call_is_answered_and_never_reaches_the_server(pair, tool, code, more):
    await pair.says(call(tool, "seven"))
    assert pair.to_server.written == b""
    assert pair.answer["id"] == "seven"
    assert pair.answer["error"]["code"] == code
    assert pair.answer["error"]["data"].items() >= more.items()
    assert pair.answer["error"]["data"]["decision_id"] == pair.audit.last["decision_id"]
    assert pair.audit.last["outcome"] == "denied"


@pytest.mark.parametrize("token", ["", "token-nobody"])
async def test_without_a_good_token_nothing_passes(pair, token):
    pair.token = token
    for message in (call("echo"), request("initialize", 2), {"jsonrpc": "2.0", "method": "notifications/initialized"}):
        await pair.says(message)
    assert pair.to_server.written == b""
    assert [(one["id"], one["error"]["code"]) for one in pair.to_client.messages] == [(1, 40100), (2, 40100)]


async def test_a_token_that_ends_in_the_middle_of_a_session_ends_it_until_there_is_a_new_one(pair, table):
    await pair.says(call("echo", 1))
    table.expired.add("token-alice")
    await pair.says(call("echo", 2))
    assert pair.answer["error"]["code"] == 40100
    table.expired.clear()
    await pair.says(call("echo", 3))
    assert len(pair.to_server.lines) == 2


async def test_a_session_stays_with_its_first_caller(pair):
    await pair.says(call("whoami", 1))
    pair.token = "token-bob"
    await pair.says(call("whoami", 2))
    assert pair.answer["error"] == {
        "code": 40300,
        "message": "the session belongs to another caller (ask #it-access)",
        "data": {"decision_id": pair.audit.last["decision_id"], "help": "ask #it-access"},
    }
    assert pair.audit.last["outcome"] == "denied"
    assert len(pair.to_server.lines) == 1


REFUSED = [
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', -32700, id="a key twice"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"ping","Method":"x"}', -32700, id="keys that differ by case"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"ping"} {"jsonrpc":"2.0"}', -32700, id="two messages in a line"),
    pytest.param(b'{"jsonrpc":"2.0",\r"id":1,"method":"ping"}', -32600, id="a carriage return"),
    pytest.param(b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}', -32700, id="a byte order mark"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\xff"}}', -32700, id="no UTF-8"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"pi\x00ng"}', -32700, id="a NUL"),
    pytest.param(b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, id="a batch"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":""}}', -32602, id="no name"),
    pytest.param(b"GET / HTTP/1.1", -32700, id="no JSON"),
    pytest.param(TOO_LONG, -32600, id="a line that is too long"),
]


@pytest.mark.parametrize(("line", "code"), REFUSED)
async def test_what_is_not_one_message_for_everybody_is_refused(pair, line, code):
    await pair.says(line)
    assert pair.to_server.written == b""
    assert pair.answer["error"]["code"] == code
    assert pair.audit.last["outcome"] == "refused"


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\u0085"])
async def test_what_some_readers_take_for_the_end_of_a_line_is_escaped_before_it_is_judged(pair, table, end):
    hidden = json.dumps(call("danger", 2))
    line = json.dumps(call("echo", text=f"a{end}{hidden}{end}b"), ensure_ascii=False).encode()
    await pair.says(line)
    (sent,) = pair.to_server.lines
    assert len(sent.decode().splitlines()) == 1
    assert json.loads(sent) == json.loads(line)
    assert json.loads(table.asked[-1].arguments_json) == json.loads(line)["params"]["arguments"]


async def test_an_id_in_use_is_refused_and_the_open_request_stays(pair):
    await pair.says(request("tools/list"))
    await pair.says(call("echo"))
    assert pair.answer["error"]["message"] == "the `id` belongs to a request that is still open"
    assert pair.answer["id"] is None  # or the client would take it for the answer to the open one
    await pair.hears(result(tools=[{"name": "echo"}, {"name": "danger"}]))
    assert [tool["name"] for tool in pair.answer["result"]["tools"]] == ["echo"]


async def test_open_requests_are_bounded(sidecar, lines):
    client = SidecarClient(sidecar.target, timeout=5)
    pair = Pair(client, lines, most=2)
    for number in (1, 2, 3):
        await pair.says(call("echo", number))
    assert len(pair.to_server.lines) == 2
    assert (pair.answer["id"], pair.answer["error"]["message"]) == (3, "2 requests are open already")
    await client.close()


async def test_a_response_passes_only_where_the_server_asked(pair):
    await pair.says(result(5, roots=[]))
    assert pair.to_server.written == b""
    assert pair.audit.last["detail"] == "the server has not asked for this response"
    await pair.hears(request("roots/list", 5))
    await pair.says(result(5, roots=[]))
    await pair.says(result(5, roots=[{"uri": "file:///"}]))  # once is enough
    assert pair.to_server.messages == [result(5, roots=[])]


async def test_a_server_that_asked_hears_that_no_answer_will_come(pair, table):
    await pair.hears(request("roots/list", 5))
    table.expired.add("token-alice")
    await pair.says(result(5, roots=[]))
    (told,) = pair.to_server.messages
    assert (told["id"], told["error"]["code"]) == (5, 40300)


async def test_cancelling_what_is_no_id_cancels_nothing(pair):
    await pair.says(call("echo", 1))
    await pair.says({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": True}})
    await pair.hears(result(content=[]))
    assert pair.answer["result"] == {"content": []}
    assert [event["outcome"] for event in pair.audit.events if event["method"] == "tools/call"] == ["allowed"]


async def test_a_cancelled_request_is_over(pair):
    await pair.says(call("echo"))
    await pair.says({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    cancelled = [event for event in pair.audit.events if event["method"] == "tools/call"]
    assert [event["outcome"] for event in cancelled] == ["aborted"]
    await pair.hears(result(content=[]))
    assert pair.to_client.written == b""


async def test_a_cancellation_of_nothing_ends_nothing(pair):
    await pair.says(call("echo"))
    await pair.says({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}})
    assert pair.calls.sure(9)
    await pair.hears(result(content=[]))
    assert pair.answer == result(content=[])


async def test_without_an_answer_of_the_sidecar_nothing_passes(pair, sidecar):
    await sidecar.stop()
    await pair.says(call("echo"))
    assert pair.to_server.written == b""
    assert pair.answer["error"]["code"] == 50300
    assert pair.audit.last["outcome"] == "unanswered"


async def test_without_room_in_the_audit_log_nothing_passes(pair):
    await pair.says({"jsonrpc": "2.0", "method": "notifications/initialized"})
    pair.audit.full = True
    await pair.says({"jsonrpc": "2.0", "method": "notifications/initialized"})
    await pair.says(call("echo"))
    assert len(pair.to_server.lines) == 2
    assert pair.answer["error"] == {"code": 50300, "message": "the audit log cannot be written"}


async def test_observe_mode_lets_through_and_says_so(pair, table):
    table.observe = True
    await pair.says(call("danger"))
    await pair.says(request("tools/list", 2))
    await pair.hears(result(1, content=[], isError=True))
    assert (pair.audit.last["outcome"], pair.audit.last["tool_error"]) == ("observed", True)
    await pair.hears(result(2, tools=[{"name": "danger"}]))
    assert pair.answer["result"]["tools"] == [{"name": "danger"}]


@pytest.mark.parametrize(
    ("message", "version"),
    [
        pytest.param(request("initialize", protocolVersion="2025-06-18"), "2025-06-18", id="the handshake"),
        pytest.param(
            request("ping", _meta={"io.modelcontextprotocol/protocolVersion": "2026-07-28"}), "2026-07-28", id="_meta"
        ),
        pytest.param(request("ping", _meta={"io.modelcontextprotocol/protocolVersion": "ü"}), None, id="no version"),
        pytest.param(request("ping", _meta=7), None, id="no _meta"),
    ],
)
async def test_the_event_names_the_version_that_the_message_names(pair, message, version):
    await pair.says(message)
    pair.calls.end_all()
    assert pair.audit.last.get("protocol_version") == version
    assert pair.audit.last["outcome"] == "aborted"


MODERN = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}


@pytest.mark.parametrize("method", ["logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tasks/list"])
async def test_a_method_of_the_old_era_is_unknown_in_the_new_one(pair, method):
    await pair.says(request(method, uri=5, **MODERN))
    assert (pair.answer["id"], pair.answer["error"]["code"]) == (1, -32601)
    assert pair.to_server.written == b""
    assert (pair.audit.last["outcome"], pair.audit.last["reason"]) == ("denied", "method_unknown")
    pair.token = ""
    await pair.says(request(method, 2, uri=5, **MODERN))
    assert pair.answer["error"]["code"] == 40100  # who was not verified does not learn which methods there are


@pytest.mark.parametrize(("params", "code"), [({}, 40300), (MODERN, -32601)], ids=["old era", "new era"])
async def test_a_method_that_nobody_knows_reads_as_over_http(lines, params, code):
    pair = Pair(Said(allowed=False, reason="method_unknown"), lines)
    await pair.says(request("tools/execute", **params))
    assert pair.answer["error"]["code"] == code
    assert pair.to_server.written == b""


async def test_the_token_is_in_no_event(pair):
    await pair.says(call("echo", text="token-alice"))
    await pair.says(call("token-alice", 2))
    pair.calls.end_all()
    assert not [line for line in pair.audit.raw if b"token-alice" in line]
