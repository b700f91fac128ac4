"""Connections that ask nothing shut nobody out of the gateway."""

import asyncio
import ssl
from contextlib import AsyncExitStack

import pytest

from authz_sidecar.connection import Connection
from mcp_adapter.gateway.listen import Listener
from tests.gateway.standing import asking, call, config, gateway

_FEW = "[listen]\nmax_connections = 4\n"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"POST /mcp HTTP/1.1\r\nHost: x\r\n", id="half a head"),
        pytest.param(b"POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", id="half a body"),
    ],
)
async def test_a_caller_is_answered_however_many_sit_there(tmp_path, sidecar, upstream, said):
    async with AsyncExitStack() as stack:
        front = await stack.enter_async_context(gateway(config(tmp_path, sidecar, upstream, _FEW)))
        port = int(front.url.rpartition(":")[2])
        for _ in range(20):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            writer.write(said)
        http = await stack.enter_async_context(asking(front))
        async with asyncio.timeout(10):
            assert (await http.post("/mcp", content=call())).status_code == 200


async def test_a_body_may_take_as_long_as_the_adapter_waits_for_it(server):
    listener = Listener(server, "127.0.0.1:0")
    kind = listener._server.config.http
    assert isinstance(kind, type)
    assert issubclass(kind, Connection)
    assert kind.seconds > 30.0


async def test_a_handshake_that_does_not_come_is_not_waited_for(server):
    listener = Listener(server, "127.0.0.1:0", tls=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    assert listener._server._handshake_seconds == 5.0
