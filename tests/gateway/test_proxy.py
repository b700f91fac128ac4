"""What passes through the gateway and what does not, over real sockets."""

import json

import pytest

from tests.gateway.standing import asking, call, config, events, gateway


async def test_the_server_gets_the_very_bytes_that_were_judged(tmp_path, sidecar, table, server, upstream):
    arguments = b'{"n":9007199254740993,"e":1e2}'
    odd = (
        b'{ "jsonrpc":"2.0",\n "id" : 1, "method":"tools/call","params":{"arguments":'
        + arguments
        + b',"name":"echo"} }'
    )
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        answer = await http.post("/mcp", content=odd)
    assert (answer.status_code, answer.content) == (200, server.body)
    assert server.bodies == [odd]
    assert table.asked[-1].arguments_json == arguments
    assert (server.scopes[0]["method"], server.scopes[0]["path"]) == ("POST", "/mcp")
    event = events(tmp_path)[-1]
    assert (event["outcome"], event["status"], event["tool"], event["who"]["subject"]) == (
        "allowed",
        200,
        "echo",
        "alice",
    )


async def test_a_denied_call_never_reaches_the_server(tmp_path, sidecar, server, upstream):
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        denied = await http.post("/mcp", content=call("danger"))
        nobody = await http.post("/mcp", content=call(), headers={"authorization": ""})
    assert (denied.status_code, denied.json()["error"]["code"]) == (403, 40300)
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, 40100)
    assert server.bodies == []
    assert [event["outcome"] for event in events(tmp_path)] == ["denied", "denied"]


async def test_lists_are_filtered_and_answers_asked_for_uncompressed(tmp_path, sidecar, server, upstream):
    tools = [{"name": "echo"}, {"name": "danger"}]
    server.body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"tools": tools}}).encode()
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        answer = await http.post("/mcp", content=body, headers={"accept-encoding": "gzip"})
    assert answer.json()["result"]["tools"] == [{"name": "echo"}]
    assert server.seen("accept-encoding") == ["identity"]


LIES = [
    pytest.param("authorization", "Bearer token-alice", id="the caller's token"),
    pytest.param("x-authz-identity", "forged", id="our own header"),
    pytest.param("X-AUTHZ-Identity", "forged", id="our own header in capitals"),
    pytest.param("x_authz_identity", "forged", id="our own header with underscores"),
    pytest.param("x-authz_identity", "forged", id="our own header with one underscore"),
    pytest.param("x-authz-identity-jwt", "forged", id="a header that begins like ours"),
    pytest.param("x-user-id", "root", id="the plain header"),
    pytest.param("X_User_Id", "root", id="the plain header with underscores"),
    pytest.param("x-forwarded-for", "10.0.0.1", id="an address"),
    pytest.param("x-forwarded-host", "evil.example", id="a host"),
    pytest.param("X_Forwarded_User", "root", id="a user with underscores"),
    pytest.param("forwarded", "for=10.0.0.1", id="RFC 7239"),
    pytest.param("x-real-ip", "10.0.0.1", id="the address by another name"),
    pytest.param("x-original-url", "/admin", id="another path"),
    pytest.param("x-rewrite-url", "/admin", id="another path by another name"),
    pytest.param("x-http-method-override", "DELETE", id="another method"),
    pytest.param("cookie", "session=1", id="a cookie"),
    pytest.param("origin", "http://gateway.example", id="the origin, which is checked here"),
    pytest.param("referer", "http://gateway.example/x", id="the referer"),
    pytest.param("te", "trailers", id="a header of the connection"),
    pytest.param("proxy-authorization", "Basic x", id="a credential for proxies"),
    pytest.param("tenant_id", "1", id="any name with an underscore"),
]


@pytest.mark.parametrize(("name", "value"), LIES)
async def test_what_a_client_may_not_say_does_not_reach_the_server(tmp_path, sidecar, server, upstream, name, value):
    more = "[identity]\nheader = false\n"
    async with gateway(config(tmp_path, sidecar, upstream, more)) as front, asking(front) as http:
        answer = await http.post("/mcp", content=call(), headers=[(name, value)])
    assert answer.status_code == 200
    spelled = name.lower().replace("_", "-")
    assert [key for key, _ in server.scopes[0]["headers"] if key.decode().replace("_", "-") == spelled] == []
    assert b"token-alice" not in b"".join(value for _, value in server.scopes[0]["headers"])


async def test_headers_that_the_connection_names_and_the_host_are_the_gateways_own(tmp_path, sidecar, server, upstream):
    named = {"connection": "x-secret, mcp-protocol-version", "x-secret": "1", "mcp-protocol-version": "2025-11-25"}
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        await http.post("/mcp?access_token=x&y=1", content=call(), headers=named)
    assert server.seen("x-secret") == []
    assert server.seen("mcp-protocol-version") == ["2025-11-25"]
    assert server.seen("host") == [upstream.removeprefix("http://")]
    assert server.scopes[0]["query_string"] == b""


async def test_parameters_of_the_new_era_pass(tmp_path, sidecar, server, upstream):
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    params = {"name": "echo", "arguments": {"region": "eu"}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    sent = {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "echo",
        "mcp-param-region": "eu",
    }
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        assert (await http.post("/mcp", content=body, headers=sent)).status_code == 200
    assert {name: server.seen(name) for name in sent} == {name: [value] for name, value in sent.items()}


async def test_what_a_server_says_of_its_own_host_stays_behind(tmp_path, sidecar, server, upstream):
    server.headers += [
        (b"set-cookie", b"a=b"),
        (b"strict-transport-security", b"max-age=1"),
        (b"access-control-allow-origin", b"*"),
        (b"alt-svc", b"h3"),
        (b"connection", b"x-inner"),
        (b"x-inner", b"1"),
        (b"x-accel-buffering", b"no"),
    ]
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        answer = await http.post("/mcp", content=call())
    away = {"set-cookie", "strict-transport-security", "access-control-allow-origin", "alt-svc", "x-inner"}
    assert away.isdisjoint(answer.headers)
    assert answer.headers["x-accel-buffering"] == "no"


WRONG = [
    pytest.param(401, [], 502, 50200, id="it wants other credentials"),
    pytest.param(407, [], 502, 50200, id="it is a proxy that wants credentials"),
    pytest.param(302, [(b"location", b"http://evil.example")], 502, 50200, id="it redirects"),
    pytest.param(200, [(b"content-encoding", b"gzip")], 502, 50200, id="it compresses all the same"),
]


@pytest.mark.parametrize(("status", "headers", "expected", "code"), WRONG)
async def test_an_answer_that_is_not_for_the_client(
    tmp_path, sidecar, server, upstream, status, headers, expected, code
):
    server.status, server.headers = status, [*server.headers, *headers, (b"www-authenticate", b"Basic")]
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        answer = await http.post("/mcp", content=call(number=7))
    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["id"]) == (expected, code, 7)
    assert {"location", "www-authenticate"}.isdisjoint(answer.headers)
    event = events(tmp_path)[-1]
    assert (event["outcome"], event["status"]) == ("allowed", expected)
    assert event["detail"].startswith("upstream: ")


async def test_errors_of_the_server_itself_pass(tmp_path, sidecar, server, upstream):
    server.status, server.body = 404, b'{"jsonrpc":"2.0","id":1,"error":{"code":-32001,"message":"x"}}'
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        answer = await http.post("/mcp", content=call())
    assert (answer.status_code, answer.content) == (404, server.body)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        pytest.param("/", {}, 404, id="the root"),
        pytest.param("/mcp/", {}, 404, id="a slash more"),
        pytest.param("/%6dcp", {}, 404, id="the path in another spelling"),
        pytest.param("/other", {}, 404, id="another path"),
        pytest.param("/mcp", {"host": "evil.example"}, 403, id="a foreign host"),
        pytest.param("/other", {"host": "evil.example"}, 403, id="a foreign host and another path"),
        pytest.param("/mcp", {"origin": "http://evil.example"}, 403, id="a foreign page"),
    ],
)
async def test_nothing_else_is_served(tmp_path, sidecar, server, upstream, path, headers, status):
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        answer = await http.post(path, content=call(), headers=headers)
    assert answer.status_code == status
    assert server.bodies == []
    assert [(event["outcome"], event["status"]) for event in events(tmp_path)] == [("refused", status)]


async def test_a_websocket_is_closed(tmp_path, sidecar, upstream):
    said = []

    async def send(event):
        said.append(event)

    async with gateway(config(tmp_path, sidecar, upstream)) as front:
        await front.app({"type": "websocket"}, None, send)
    assert said == [{"type": "websocket.close", "code": 1008}]
