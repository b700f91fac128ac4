"""Our own standard input and output, whatever they are."""

import asyncio
import os
import stat
from asyncio.streams import FlowControlMixin
from typing import Protocol


class Readable(Protocol):
    """Something that is read as it comes."""

    async def read(self, n: int = -1, /) -> bytes:
        """Give at most `n` bytes, as soon as there are any; none at the end."""
        ...

    def close(self) -> None:
        """Read no more."""
        ...


class Writable(Protocol):
    """Something that is written to, and can be waited for."""

    def write(self, data: bytes, /) -> None:
        """Take bytes."""
        ...

    async def drain(self) -> None:
        """Wait until all of it is taken; raises `ConnectionError` when nobody reads any more."""
        ...

    def close(self) -> None:
        """Say that there is no more."""
        ...


class File:
    """A file, which is always ready."""

    def __init__(self, descriptor: int) -> None:
        """Take an open file; it is not ours to close."""
        self._descriptor = descriptor

    async def read(self, n: int = -1, /) -> bytes:
        """Give at most `n` bytes."""
        return os.read(self._descriptor, n)

    def write(self, data: bytes, /) -> None:
        """Write all of it."""
        while data:
            data = data[os.write(self._descriptor, data) :]

    async def drain(self) -> None:
        """Return at once."""

    def close(self) -> None:
        """Leave it open."""


class _Pipe:
    """The reading end of a pipe."""

    def __init__(self, reader: asyncio.StreamReader, transport: asyncio.BaseTransport) -> None:
        self._reader, self._transport = reader, transport

    async def read(self, n: int = -1, /) -> bytes:
        return await self._reader.read(n)

    def close(self) -> None:
        self._transport.close()


async def reading(descriptor: int) -> Readable:
    """Read a pipe, a socket, a terminal or a file."""
    if not _can_wait(descriptor):
        return File(descriptor)
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    pipe = os.fdopen(os.dup(descriptor), "rb", buffering=0)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return _Pipe(reader, transport)


async def writing(descriptor: int) -> Writable:
    """Write to a pipe, a socket, a terminal or a file."""
    if not _can_wait(descriptor):
        return File(descriptor)
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(os.dup(descriptor), "wb", buffering=0)
    transport, protocol = await loop.connect_write_pipe(FlowControlMixin, pipe)
    transport.set_write_buffer_limits(0)  # nothing is left behind that would be lost when we end
    return asyncio.StreamWriter(transport, protocol, None, loop)


def _can_wait(descriptor: int) -> bool:
    mode = os.fstat(descriptor).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(descriptor)
