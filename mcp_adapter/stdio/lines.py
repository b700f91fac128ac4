"""Lines of a pipe: whole, bounded, and never read ahead of whoever takes them."""

from collections.abc import AsyncIterator
from typing import Final

from mcp_adapter.stdio.pipes import Readable, Writable

_CHUNK: Final = 64 * 1024


_ENDS: Final = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


def unbroken(message: bytes) -> bytes:
    """Escape the ends of a line that are none in JSON but in some readers of lines: Node.js has two of these.

    They may stand inside strings alone, where the escape says the same.
    """
    for end, escape in _ENDS:
        message = message.replace(end, escape)
    return message


class TooLongLine:
    """Stands for a line that was longer than the limit; nothing of it was kept."""


TOO_LONG: Final = TooLongLine()


async def lines(pipe: Readable, limit: int) -> AsyncIterator[bytes | TooLongLine]:
    """Give each line without its end, also the last one; of one that is too long, only that it was there.

    Lines end in a line feed, before which one carriage return may stand. What is empty is left out.
    """
    held = bytearray()
    skipping = False
    while chunk := await pipe.read(_CHUNK):
        looked = 0 if skipping else len(held)
        held += chunk
        while (end := held.find(b"\n", looked)) >= 0:
            line = bytes(held[:end]).removesuffix(b"\r")
            del held[: end + 1]
            looked = 0
            if skipping or len(line) > limit:
                skipping = False
                yield TOO_LONG
            elif line.strip(b" \t"):
                yield line
        if skipping or len(held) > limit + 1:
            skipping = True
            held.clear()
    rest = bytes(held).removesuffix(b"\r")
    if skipping or len(rest) > limit:
        yield TOO_LONG
    elif rest.strip(b" \t"):
        yield rest


class LineWriter:
    """Writes whole lines, and waits while the reader is slow."""

    def __init__(self, pipe: Writable) -> None:
        """Take the pipe."""
        self._pipe = pipe

    async def put(self, line: bytes) -> None:
        """Write a line; raises `ConnectionError` when nobody reads any more."""
        self._pipe.write(line + b"\n")
        await self._pipe.drain()

    def close(self) -> None:
        """Say that there is no more; what was written still goes out."""
        self._pipe.close()
