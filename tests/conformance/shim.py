"""A loopback shim that adds a bearer token to every request and passes all other bytes on, for tools that send none.

One connection carries one request, so that nothing but its head has to be understood.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CLOSE = re.compile(rb"(?im)^connection:[^\r\n]*\r\n")
_HEAD_LIMIT = 64 * 1024


@asynccontextmanager
async def shim(port: int, upstream: int, token: str) -> AsyncIterator[None]:
    """Listen on a port until the block ends."""
    added = f"connection: close\r\nauthorization: Bearer {token}\r\n\r\n".encode()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            head = await reader.readuntil(b"\r\n\r\n")
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", upstream)
            far_writer.write(_CLOSE.sub(b"", head[:-2]) + added)
            there = asyncio.create_task(_carry(reader, far_writer))
            back = asyncio.create_task(_carry(far_reader, writer))
            # Whoever leaves first ends both: a client that goes away must be seen by the server.
            _, rest = await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            for task in rest:
                task.cancel()
            far_writer.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=_HEAD_LIMIT)
    try:
        yield
    finally:
        server.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
