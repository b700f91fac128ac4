"""Reading requests: what two readers could take differently is refused, in the body and in the headers."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_adapter import jsonrpc, media, methods, mirror
from mcp_adapter.headers import Headers, without_token
from mcp_adapter.jsonrpc import Kind
from mcp_adapter.refusal import Refusal
from tests.adapter.bench import call, tool

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "é", 'q"', "s\\"]), inner),
    max_leaves=8,
)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data):
    with suppress(Refusal):
        jsonrpc.read(data)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "jsonrpc": st.just("2.0") | JSON_VALUES,
            "id": JSON_VALUES,
            "method": st.sampled_from([*methods.METHODS, "notifications/x", "x"]) | JSON_VALUES,
            "params": st.fixed_dictionaries(
                {},
                optional={
                    "name": JSON_VALUES,
                    "uri": JSON_VALUES,
                    "ref": JSON_VALUES | st.fixed_dictionaries({"type": st.just("ref/prompt"), "name": JSON_VALUES}),
                    "arguments": JSON_VALUES,
                    "notifications": JSON_VALUES,
                    "_meta": JSON_VALUES,
                    "taskId": JSON_VALUES,
                },
            )
            | JSON_VALUES,
            "result": JSON_VALUES,
        },
    )
)
def test_any_object_is_judged_or_refused(value):
    with suppress(Refusal):
        message = jsonrpc.read(json.dumps(value).encode())
        mirror.check(Headers([]), message)
        assert methods.items(message)


@given(
    st.dictionaries(st.sampled_from(["a", "b", "é", "arguments", "params"]), JSON_VALUES, max_size=4),
    st.sampled_from([None, 1]),
    st.booleans(),
    st.sampled_from(["arguments", "\\u0061rguments"]),
)
def test_the_arguments_are_cut_out_as_the_very_bytes_that_mean_them(arguments, indent, escape, spelled):
    text = json.dumps(arguments, indent=indent, ensure_ascii=escape)
    body = (
        f'{{"jsonrpc": "2.0", "params" : {{"name":"t", "{spelled}" :  {text} , "z":1}}, "id":1, "method":"tools/call"}}'
    )
    found = jsonrpc.read(body.encode()).arguments
    assert found == text.encode()
    assert json.loads(found) == arguments


REFUSED = [
    pytest.param(b"", id="nothing"),
    pytest.param(b"[]", id="an empty array"),
    pytest.param(b"[" + call("ping") + b"]", id="a batch"),
    pytest.param(b"1", id="a number"),
    pytest.param(call("ping")[:-1], id="truncated"),
    pytest.param(b"\xef\xbb\xbf" + call("ping"), id="a byte order mark"),
    pytest.param(call("ping").decode().encode("utf-16"), id="UTF-16"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', id="duplicate key"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}', id="key in two cases"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"ping","Params":{}}', id="key in another case"),
    pytest.param(
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":"x"}}', id="parameter in another case"
    ),
    pytest.param(
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","argument\xc5\xbf":{}}}', id="long s"
    ),
    pytest.param(
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","n\\u0061me":"y"}}', id="escaped twin"
    ),
    pytest.param(b'{"jsonrpc":"1.0","id":1,"method":"ping"}', id="another JSON-RPC"),
    pytest.param(b'{"id":1,"method":"ping"}', id="no JSON-RPC"),
    pytest.param(b'{"jsonrpc":"2.0","id":null,"method":"ping"}', id="null id"),
    pytest.param(b'{"jsonrpc":"2.0","id":true,"method":"ping"}', id="true id"),
    pytest.param(b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', id="fractional id"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":5}', id="method is no text"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":""}', id="empty method"),
    pytest.param(call("x" * 257), id="long method"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', id="params is a list"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}', id="params is null"),
    pytest.param(
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":[]}}', id="list of arguments"
    ),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}', id="call and response"),
    pytest.param(b'{"jsonrpc":"2.0","id":1,"result":{},"error":{}}', id="result and error"),
    pytest.param(b'{"jsonrpc":"2.0","id":1}', id="nothing but an id"),
    pytest.param(b'{"jsonrpc":"2.0","result":{}}', id="response without id"),
    pytest.param(call("tools/call", {"name": "x"}, number=None), id="call without id"),
    pytest.param(call("notifications/initialized"), id="notification with id"),
    pytest.param(b'{"a":' * 65 + b"1" + b"}" * 65, id="too deep"),
]


@pytest.mark.parametrize("body", REFUSED)
def test_what_is_not_one_clear_message_is_refused(body):
    with pytest.raises(Refusal) as refused:
        jsonrpc.read(body)
    assert refused.value.status == 400
    assert refused.value.message == refused.value.message.rstrip(".")


def test_a_refusal_carries_the_id_where_it_is_clear():
    with pytest.raises(Refusal) as refused:
        jsonrpc.read(b'{"jsonrpc":"2.0","id":"seven","method":"ping","params":[]}')
    assert refused.value.request_id == "seven"


@pytest.mark.parametrize(
    ("body", "kind", "method"),
    [
        pytest.param(call("ping"), Kind.REQUEST, "ping", id="request"),
        pytest.param(call("notifications/x", number=None), Kind.NOTIFICATION, "notifications/x", id="notification"),
        pytest.param(b'{"jsonrpc":"2.0","id":"a","result":null}', Kind.RESPONSE, "", id="response"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"error":{}}', Kind.RESPONSE, "", id="error"),
    ],
)
def test_a_message_has_one_of_three_shapes(body, kind, method):
    message = jsonrpc.read(body)
    assert (message.kind, message.method) == (kind, method)


def test_null_arguments_are_none():
    assert jsonrpc.read(call("tools/call", {"name": "x", "arguments": None})).arguments == b""


@pytest.mark.parametrize(
    ("value", "fine"),
    [
        (b"application/json", True),
        (b"Application/JSON", True),
        (b"application/json; charset=utf-8", True),
        (b'application/json ; charset="UTF-8"', True),
        (b"application/json; charset=utf-16", False),
        (b"application/json; charset=utf-8; charset=utf-8", False),
        (b"application/json; x=y", False),
        (b"application/json;", False),
        (b"application/json, text/plain", False),
        (b"application/jsonx", False),
        (b"application/vnd.api+json", False),
        (b"text/plain", False),
        (b"text/json", False),
        (b"", False),
        (None, False),
    ],
)
def test_only_plain_json_is_read(value, fine):
    if fine:
        media.require_json(value, None)
        return
    with pytest.raises(Refusal) as refused:
        media.require_json(value, None)
    assert refused.value.status == 415


def test_a_compressed_body_is_not_read():
    with pytest.raises(Refusal) as refused:
        media.require_json(b"application/json", b"gzip")
    assert refused.value.status == 415


MODERN = [(b"mcp-protocol-version", b"2026-07-28")]


@pytest.mark.parametrize(
    ("headers", "body", "fine"),
    [
        pytest.param([(b"mcp-method", b"ping")], call("ping"), True, id="equal"),
        pytest.param([], call("ping"), False, id="no method header"),
        pytest.param([(b"mcp-method", b"Ping")], call("ping"), False, id="another case"),
        pytest.param([(b"mcp-method", b"=?base64?cGluZw==?=")], call("ping"), True, id="encoded"),
        pytest.param([(b"mcp-method", b"=?base64?cGluZx==?=")], call("ping"), False, id="not canonical"),
        pytest.param([(b"mcp-method", b"=?base64?%%%?=")], call("ping"), False, id="not base64"),
        pytest.param([(b"mcp-method", b"=?base64?/w==?=")], call("ping"), False, id="not UTF-8"),
        pytest.param([(b"mcp-method", b"tools/call"), (b"mcp-name", b"t")], tool("t"), True, id="named"),
        pytest.param([(b"mcp-method", b"tools/call")], tool("t"), False, id="no name header"),
        pytest.param([(b"mcp-method", b"tools/call"), (b"mcp-name", b"u")], tool("t"), False, id="another name"),
        pytest.param(
            [(b"mcp-method", b"tools/call"), (b"mcp-name", b"=?base64?w7w=?=")], tool("ü"), True, id="encoded name"
        ),
        pytest.param([], call("notifications/x", number=None), True, id="notification without header"),
        pytest.param([(b"mcp-method", b"x")], call("notifications/x", number=None), False, id="notification, another"),
        pytest.param([], b'{"jsonrpc":"2.0","id":1,"result":{}}', False, id="response"),
        pytest.param(
            [(b"mcp-method", b"ping")],
            call("ping", {"_meta": {"io.modelcontextprotocol/protocolVersion": "2025-11-25"}}),
            False,
            id="another version in the body",
        ),
    ],
)
def test_headers_of_the_stateless_era_must_say_what_the_body_says(headers, body, fine):
    message = jsonrpc.read(body)
    if fine:
        mirror.check(Headers([*MODERN, *headers]), message)
    else:
        with pytest.raises(Refusal) as refused:
            mirror.check(Headers([*MODERN, *headers]), message)
        assert refused.value.status == 400


def test_a_body_of_the_stateless_era_needs_its_header():
    message = jsonrpc.read(call("ping", {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}))
    with pytest.raises(Refusal) as refused:
        mirror.check(Headers([]), message)
    assert refused.value.code == -32020


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (b"", b""),
        (b"a=1&access_token=x&b=2", b"a=1&b=2"),
        (b"access%5Ftoken=x", b""),
        (b"ACCESS_TOKEN", b""),
    ],
)
def test_a_token_in_the_query_goes_nowhere(query, left):
    assert without_token(query) == left
