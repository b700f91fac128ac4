"""Connections that somebody holds open for nothing, with real sockets."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from starlette.types import Receive, Scope, Send

from authz_sidecar.connection import Connection
from authz_sidecar.http.listen import HttpServer
from tests.gateway.certificates import authority

_SMALL = 8
_REQUEST = b"GET /now HTTP/1.1\r\nHost: x\r\n\r\n"
_PATIENCE = 10


class Hurried(Connection):
    """Waits hardly at all: for those that are to end, and nothing else."""

    seconds = 0.05
    handshake_seconds = 0.05


class App:
    """Answers at once, or, at `/later`, when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.under_way = asyncio.Semaphore(0)
        self.gone = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        while message.get("more_body"):
            self.under_way.release()
            message = await receive()
        if message["type"] == "http.disconnect":
            self.gone.set()
            return
        if scope["path"] == "/later":
            self.under_way.release()
            await self.go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


class Caller:
    """A socket that does what it is told, and no more."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    async def status(self) -> bytes:
        """Wait for an answer, and give its status."""
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), _PATIENCE)
        status = head.split()[1]
        if status == b"200":
            assert await asyncio.wait_for(self._reader.readexactly(2), _PATIENCE) == b"ok"
        return status

    async def ended(self) -> bool:
        """Wait for the other side to end it."""
        try:
            return await asyncio.wait_for(self._reader.read(), _PATIENCE) == b""
        except ConnectionError:
            return True


class Port(int):
    """A port, and the time of those who are connected there."""

    server: HttpServer

    def time_is_over(self) -> None:
        """Cut every connection that waits for a request, as its timer would."""
        for one in [*self.server._server.server_state.connections]:
            if isinstance(one, Connection) and one.waits_since is not None:
                one.cut()


@asynccontextmanager
async def running(app: App, *, kind: type[Connection] = Connection, **given: object) -> AsyncIterator[Port]:
    http = HttpServer(app, host="127.0.0.1", port=0, concurrency=_SMALL, connection=kind, **given)  # type: ignore[arg-type] # a table of options
    at = await http.start()
    port = Port(at.rpartition(":")[2])
    port.server = http
    try:
        yield port
    finally:
        app.go.set()
        await http.stop()


@asynccontextmanager
async def calling(port: int, *, count: int = 1, say: bytes = b"") -> AsyncIterator[list[Caller]]:
    """Open sockets one after the other, and say something at each."""
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(count):
            found.append(Caller(*await asyncio.open_connection("127.0.0.1", port)))
            stack.callback(found[-1].writer.close)
            found[-1].writer.write(say)
        yield found


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /now HTT", id="half a line"),
        pytest.param(b"GET /now HTTP/1.1\r\nHost: x\r\n", id="half a head"),
        pytest.param(b"POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf", id="half a body"),
    ],
)
async def test_a_new_caller_is_answered_however_many_sit_there(said: bytes) -> None:
    app = App()
    async with running(app) as port, calling(port, count=5 * _SMALL, say=said) as idle:
        for _ in range(3):
            async with calling(port, say=_REQUEST) as (caller,):
                assert await caller.status() == b"200"
        assert [await one.ended() for one in idle[:_SMALL]] == [True] * _SMALL


async def test_those_who_have_sent_a_whole_request_keep_their_place() -> None:
    app = App()
    later = _REQUEST.replace(b"/now", b"/later")
    async with running(app) as port, calling(port, count=_SMALL - 2, say=later) as busy:
        for _ in busy:
            await asyncio.wait_for(app.under_way.acquire(), _PATIENCE)
        async with calling(port, count=3 * _SMALL):
            async with calling(port, say=_REQUEST) as (caller,):
                assert await caller.status() == b"200"
            app.go.set()
            assert [await one.status() for one in busy] == [b"200"] * len(busy)


async def test_when_all_are_busy_a_new_caller_hears_of_it() -> None:
    app = App()
    later = _REQUEST.replace(b"/now", b"/later")
    async with running(app) as port, calling(port, count=_SMALL - 1, say=later) as busy:
        for _ in busy:
            await asyncio.wait_for(app.under_way.acquire(), _PATIENCE)
        async with calling(port, say=_REQUEST) as (caller,):
            assert await caller.status() == b"503"


@pytest.mark.parametrize("said", [b"", b"GET /now HTTP/1.1\r\nHost"], ids=["nothing", "half a head"])
async def test_who_sends_no_request_in_time_is_gone(said: bytes) -> None:
    async with running(App(), kind=Hurried) as port, calling(port, say=said) as (caller,):
        assert await caller.ended()


async def test_who_never_ends_a_request_is_gone_and_the_application_hears_of_it() -> None:
    app = App()
    half = b"POST /now HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf"
    async with running(app) as port, calling(port, say=half) as (caller,):
        await asyncio.wait_for(app.under_way.acquire(), _PATIENCE)
        port.time_is_over()
        assert await caller.ended()
        await asyncio.wait_for(app.gone.wait(), _PATIENCE)


async def test_half_a_request_after_a_whole_one_is_no_way_to_stay() -> None:
    async with running(App()) as port, calling(port, say=_REQUEST + b"GET ") as (caller,):
        assert await caller.status() == b"200"
        port.time_is_over()
        assert await caller.ended()


async def test_an_answer_may_take_longer_than_its_request_may() -> None:
    app = App()
    later = _REQUEST.replace(b"/now", b"/later")
    async with running(app) as port, calling(port, say=later) as (caller,):
        await asyncio.wait_for(app.under_way.acquire(), _PATIENCE)
        port.time_is_over()
        app.go.set()
        assert await caller.status() == b"200"


async def test_requests_that_come_together_are_answered_in_their_order() -> None:
    async with running(App()) as port, calling(port, say=_REQUEST * 3) as (caller,):
        assert [await caller.status() for _ in range(3)] == [b"200"] * 3


async def test_who_does_not_begin_with_tls_is_gone(tmp_path: Path) -> None:
    issued = authority(tmp_path, "ca").leaf(tmp_path, "here")
    async with running(App(), kind=Hurried, tls=issued) as port, calling(port) as (caller,):
        assert await caller.ended()


async def test_tls_is_answered(tmp_path: Path) -> None:
    signs = authority(tmp_path, "ca")
    context = ssl.create_default_context(cafile=signs.file)
    async with running(App(), tls=signs.leaf(tmp_path, "here")) as port:
        streams = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        caller = Caller(*streams)
        caller.writer.write(_REQUEST)
        assert await caller.status() == b"200"
        caller.writer.close()
