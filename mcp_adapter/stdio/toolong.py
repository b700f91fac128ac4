"""Which request a message belongs to that is too long to be read: what its two ends say of it."""

import re
from typing import Final

import msgspec

from mcp_adapter.stdio.lines import TooLongLine

_MEMBER: Final = rb'"(jsonrpc|id|method)"\s*:\s*("(?:[^"\\]|\\.)*"|-?\d+)'
_member: Final = re.compile(_MEMBER)
_head: Final = re.compile(rb"\s*\{\s*((?:" + _MEMBER + rb'\s*,\s*)*)"(\w+)"\s*:')
# Inside of a string every quote follows a backslash: what matches here is no word of a tool.
_tail: Final = re.compile(rb"[,{]\s*((?:" + _MEMBER + rb"\s*,\s*)*" + _MEMBER + rb")\s*\}\s*$")
_id: Final[msgspec.json.Decoder[str | int]] = msgspec.json.Decoder(str | int)


def answered(line: TooLongLine) -> str | int | None:
    """Give the id of the request that it answers; None for what is no answer, or hides its id in the middle."""
    members, key = _first(line)
    return _found(members, line) if key in (b"result", b"error") and b"method" not in members else None


def requested(line: TooLongLine) -> str | int | None:
    """Give the id of the request that it is; None for what is none, or hides its id in the middle."""
    members, _ = _first(line)
    return _found(members, line) if b"method" in members else None


def _first(line: TooLongLine) -> tuple[dict[bytes, bytes], bytes]:
    """Give the plain members at the beginning, and the key of the one that follows."""
    found = _head.match(line.head)
    return ({}, b"") if found is None else (_members(found[1]), found[found.re.groups])


def _found(members: dict[bytes, bytes], line: TooLongLine) -> str | int | None:
    if b"id" not in members and (found := _tail.search(line.tail)) is not None:
        members = _members(found[1])
    try:
        return _id.decode(members.get(b"id", b""))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _members(text: bytes) -> dict[bytes, bytes]:
    return {found[1]: found[2] for found in _member.finditer(text)}
