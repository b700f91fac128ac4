"""Servers that talk no HTTP, are slow, stop, or are down, and what their clients hear."""

import asyncio

import httpx2
import pytest

from tests.gateway.standing import asking, call, config, events, gateway, running


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
