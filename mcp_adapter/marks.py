"""Rewriting the ids of server-sent events as a stream passes; every other byte stays as it is."""

import re
from collections.abc import Callable
from typing import Final

from mcp_adapter.sse import TooLong

_END: Final = re.compile(rb"[\r\n]")
_BOM: Final = b"\xef\xbb\xbf"
_FIELD: Final = b"id:"
_LONGEST: Final = 1024


class Marks:
    """Takes chunks of a stream and gives them back, with `seal` applied to the value of each `id:` line.

    Nothing is held back but the beginning of a line that may be such a one.
    """

    def __init__(self, seal: Callable[[bytes], bytes]) -> None:
        """Take what an id becomes."""
        self._seal = seal
        self._held = bytearray()
        self._first = True
        self._passing = False
        """Whether the rest of the line needs no look."""

    def feed(self, chunk: bytes) -> bytes:
        """Take a chunk and give what can go; raises `TooLong`."""
        out = bytearray()
        at = 0
        while at < len(chunk):
            end = _END.search(chunk, at)
            stop = len(chunk) if end is None else end.start()
            if self._passing:
                out += chunk[at:stop]
            else:
                self._held += chunk[at:stop]
                if len(self._held) > _LONGEST and self._may_be_one():
                    raise TooLong(f"an event's id of more than {_LONGEST} bytes")
                if end is not None or not self._may_be_one():
                    out += self._line()
                    self._passing = True
            if end is not None:
                out += chunk[stop : end.end()]
                self._passing = False
            at = stop if end is None else end.end()
        return bytes(out)

    def end(self) -> bytes:
        """Give what is left when the stream ends."""
        return self._line()

    def _may_be_one(self) -> bool:
        line = bytes(self._held)
        if self._first and (_BOM.startswith(line) or line.startswith(_BOM)):
            line = line.removeprefix(_BOM) if line.startswith(_BOM) else b""
        return line[: len(_FIELD)] == _FIELD[: len(line)]

    def _line(self) -> bytes:
        line = bytes(self._held)
        self._held.clear()
        mark = _BOM if self._first and line.startswith(_BOM) else b""
        self._first = False
        name, colon, value = line.removeprefix(mark).partition(b":")
        value = value.removeprefix(b" ")
        if name != b"id" or not colon or not value:  # an empty id means that there is none
            return line
        return mark + b"id: " + self._seal(value)
