"""The address on this device at which an application waits for its code (RFC 8252 section 7.3)."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import parse_qsl, urlsplit

_LIMIT_SECONDS: Final = 30
_PAGE: Final = b"<!doctype html><title>Ops app</title><h1>Back in the app</h1><p>You may close this page."
_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncache-control: no-store\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s"
)


class Callback:
    """What came back, in order."""

    def __init__(self, url: str) -> None:
        """Wait at this address."""
        self.url = url
        self._came: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def returned(self) -> dict[str, str]:
        """Give the parameters of the next answer; raises `TimeoutError`."""
        async with asyncio.timeout(_LIMIT_SECONDS):
            return await self._came.get()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one request of a browser."""
        try:
            async with asyncio.timeout(_LIMIT_SECONDS):
                target = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode("ascii")
                writer.write(_ANSWER % (len(_PAGE), _PAGE))
                await writer.drain()
            if target.startswith("/callback?"):
                self._came.put_nowait(dict(parse_qsl(urlsplit(target).query)))
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a browser opens connections that it does not use
        finally:
            writer.close()


@asynccontextmanager
async def waiting() -> AsyncIterator[Callback]:
    """Listen on a free port of the loopback until the block ends."""
    listener = socket.create_server(("127.0.0.1", 0))
    found = Callback(f"http://127.0.0.1:{listener.getsockname()[1]}/callback")
    server = await asyncio.start_server(found.answer, sock=listener)
    try:
        yield found
    finally:
        server.close()
