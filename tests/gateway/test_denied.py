"""The adapter's answers by the gateway: hidden names, soft refusals, web pages, the client's address."""

import base64
import json

import pytest

from mcp_adapter.gateway.configfile import ConfigError, load
from tests.adapter.real_server import server as full
from tests.adapter.test_hiding import lesser, plain
from tests.adapter.wire import Caller
from tests.gateway.standing import asking, call, config, events, gateway, running

HIDE = 'denied = "hide"'
PAGE = "https://app.example"


@pytest.fixture
def tables(table):
    table.may["root"] = {("*", "*")}
    return table


def answering(tmp_path, sidecar, upstream, server):
    return gateway(config(tmp_path, sidecar, upstream, server=server))


@pytest.mark.parametrize("modern", [pytest.param(True, id="new era"), pytest.param(False, id="sessions")])
async def test_what_is_hidden_reads_like_what_does_not_exist(tmp_path, sidecar, tables, modern):
    said = []
    for name, app, who in (("full", full(), "alice"), ("lesser", lesser(), "root")):
        folder = tmp_path / name
        folder.mkdir()
        async with (
            running(app.streamable_http_app(), lifespan="on") as url,
            answering(folder, sidecar, url, HIDE) as front,
            Caller(front.url, who, modern=modern, host="gateway.example") as caller,
        ):
            said.append(plain(await caller.ask("tools/call", {"name": "danger", "arguments": {}})))
    assert said[0] == said[1]
    last = [event for event in events(tmp_path / "full") if event["method"] == "tools/call"][-1]
    assert (last["outcome"], last["tool"], last["detail"]) == ("denied", "danger", "answered as an unknown name")


async def test_the_question_about_an_unknown_name_is_named_as_such(tmp_path, sidecar, server, upstream):
    server.body = b'{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no"}}'
    async with answering(tmp_path, sidecar, upstream, HIDE) as front, asking(front) as http:
        assert (await http.post("/mcp", content=call("danger"))).content == server.body
    assert json.loads(server.bodies[0])["params"]["name"].startswith("none_")
    claims = server.seen("x-authz-identity")[0].split(".")[1]
    assert b"none_" in b64(claims)
    assert b"danger" not in b64(claims)


def b64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


async def test_a_server_that_cannot_be_asked_does_not_tell_the_hidden_from_the_unknown(tmp_path, sidecar, tables):
    async with answering(tmp_path, sidecar, "http://127.0.0.1:9", HIDE) as front:
        async with asking(front) as http:
            hidden = await http.post("/mcp", content=call("danger"))
        async with asking(front, "root") as http:
            unknown = await http.post("/mcp", content=call("danger"))
    assert (hidden.status_code, hidden.content) == (unknown.status_code, unknown.content)
    assert hidden.status_code == 502


async def test_a_final_no_can_be_said_with_200(tmp_path, sidecar, server, upstream):
    async with answering(tmp_path, sidecar, upstream, 'denied = "200"') as front, asking(front) as http:
        answer = await http.post("/mcp", content=call("danger"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (200, 40300)
    assert server.bodies == []
    assert events(tmp_path)[0]["outcome"] == "denied"


async def test_pages_of_an_origin_read_the_answers(tmp_path, sidecar, upstream):
    async with answering(tmp_path, sidecar, upstream, f'cors_origins = ["{PAGE}"]') as front, asking(front) as http:
        asks = {"origin": PAGE, "access-control-request-method": "POST"}
        assert (await http.options("/mcp", headers=asks)).headers["access-control-allow-methods"] == "GET, POST, DELETE"
        answer = await http.post("/mcp", content=call(), headers={"origin": PAGE})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, PAGE)
        other = await http.post("/mcp", content=call(), headers={"origin": "https://evil.example"})
        assert (other.status_code, "access-control-allow-origin" in other.headers) == (403, False)


async def test_conditions_see_the_address_of_the_connection(tmp_path, sidecar, table, upstream):
    lying = {"x-forwarded-for": "10.1.1.1", "forwarded": "for=10.1.1.1"}
    async with answering(tmp_path, sidecar, upstream, 'client_address = "ip"') as front, asking(front) as http:
        await http.post("/mcp", content=call(), headers=lying)
    assert dict(table.asked[-1].context) == {"ip": "127.0.0.1"}


async def test_conditions_see_nothing_unless_it_is_configured(tmp_path, sidecar, table, upstream):
    async with answering(tmp_path, sidecar, upstream, "") as front, asking(front) as http:
        await http.post("/mcp", content=call())
    assert dict(table.asked[-1].context) == {}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param('denied = "softly"', "'403', 'hide' or '200'", id="a way that is none"),
        pytest.param('cors_origins = ["*"]', "`*` is not an origin", id="every origin"),
        pytest.param('client_address = "Client IP"', "is not a key of `context`", id="a key that is none"),
    ],
)
def test_a_setting_that_cannot_be_meant_is_told_with_its_line(tmp_path, sidecar, line, said):
    path = config(tmp_path, sidecar, "http://127.0.0.1:9", server=line)
    with pytest.raises(ConfigError) as error:
        load(path)
    number = path.read_text().split("\n").index(line) + 1
    assert str(error.value).startswith(f"{path}:{number}: `servers[0].")
    assert said in str(error.value)
