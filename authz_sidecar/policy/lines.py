"""Reads bytes as lines of text and refuses what two readers could see differently."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Final, NamedTuple

from authz_sidecar.policy.findings import Findings

LARGEST: Final = 64 * 1024 * 1024
"""Bytes that a policy file may have."""

_UTF8_MARK: Final = b"\xef\xbb\xbf"
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_SETTING: Final = "in Excel choose `CSV (Comma delimited)`, not `CSV UTF-8`; in LibreOffice the character set `UTF-8`"
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_DOUBT: Final = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_BLOCK: Final = 16_384


class Line(NamedTuple):
    """A line without its end; numbers count from 1."""

    number: int
    text: str


def lines(file: str, data: bytes, found: Findings) -> Iterator[Line]:
    """Give the lines that are clean; a line that is not is reported and left out.

    Refused: anything but UTF-8 without a byte order mark, control characters other than tab, a carriage return that
    does not end a line with its line feed, and more than `LARGEST` bytes.
    """
    for number, block in blocks(file, data, found):
        texts = ascii_lines(block)
        yield from careful_lines(file, number, block, found) if texts is None else map(Line, count(number), texts)


def blocks(file: str, data: bytes, found: Findings) -> Iterator[tuple[int, bytes]]:
    """Give some hundred whole lines at once, with the number of the first; none when the file is refused as a whole.

    Not all at once: a hundred thousand lines in one step would hold up everybody.
    """
    if len(data) > LARGEST:
        found.error(file, 0, 0, "too-large", f"has {len(data)} bytes, at most {LARGEST} are read")
        return
    if data.startswith(_UTF16_MARKS) or (len(data) > 3 and data[:4].count(0) == 2):
        message = f"is UTF-16 (Excel calls it `Unicode Text`), save the file as UTF-8: {_SETTING}"
        found.error(file, 1, 1, "byte-order-mark", message)
        return
    if data.startswith(_UTF8_MARK):
        # Casbin ignores a row behind a byte order mark: a deny row at the top would be lost.
        found.error(file, 1, 1, "byte-order-mark", f"begins with a byte order mark, save as plain UTF-8: {_SETTING}")
        data = data.removeprefix(_UTF8_MARK)
    number, begin = 1, 0
    while begin < len(data):
        end = data.find(b"\n", begin + _BLOCK) + 1 or len(data)
        block = data[begin:end]
        yield number, block
        number, begin = number + block.count(b"\n"), end


def ascii_lines(block: bytes) -> list[str] | None:
    """Split a block in which every character is printable ASCII or a tab; None for any other."""
    if not block.isascii() or _DOUBT.search(block):
        return None
    texts = block.decode("ascii").split("\n")
    if not texts[-1]:
        texts.pop()
    return texts


def careful_lines(file: str, number: int, block: bytes, found: Findings) -> Iterator[Line]:
    """Look at every line of a block in which something is not plain."""
    *ended, last = block.split(b"\n")
    for offset, raw in enumerate(ended):
        yield from _line(file, number + offset, raw.removesuffix(b"\r"), found)
    if last:
        yield from _line(file, number + len(ended), last, found)


def _line(file: str, number: int, raw: bytes, found: Findings) -> Iterator[Line]:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        column = len(raw[: error.start].decode("utf-8")) + 1
        found.error(file, number, column, "not-utf-8", f"byte 0x{raw[error.start]:02x} is not UTF-8")
        return
    if (control := _CONTROL.search(text)) is None:
        yield Line(number, text)
    elif control[0] == "\r":
        found.error(
            file, number, control.start() + 1, "lone-carriage-return", "a carriage return alone ends no line, use LF"
        )
    else:
        found.error(
            file, number, control.start() + 1, "control-character", f"control character U+{ord(control[0]):04X}"
        )
