"""Splitting a stream of server-sent events, as it arrives, into blocks that keep their very bytes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_END: Final = re.compile(rb"\r\n|\r|\n")
_BOM: Final = b"\xef\xbb\xbf"


class TooLong(Exception):
    """An event is longer than the limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A piece of the stream: one event, or something that is none."""

    raw: bytes
    data: bytes | None = None
    """What the event says, its lines joined; None where there is nothing."""
    event: str = "message"
    others: bytes = b""
    """The lines that are not data, such as `id:`, each with its end."""

    def saying(self, data: bytes) -> bytes:
        """Spell this event with other data."""
        return self.others + b"".join(b"data: " + line + b"\n" for line in _END.split(data)) + b"\n"


class Events:
    """Takes chunks and gives blocks (WHATWG HTML section 9.2.6). Comments outside an event are not held back."""

    def __init__(self, limit: int) -> None:
        """Take the size of the largest event, in bytes."""
        self._limit = limit
        self._raw = bytearray()
        self._line = bytearray()
        self._after_return = False
        self._first = True
        self._data: list[bytes] = []
        self._others = bytearray()
        self._event = ""
        self._fields = False

    def feed(self, chunk: bytes) -> Iterator[Block]:
        """Take a chunk and give the blocks that it completes; raises `TooLong`."""
        start = 0
        if self._after_return and chunk:
            self._after_return = False
            if chunk.startswith(b"\n"):  # the second half of a line end, perhaps of a block that is gone
                start = 1
                if self._raw:
                    self._raw += b"\n"
                else:
                    yield Block(raw=b"\n")
        for end in _END.finditer(chunk, start):
            line = bytes(self._line) + chunk[start : end.start()]
            self._line.clear()
            self._raw += chunk[start : end.end()]
            start = end.end()
            self._after_return = end[0] == b"\r" and start == len(chunk)
            if self._take(line):
                yield self._block()
        self._raw += chunk[start:]
        self._line += chunk[start:]
        if len(self._raw) > self._limit:
            raise TooLong(f"an event of more than {self._limit} bytes")

    def end(self) -> Iterator[Block]:
        """Give what is left when the stream ends; some readers take an event that lacks its blank line."""
        if self._line:
            self._take(bytes(self._line))
        if self._raw:
            yield self._block()

    def _take(self, line: bytes) -> bool:
        """Take a line and say whether what came so far can go."""
        if self._first:
            line, self._first = line.removeprefix(_BOM), False
        if not line:
            return True
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        else:
            self._others += line + b"\n"
            if name == b"event":
                self._event = value.decode("utf-8", "replace")
        comment_alone = not name and not self._data and not self._fields
        self._fields = self._fields or bool(name)
        return comment_alone

    def _block(self) -> Block:
        data = b"\n".join(self._data) if self._data else None
        block = Block(raw=bytes(self._raw), data=data, event=self._event or "message", others=bytes(self._others))
        self._raw.clear()
        self._line.clear()
        self._data, self._others, self._event, self._fields = [], bytearray(), "", False
        return block
