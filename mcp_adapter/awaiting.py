"""Awaits a handler inside a server, and ends its work when the right to it ends."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from mcp_adapter.gate import Ruling
from mcp_adapter.judged import ended
from mcp_adapter.record import Entry
from mcp_adapter.streams import Streams
from mcp_adapter.vigil import Vigil

_Result = TypeVar("_Result")


class Lost(Exception):
    """The right to what was awaited has ended."""

    def __init__(self, ruling: Ruling) -> None:
        """Take the ruling by which it ended."""
        super().__init__(ruling.reason)
        self.ruling = ruling


async def awaited(
    work: Callable[[], Awaitable[_Result]],
    streams: Streams,
    ruling: Ruling,
    mark: int | None,
    *,
    judge: Callable[[], Awaitable[Ruling]],
    entry: Entry,
) -> _Result:
    """Give what the work gives; raises what it raises, and `Lost`, which stands in the event too.

    `mark` is what had been told before `ruling` was made, and `judge` asks again.
    """
    done: list[_Result] = []
    last: list[Ruling] = []

    async def run() -> None:
        done.append(await work())

    async def end(over: Ruling) -> None:
        ended(entry, over)
        last.append(over)

    vigil = Vigil(streams, ruling, mark, judge=judge, end=end)
    vigil.begin()
    await vigil.run(run())
    if last:
        raise Lost(last[0])
    return done[0]
