"""What a server says reaches the client filtered, and only as an answer, or while the caller may hear it."""

import json

import pytest

from mcp_adapter.client import SidecarClient
from mcp_adapter.reply import LARGEST_ANSWER
from mcp_adapter.stdio.lines import TOO_LONG
from tests.stdio.parts import Pair, call, request, result

MODERN = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}
CHANGED = {"jsonrpc": "2.0", "method": "notifications/resources/list_changed"}


@pytest.fixture
async def pair(sidecar, lines):
    client = SidecarClient(sidecar.target, timeout=5)
    yield Pair(client, lines)
    await client.close()


LISTS = [
    pytest.param("tools/list", "tools", [{"name": "danger"}, {"name": "echo", "n": 1}], [1], id="tools"),
    pytest.param("prompts/list", "prompts", [{"name": "greet"}, {"name": "secret"}], [0], id="prompts"),
    pytest.param("resources/list", "resources", [{"uri": "note://b"}, {"uri": "note://a"}], [1], id="resources"),
    pytest.param("resources/templates/list", "resourceTemplates", [{"uriTemplate": "note://{x}"}], [], id="templates"),
]


@pytest.mark.parametrize(("method", "key", "entries", "seen"), LISTS)
@pytest.mark.parametrize("params", [{}, MODERN], ids=["old era", "modern"])
async def test_a_list_holds_what_the_caller_may_use(pair, method, key, entries, seen, params):
    await pair.says(request(method, **params))
    await pair.hears(result(**{key: entries, "nextCursor": "c"}))
    found = pair.answer["result"]
    assert found[key] == [entries[at] for at in seen]
    assert found["nextCursor"] == "c"
    assert found.get("cacheScope") == ("private" if params else None)
    assert (pair.audit.last["listed"], pair.audit.last["hidden"]) == (len(seen), len(entries) - len(seen))


async def test_an_answer_that_is_a_call_as_well_is_not_shown(pair):
    await pair.says(request("tools/list"))
    await pair.hears(result(tools=[{"name": "danger"}]) | {"method": "notifications/message"})
    assert pair.to_client.written == b""


async def test_a_list_that_cannot_be_judged_is_not_shown(pair, sidecar):
    await pair.says(request("tools/list"))
    await sidecar.stop()
    await pair.hears(result(tools=[{"name": "echo"}]))
    assert pair.answer["error"]["code"] == 50300
    assert pair.audit.last["outcome"] == "unanswered"


@pytest.mark.parametrize(
    "found", [{"tools": {"name": "echo"}}, {"tools": [7]}, {"tools": [{"name": "x" * LARGEST_ANSWER}]}]
)
async def test_a_list_that_cannot_be_read_is_not_shown(pair, found):
    await pair.says(request("tools/list"))
    await pair.hears(result(**found))
    assert pair.answer["error"]["code"] == 50300


async def test_of_two_keys_the_client_sees_what_was_judged(pair):
    await pair.says(request("tools/list"))
    await pair.hears(
        b'{"id":1,"result":{"tools":[{"name":"danger"}]},"result":{"tools":[{"name":"echo"}]},"jsonrpc":"2.0"}'
    )
    assert b"danger" not in pair.to_client.written
    assert pair.answer["result"]["tools"] == [{"name": "echo"}]


async def test_an_answer_to_anything_else_keeps_the_bytes_of_its_result(pair):
    await pair.says(call("echo"))
    await pair.hears(b'{"jsonrpc":"2.0","id":1,"result":{"n": 1e2,\r"big":123456789012345678901234567890}}')
    assert pair.to_client.lines == [
        b'{"jsonrpc":"2.0","id":1,"result":{"n": 1e2, "big":123456789012345678901234567890}}'
    ]


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        pytest.param({"result": {"isError": True}}, True, id="the tool failed"),
        pytest.param({"result": {"content": []}}, False, id="it did not"),
        pytest.param({"result": 7}, False, id="something else"),
        pytest.param({"error": {"code": 1, "message": "x"}}, True, id="an error"),
    ],
)
async def test_the_event_says_whether_the_tool_failed(pair, answer, failed):
    await pair.says(call("echo"))
    await pair.hears({"jsonrpc": "2.0", "id": 1} | answer)
    assert pair.audit.last["tool_error"] is failed


DROPPED = [
    pytest.param(b"Server running on stdio", "a line that is no message", id="a banner"),
    pytest.param(b'"a string"', "a line that is no message", id="JSON but no object"),
    pytest.param(b'{"id":1.5,"result":{}}', "a line that is no message", id="an id that is none"),
    pytest.param(TOO_LONG, "a message that is too long", id="too long"),
    pytest.param(result(9), "an answer to no open request", id="an answer to nothing"),
    pytest.param(result("1"), "an answer to no open request", id="an id of another type"),
    pytest.param({"id": None, "error": {}}, "an answer to nobody", id="an answer to nobody"),
]


@pytest.mark.parametrize(("line", "what"), DROPPED)
async def test_what_is_no_answer_goes_nowhere_and_is_told_once(pair, caplog, line, what):
    await pair.says(call("echo"))
    for _ in range(3):
        await pair.hears(line)
    assert pair.to_client.written == b""
    assert pair.outward.dropped == {what: 3}
    assert len(caplog.records) == 1


async def test_a_batch_of_the_server_is_taken_apart(pair):
    await pair.says(request("tools/list"))
    await pair.hears([CHANGED, result(tools=[{"name": "danger"}])])
    assert pair.to_client.messages == [CHANGED, result(tools=[])]


async def test_a_server_may_ask_and_tell_while_the_caller_may_hear(pair):
    await pair.hears(CHANGED)
    await pair.hears(request("sampling/createMessage", "s"))
    assert pair.to_client.messages == [CHANGED, request("sampling/createMessage", "s")]


async def test_a_caller_whose_token_ended_hears_no_more_until_there_is_a_new_one(pair, table, sidecar):
    await pair.hears(CHANGED)
    table.expired.add("token-alice")
    pair.clock.now += 5
    await pair.hears(CHANGED)  # it is not asked about every word
    pair.clock.now += 6
    await pair.hears(CHANGED)
    await pair.hears(request("roots/list", 5))
    assert pair.to_client.messages == [CHANGED, CHANGED]
    assert pair.to_server.messages[-1]["error"]["message"] == "the client cannot be asked now"
    assert (pair.audit.last["method"], pair.audit.last["outcome"]) == ("session/stream", "denied")
    table.expired.clear()
    pair.clock.now += 2
    await pair.hears(CHANGED)
    assert len(pair.to_client.messages) == 3


async def test_at_the_end_of_the_token_it_is_asked_about_at_once(pair, table):
    pair.clock.now = 3_999_999_999.0  # the table's tokens end a second later
    await pair.hears(CHANGED)
    table.expired.add("token-alice")
    pair.clock.now += 1.5
    await pair.hears(CHANGED)
    assert pair.to_client.messages == [CHANGED]


async def test_requests_of_the_server_are_bounded(sidecar, lines):
    client = SidecarClient(sidecar.target, timeout=5)
    pair = Pair(client, lines, most=1)
    await pair.hears(request("roots/list", 1))
    await pair.hears(request("roots/list", 2))
    assert len(pair.to_client.lines) == 1
    assert pair.to_server.messages[0]["id"] == 2
    await client.close()


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\u0085"])
async def test_no_word_of_a_tool_can_begin_a_line_of_its_own(pair, end):
    await pair.says(call("echo"))
    said = result(content=[{"type": "text", "text": f"a{end}{json.dumps(CHANGED)}{end}b"}])
    await pair.hears(json.dumps(said, ensure_ascii=False).encode())
    (line,) = pair.to_client.lines
    assert len(line.decode().splitlines()) == 1
    assert json.loads(line) == said
