"""What passes through the gateway and what does not, over real sockets."""

import asyncio
import json
import socket

import httpx2
import pytest

from tests.gateway.standing import Recording, asking, call, config, events, gateway, running

STREAM = [(b"content-type", b"text/event-stream")]


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


async def test_a_stream_arrives_piece_by_piece_with_its_comments(tmp_path, sidecar, server, upstream):
    go = asyncio.Queue()

    async def answering(send):
        await send({"type": "http.response.start", "status": 200, "headers": STREAM})
        while (piece := await go.get()) is not None:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    server.answering = answering
    async with (
        gateway(config(tmp_path, sidecar, upstream)) as front,
        asking(front) as http,
        http.stream("POST", "/mcp", content=call()) as answer,
    ):
        pieces = answer.aiter_raw()
        for piece in (b": ping\n\n", b"data: {}\n\n", b": ping\n\n"):
            go.put_nowait(piece)
            async with asyncio.timeout(10):
                assert await anext(pieces) == piece  # it is here before the next one was made
        go.put_nowait(None)
        assert [piece async for piece in pieces] == []


async def test_a_client_that_goes_away_ends_the_request_to_the_server(tmp_path, sidecar, server, upstream):
    async def answering(send):
        await send({"type": "http.response.start", "status": 200, "headers": STREAM})
        await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
        await asyncio.Event().wait()

    server.answering = answering
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        async with http.stream("POST", "/mcp", content=call()) as answer:
            assert await anext(answer.aiter_raw()) == b": hello\n\n"
        async with asyncio.timeout(10):
            await server.gone.wait()
    assert events(tmp_path)[-1]["outcome"] == "aborted"


async def test_a_client_that_goes_away_before_the_answer_begins_ends_it_too(tmp_path, sidecar, server, upstream):
    asked = asyncio.Event()

    async def answering(send):
        asked.set()
        await asyncio.Event().wait()

    server.answering = answering
    async with gateway(config(tmp_path, sidecar, upstream)) as front, asking(front) as http:
        request = asyncio.create_task(http.post("/mcp", content=call()))
        async with asyncio.timeout(10):
            await asked.wait()
            request.cancel()
            await server.gone.wait()
    event = events(tmp_path)[-1]
    assert (event["outcome"], event["status"], event["detail"]) == ("aborted", 0, "the client went away")


async def test_a_client_that_does_not_read_holds_the_server_back(tmp_path, sidecar, server, upstream):
    sent, block = 0, b"x" * 65_536

    async def answering(send):
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": STREAM})
        while sent < 1_000 * len(block):
            await send({"type": "http.response.body", "body": b"data: " + block + b"\n\n", "more_body": True})
            sent += len(block)

    server.answering = answering
    async with gateway(config(tmp_path, sidecar, upstream)) as front:
        host, port = front.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as raw:
            raw.setblocking(False)
            body = call()
            head = (
                f"POST /mcp HTTP/1.1\r\nhost: gateway.example\r\nauthorization: Bearer token-alice\r\n"
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            await asyncio.get_running_loop().sock_sendall(raw, head.encode() + body)
            before = -1
            async with asyncio.timeout(30):
                while before != sent or not sent:  # until it stands still
                    before = sent
                    for _ in range(200):
                        await asyncio.sleep(0)
                    await asyncio.wait({asyncio.create_task(server.gone.wait())}, timeout=0.3)
            assert 0 < sent < 16 * 1024 * 1024  # what sockets hold; the other 48 MB were never made


async def test_an_answer_that_is_cut_off_is_not_taken_for_whole(tmp_path, sidecar):
    async def cut(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\n: hi\n\r\n"
        )
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(cut, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener, gateway(config(tmp_path, sidecar, url)) as front, asking(front) as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            await http.post("/mcp", content=call())
    event = events(tmp_path)[-1]
    assert event["outcome"] == "aborted"
    assert event["detail"].startswith("upstream: RemoteProtocolError")


async def test_a_server_that_talks_no_http_is_a_bad_gateway(tmp_path, sidecar):
    async def nonsense(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener, gateway(config(tmp_path, sidecar, url)) as front, asking(front) as http:
        answer = await http.post("/mcp", content=call())
    assert (answer.status_code, answer.json()["error"]["message"]) == (502, "the server broke off")


async def test_a_server_that_is_slow_to_answer_is_given_up(tmp_path, sidecar, server, upstream):
    async def answering(send):
        await asyncio.Event().wait()

    server.answering = answering
    path = config(tmp_path, sidecar, upstream, server="answer_timeout_seconds = 0.2")
    async with gateway(path) as front, asking(front) as http:
        answer = await http.post("/mcp", content=call())
        async with asyncio.timeout(10):
            await server.gone.wait()
        assert front.up() == {"ops": True}
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, 50400)


async def test_a_server_that_stops_in_the_middle_of_an_answer_is_given_up(tmp_path, sidecar, server, upstream):
    async def answering(send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        await asyncio.Event().wait()

    server.answering = answering
    path = config(tmp_path, sidecar, upstream, server="answer_timeout_seconds = 0.2")
    async with gateway(path) as front, asking(front) as http:
        with pytest.raises(httpx2.RemoteProtocolError):
            await http.post("/mcp", content=call())
    assert events(tmp_path)[-1]["detail"] == "upstream: silent for 0.2 s"


async def test_a_server_that_is_down_is_left_alone_after_some_failures(tmp_path, sidecar, server):
    async with running(server) as url:
        pass
    path = config(tmp_path, sidecar, url, server="[servers.health]\nfailures = 2\npause_seconds = 1_000")
    async with gateway(path) as front, asking(front) as http:
        answers = [await http.post("/mcp", content=call()) for _ in range(3)]
        assert front.up() == {"ops": False}
    assert [answer.status_code for answer in answers] == [502, 502, 503]
    assert [answer.json()["error"]["code"] for answer in answers] == [50200, 50200, 50310]
    assert int(answers[2].headers["retry-after"]) > 900


async def test_a_server_that_returns_is_asked_again(tmp_path, sidecar, server):
    async with running(server) as url:
        pass
    path = config(tmp_path, sidecar, url, server="[servers.health]\nfailures = 1\npause_seconds = 0.001")
    async with gateway(path) as front, asking(front) as http:
        assert (await http.post("/mcp", content=call())).status_code == 502
        port = int(url.rpartition(":")[2])
        listener = await asyncio.start_server(_ok, "127.0.0.1", port)
        async with listener, asyncio.timeout(10):
            while (await http.post("/mcp", content=call())).status_code != 200:
                pass


async def _ok(reader, writer):
    await reader.readuntil(b"\r\n\r\n")
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
    )
    await writer.drain()
    writer.close()


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


async def test_streams_end_cleanly_when_the_gateway_stops(tmp_path, sidecar, server, upstream):
    async def answering(send):
        await send({"type": "http.response.start", "status": 200, "headers": STREAM})
        await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
        await asyncio.Event().wait()

    server.answering = answering
    async with (
        gateway(config(tmp_path, sidecar, upstream)) as front,
        asking(front) as http,
        http.stream("POST", "/mcp", content=call()) as answer,
    ):
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b": hello\n\n"
        stopping = asyncio.create_task(front.stop())
        async with asyncio.timeout(10):
            assert [piece async for piece in pieces] == []  # whole: a client that asks again loses nothing
            await stopping


def test_the_recording_server_ignores_what_is_no_request():
    asyncio.run(Recording()({"type": "lifespan"}, None, None))
