"""A provider on loopback that a test scripts, and a time that a test moves."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from authz_sidecar.tokens.mint import public_jwks

JSON = "application/json"


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": JSON})
    hold: asyncio.Event | None = None
    """Answer only when it is set."""
    endless: bool = False
    """Send the body again and again, without a length."""


Handler = Callable[[Request], Answer | Awaitable[Answer]]


class Provider:
    """An HTTP/1.1 server of its own; pages by target, everything that was asked is kept."""

    def __init__(self) -> None:
        self.pages: dict[str, Answer | Handler] = {}
        self.asked: list[Request] = []
        self.port = 0
        self.server_names: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def count(self, target: str) -> int:
        return sum(one.target == target for one in self.asked)

    def jwks(self, *keys: Mapping[str, Any], target: str = "/jwks", **headers: str) -> None:
        body = json.dumps(public_jwks(keys)).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[target] = Answer(body=body, headers={"content-type": JSON} | named)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in head[1:] if line}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        request = Request(method, target, headers, body)
        self.asked.append(request)
        page = self.pages.get(target, Answer(404))
        found = page(request) if callable(page) else page
        answer = found if isinstance(found, Answer) else await found
        if answer.hold is not None:
            await answer.hold.wait()
        lines = [f"HTTP/1.1 {answer.status} x", *(f"{name}: {value}" for name, value in answer.headers.items())]
        lines.append("connection: close" if answer.endless else f"content-length: {len(answer.body)}")
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode() + (b"" if answer.status == 304 else answer.body))
        await writer.drain()
        while answer.endless:
            writer.write(answer.body)
            await writer.drain()
        return not answer.endless


@asynccontextmanager
async def provider(tls: ssl.SSLContext | None = None) -> AsyncIterator[Provider]:
    found = Provider()
    if tls is not None:
        tls.sni_callback = lambda _, name, __: found.server_names.append(name)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(found.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Time:
    """Clocks and a sleep that a test moves."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now
        self.steady = 1_000.0
        self._naps: asyncio.Queue[tuple[float, asyncio.Future[None]]] = asyncio.Queue()

    def clock(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.steady

    def pass_(self, seconds: float) -> None:
        self.now += seconds
        self.steady += seconds

    async def sleep(self, seconds: float) -> None:
        nap: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._naps.put_nowait((seconds, nap))
        await nap

    @asynccontextmanager
    async def spent_on(self, work: Coroutine[Any, Any, None]) -> "AsyncIterator[Nap]":
        """Let it work until the block ends; gives its first sleep."""
        task = asyncio.create_task(work)
        try:
            yield await self.nap()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def nap(self) -> "Nap":
        """Wait until somebody sleeps."""
        async with asyncio.timeout(10):
            return Nap(self, *await self._naps.get())


@dataclass
class Nap:
    time: Time
    seconds: float
    future: "asyncio.Future[None]"

    async def over(self) -> "Nap":
        """Let its time pass, and wait until the sleeper sleeps again."""
        self.time.pass_(self.seconds)
        self.future.set_result(None)
        following = await self.time.nap()
        self.seconds, self.future = following.seconds, following.future
        return self
