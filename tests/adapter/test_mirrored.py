"""Arguments that headers repeat must say the same in both places."""

import json

import msgspec
import pytest

from mcp_adapter.headers import Headers
from mcp_adapter.jsonrpc import read
from mcp_adapter.params import Params
from tests.adapter.bench import Said, tool
from tests.adapter.guarding import guard, modern

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "amount": {"type": "integer", "x-mcp-header": "Amount"},
        "sure": {"type": "boolean", "x-mcp-header": "Sure"},
        "deep": {"type": "object", "properties": {"er": {"type": "string", "x-mcp-header": "Deeper"}}},
        "ratio": {"type": "number", "x-mcp-header": "Ratio"},
    },
}


class Billing:
    """A server of the new era with one tool; it answers whatever it is called for."""

    def __init__(self, schema=SCHEMA) -> None:
        self.schema = schema
        self.calls = 0

    async def __call__(self, scope, receive, send) -> None:
        asked = json.loads((await receive())["body"])
        result = {"tools": [{"name": "pay", "inputSchema": self.schema}, {"name": "other"}, {"title": "nameless"}]}
        if asked["method"] == "tools/call":
            self.calls += 1
            result = {"content": []}
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize(
    ("arguments", "headers", "status"),
    [
        pytest.param({"region": "eu"}, {"mcp_param_region": "eu"}, 200, id="equal"),
        pytest.param({"region": "eu"}, {"mcp_param_region": "us"}, 400, id="another value"),
        pytest.param({"region": "eu"}, {"mcp_param_region": "EU"}, 400, id="other capitals"),
        pytest.param({"region": "eu"}, {"mcp_param_region": "=?base64?ZXU=?="}, 200, id="in base64"),
        pytest.param({"region": "eu"}, {"mcp_param_region": "=?base64?ZXV=?="}, 400, id="in base64, not canonical"),
        pytest.param({}, {"mcp_param_region": "eu"}, 400, id="without the argument"),
        pytest.param({"region": None}, {"mcp_param_region": "eu"}, 400, id="with null"),
        pytest.param({"region": ["eu"]}, {"mcp_param_region": "eu"}, 400, id="with a list"),
        pytest.param({"region": "eu"}, {}, 200, id="no header, which the server judges"),
        pytest.param({"amount": 5}, {"mcp_param_amount": "5"}, 200, id="a number"),
        pytest.param({"amount": 5}, {"mcp_param_amount": "05"}, 400, id="a number spelled otherwise"),
        pytest.param({"sure": True}, {"mcp_param_sure": "true"}, 200, id="a truth"),
        pytest.param({"sure": True}, {"mcp_param_sure": "1"}, 400, id="a truth spelled otherwise"),
        pytest.param({"deep": {"er": "x"}}, {"mcp_param_deeper": "x"}, 200, id="deep down"),
        pytest.param({"deep": 1}, {"mcp_param_deeper": "x"}, 400, id="deep down, and not there"),
        pytest.param({"ratio": 1.5}, {"mcp_param_ratio": "9"}, 200, id="a type that has no header"),
        pytest.param({"region": "eu"}, {"mcp_param_unknown": "x"}, 200, id="a header of nobody"),
    ],
)
async def test_a_header_says_what_the_argument_says(arguments, headers, status):
    server = Billing()
    app, lines = guard(server)
    assert (await modern(app, "tools/list", {})).status_code == 200
    answer = await modern(app, "tools/call", {"name": "pay", "arguments": arguments}, **headers)
    assert answer.status_code == status
    assert server.calls == (status == 200)
    if status == 400:
        assert answer.json()["error"]["code"] == -32020
        assert (lines.last["outcome"], lines.last["who"]["subject"]) == ("refused", "alice")


async def test_headers_of_a_denied_tool_say_nothing_about_it():
    pdp = Said()
    app, _ = guard(Billing(), pdp)
    await modern(app, "tools/list", {})
    pdp.decision = Said(allowed=False).decision
    lying = {"name": "pay", "arguments": {"region": "eu"}}
    assert (await modern(app, "tools/call", lying, mcp_param_region="us")).status_code == 403


def raw(**tool):
    return {key: msgspec.Raw(json.dumps(value).encode()) for key, value in tool.items()}


@pytest.mark.parametrize(
    "taught",
    [
        pytest.param([raw(name="t", inputSchema=SCHEMA), raw(name="t", inputSchema={})], id="a later list"),
        pytest.param([raw(name=1, inputSchema=SCHEMA)], id="a name that is none"),
        pytest.param([raw(inputSchema=SCHEMA)], id="no name"),
        pytest.param(
            [raw(name="t", inputSchema={"properties": {n: {"type": "string", "x-mcp-header": "R"} for n in "ab"}})],
            id="one header for two arguments",
        ),
        pytest.param([raw(name="t", inputSchema={"properties": {"a": {"x-mcp-header": 1}}})], id="no header's name"),
        pytest.param([raw(name="t", inputSchema=["x-mcp-header"])], id="no schema"),
        pytest.param([raw(name="t", inputSchema="x-mcp-header")], id="a text"),
        pytest.param(
            [raw(name=str(number), inputSchema=SCHEMA) for number in ("t", *range(1000))], id="a thousand others"
        ),
    ],
)
def test_what_is_unclear_or_long_ago_is_not_known(taught):
    params = Params()
    for one in taught:
        params.learn(one)
    for name in ("mcp-param-region", "mcp-param-r"):
        params.check(Headers([(name.encode(), b"lie")]), read(tool("t", region="eu")))
