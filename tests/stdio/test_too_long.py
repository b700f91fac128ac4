"""A message that is too long is still answered, wherever its ends say whose it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_adapter.client import SidecarClient
from mcp_adapter.stdio.lines import TOO_LONG, TooLongLine
from mcp_adapter.stdio.toolong import answered, requested
from tests.stdio.parts import Pair, call, request


@pytest.fixture
async def pair(sidecar, lines):
    client = SidecarClient(sidecar.target, timeout=5)
    yield Pair(client, lines)
    await client.close()


def ends(line: bytes) -> TooLongLine:
    return TooLongLine(head=line[:80], tail=line[-80:])


LONG = "x" * 200
ANSWERS = [
    pytest.param({"jsonrpc": "2.0", "id": 1, "result": {"a": LONG}}, id="the id first"),
    pytest.param({"result": {"a": LONG}, "jsonrpc": "2.0", "id": 1}, id="the id last"),
    pytest.param({"id": 1, "error": {"message": LONG}, "jsonrpc": "2.0"}, id="an error"),
    pytest.param({"result": {"a": LONG}, "id": 1, "jsonrpc": "2.0"}, id="the id before the end"),
]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("answer", ANSWERS)
async def test_an_answer_that_is_too_long_is_answered_by_us(pair, answer, indent):
    await pair.says(call("echo"))
    await pair.hears(ends(json.dumps(answer, indent=indent).encode()))
    assert pair.answer == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": 50300, "message": "the server's answer is too long"},
    }
    assert (pair.audit.last["outcome"], pair.audit.last["detail"]) == ("unanswered", "the server's answer is too long")
    await pair.says(call("echo"))  # the id is free again
    assert len(pair.to_server.lines) == 2


NOBODYS = [
    pytest.param({"jsonrpc": "2.0", "id": 1, "method": "roots/list", "params": {"a": LONG}}, id="a request"),
    pytest.param({"jsonrpc": "2.0", "method": "notifications/x", "params": {"a": LONG}, "id": 1}, id="an odd one"),
    pytest.param({"jsonrpc": "2.0", "id": 2, "result": {"a": LONG}}, id="an answer to another"),
    pytest.param({"jsonrpc": "2.0", "result": {"a": LONG, "b": {"id": 1}}}, id="an id inside"),
    pytest.param({"jsonrpc": "2.0", "result": [LONG + ',"id":1}']}, id="an id in a string"),
    pytest.param({"jsonrpc": "2.0", "result": {"a": LONG}, "id": 1, "b": {"a": LONG}}, id="an id in the middle"),
    pytest.param([{"jsonrpc": "2.0", "id": 1, "result": {"a": LONG}}], id="a batch"),
    pytest.param(LONG, id="no object"),
]


@pytest.mark.parametrize("said", NOBODYS)
async def test_what_does_not_say_whose_it_is_ends_no_request(pair, said):
    await pair.says(call("echo"))
    await pair.hears(ends(json.dumps(said).encode()))
    assert pair.to_client.lines == []


@pytest.mark.parametrize(
    ("message", "known"),
    [
        pytest.param({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"a": LONG}}, 7, id="the id first"),
        pytest.param({"method": "tools/call", "params": {"a": LONG}, "jsonrpc": "2.0", "id": 7}, 7, id="the id last"),
        pytest.param({"jsonrpc": "2.0", "id": 7, "result": {"a": LONG}}, None, id="a response"),
        pytest.param({"jsonrpc": "2.0", "method": "notifications/x", "params": LONG}, None, id="a notification"),
        pytest.param({"id": 1, "method": "tools/call", "params": {"a": LONG}}, None, id="an id in use"),
    ],
)
async def test_a_request_that_is_too_long_is_refused_by_its_id(pair, message, known):
    await pair.says(request("ping", 1))
    await pair.says(ends(json.dumps(message).encode()))
    assert pair.answer["id"] == known
    assert pair.answer["error"]["code"] == -32600


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_any_ends_are_read_or_not(head, tail):
    for line in (TooLongLine(head=head, tail=tail), TOO_LONG):
        assert answered(line) is None or requested(line) is None


IDS = st.text(max_size=8) | st.integers(-9, 2**40)


@given(IDS, st.permutations(["jsonrpc", "id", "result"]), st.text(min_size=20, max_size=40))
def test_the_id_is_found_wherever_a_writer_puts_it(known, order, text):
    message = {"jsonrpc": "2.0", "id": known, "result": [text * 9]}
    line = json.dumps({key: message[key] for key in order}).encode()
    assert answered(TooLongLine(head=line[:300], tail=line[-300:])) == known
