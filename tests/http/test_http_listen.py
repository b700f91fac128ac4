"""The HTTP listener inside our own event loop."""

import asyncio
import signal

import httpx
import pytest

from authz_sidecar.errors import ConfigError
from authz_sidecar.http.app import http_app
from authz_sidecar.http.listen import HttpServer
from authz_sidecar.http.metrics import Metrics


def server(host: str = "127.0.0.1", port: int = 0, **options: bool) -> HttpServer:
    app = http_app(metrics=Metrics(servers=[]), not_ready=lambda: None)
    return HttpServer(app, host=host, port=port, **options)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
async def test_it_serves_on_a_port_that_was_free_and_leaves_signals_alone(host: str) -> None:
    before = signal.getsignal(signal.SIGTERM)
    http = server(host)
    at = await http.start()
    try:
        assert signal.getsignal(signal.SIGTERM) is before
        assert not at.endswith(":0")
        async with httpx.AsyncClient(base_url=at, timeout=5) as client:
            assert (await client.get("/healthz")).status_code == 200
    finally:
        await http.stop()


async def test_a_port_that_is_taken_is_an_error_of_the_operator() -> None:
    first = server()
    at = await first.start()
    try:
        with pytest.raises(ConfigError, match=r"cannot listen on 127\.0\.0\.1"):
            await server(port=int(at.rsplit(":", 1)[1])).start()
    finally:
        await first.stop()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])  # noqa: S104 - refused
def test_an_address_that_a_network_can_reach_is_refused_unless_allowed(host: str) -> None:
    with pytest.raises(ConfigError, match="open to the network"):
        server(host)
    server(host, beyond_loopback=True)


async def test_stopping_what_never_started_does_no_harm() -> None:
    await server().stop()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x00\xff\x16\x03\x01 random \r\n\r\n", id="no HTTP"),
        pytest.param(b"GET /healthz HTTP/1.1\r\n\r\n", id="no Host"),
        pytest.param(b"GET /healthz HTTP/1.1\r\nHost: " + b"a" * 40_000 + b"\r\n\r\n", id="a header too long"),
    ],
)
async def test_bad_bytes_get_a_clear_error(data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    http = server()
    at = await http.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(at.rsplit(":", 1)[1]))
        writer.write(data)
        line = await asyncio.wait_for(reader.readline(), 5)
        assert line.split()[1] in {b"400", b"421", b"431"}
        writer.close()
    finally:
        await http.stop()
    assert "Traceback" not in caplog.text
