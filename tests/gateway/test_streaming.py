"""Streams through the gateway: piece by piece, held back, and over when either side has gone."""

import asyncio
import socket

import httpx2
import pytest

from tests.gateway.standing import STREAM, asking, call, config, events, gateway


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
    asked = server.hold()
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
