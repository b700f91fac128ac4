"""Lines of a pipe: whole, bounded, and never read ahead of whoever takes them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from mcp_adapter.stdio.pipes import Readable, Writable

_CHUNK: Final = 64 * 1024
KEPT: Final = 1024
"""Bytes that are kept of each end of a line that is too long."""


_ENDS: Final = ((b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"), (b"\xc2\x85", b"\\u0085"))


def unbroken(message: bytes) -> bytes:
    """Escape the ends of a line that are none in JSON but in some readers of lines: Node.js has two of these.

    They may stand inside strings alone, where the escape says the same.
    """
    for end, escape in _ENDS:
        message = message.replace(end, escape)
    return message


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLongLine:
    """Stands for a line that was longer than the limit, with its first and its last bytes."""

    head: bytes = b""
    tail: bytes = b""


TOO_LONG: Final = TooLongLine()


async def lines(pipe: Readable, limit: int) -> AsyncIterator[bytes | TooLongLine]:
    """Give each line without its end, also the last one; of one that is too long, only that it was there.

    Lines end in a line feed, before which one carriage return may stand. What is empty is left out.
    """
    held = bytearray()
    skipping = False
    while chunk := await pipe.read(_CHUNK):
        looked = len(held)
        held += chunk
        while (end := held.find(b"\n", looked)) >= 0:
            line = bytes(held[:end]).removesuffix(b"\r")
            del held[: end + 1]
            looked = 0
            if skipping or len(line) > limit:
                skipping = False
                yield _ends(line)
            elif line.strip(b" \t"):
                yield line
        if skipping or len(held) > limit + 1:
            skipping = True
            del held[KEPT : -KEPT - 1]  # one more, since the last byte may be a carriage return
    rest = bytes(held).removesuffix(b"\r")
    if skipping or len(rest) > limit:
        yield _ends(rest)
    elif rest.strip(b" \t"):
        yield rest


def _ends(line: bytes) -> TooLongLine:
    return TooLongLine(head=line[:KEPT], tail=line[-KEPT:])


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
