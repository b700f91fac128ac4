"""Looking, in passing, at what a call came to: whether the tool reported an error, and whether it made a task."""

from collections.abc import Callable
from typing import Final

import msgspec

from mcp_adapter.sse import Events, TooLong

_LARGEST: Final = 64 * 1024
"""Bytes of an answer, or of one event, that are looked at."""


class _Task(msgspec.Struct):
    id: str = msgspec.field(default="", name="taskId")


class _Result(msgspec.Struct):
    is_error: bool = msgspec.field(default=False, name="isError")
    kind: str = msgspec.field(default="", name="resultType")
    task_id: str = msgspec.field(default="", name="taskId")
    task: _Task | None = None

    @property
    def made(self) -> str:
        """The task that stands in place of a result: as 2025-11-25 spells it, or as the extension does."""
        if self.task is not None:
            return self.task.id
        return self.task_id if self.kind == "task" else ""


class _Answer(msgspec.Struct):
    id: str | int | None = None
    result: _Result | None = None
    error: object = None


_decoder: Final = msgspec.json.Decoder(_Answer)


def made(result: object) -> str:
    """Give the task that a result, as it is on the wire, names as made; empty where there is none."""
    try:
        return msgspec.convert(result, _Result).made
    except msgspec.ValidationError:
        return ""


class Tap:
    """Keeps a copy of a small answer, or of one small event, until it can say what it is.

    `made` is told the name of a task before the last piece that names it goes on, so that the client cannot be faster.
    """

    def __init__(self, request_id: str | int | None, made: Callable[[str], None] = lambda task: None) -> None:
        """Take the id of the request whose answer counts, and who hears of tasks."""
        self.streams = False
        self._request_id = request_id
        self._made = made
        self._kept: bytearray | None = bytearray()
        self._events = Events(_LARGEST)
        self._failed: bool | None = None

    def take(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        if self._kept is None:
            return
        if self.streams:
            try:
                for block in self._events.feed(chunk):
                    self._look(block.data)
            except TooLong:
                self._kept = None
            return
        self._kept += chunk
        if len(self._kept) > _LARGEST:
            self._kept = None
        elif chunk.rstrip().endswith(b"}"):  # it may be whole, and the client may know so by its length
            self._look(bytes(self._kept))

    @property
    def answered(self) -> bool:
        """Whether the answer has passed."""
        return self._failed is not None

    def failed(self) -> bool | None:
        """Say, at the end, whether the answer is an error; None when it was too large, or did not say."""
        if self.streams and self._kept is not None:
            for block in self._events.end():
                self._look(block.data)
        return self._failed

    def _look(self, data: bytes | None) -> None:
        if not data:
            return
        try:
            answer = _decoder.decode(data)
        except msgspec.DecodeError:
            return
        if answer.id != self._request_id or (answer.result is None and answer.error is None):
            return
        self._failed = answer.error is not None or (answer.result is not None and answer.result.is_error)
        if answer.result is not None and answer.result.made:
            self._made(answer.result.made)
