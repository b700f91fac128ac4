"""Carries messages between a client and the server that was started for it, until one of them is gone."""

import asyncio
import logging
import signal
from contextlib import suppress
from typing import Final

from mcp_adapter.stdio.child import Child
from mcp_adapter.stdio.inward import Inward
from mcp_adapter.stdio.lines import lines
from mcp_adapter.stdio.outward import Outward
from mcp_adapter.stdio.pipes import Readable

_log: Final = logging.getLogger(__name__)
_SIGNALS: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
_LAST_WORDS: Final = 1.0
LARGEST_LINE: Final = 64 * 1024 * 1024
"""Bytes of one message of the server."""


async def carry(client: Readable, child: Child, inward: Inward, outward: Outward) -> int:
    """Carry until the end and give the server's exit code."""
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, child.hear, number)
    inwards = asyncio.create_task(_inward(client, child, inward))
    outwards = asyncio.create_task(_outward(child, outward))
    try:
        code = await child.ended()
        done, _ = await asyncio.wait({outwards}, timeout=_LAST_WORDS)
        if not done:
            child.clear()
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
        for task in (inwards, outwards):
            task.cancel()
        found = await asyncio.gather(inwards, outwards, return_exceptions=True)
        inward.calls.end_all()
    for error in found:
        if isinstance(error, Exception):
            raise error
    for what, count in outward.dropped.items():
        _log.warning("dropped in all: %d times %s", count, what)
    return code


async def _inward(client: Readable, child: Child, inward: Inward) -> None:
    try:
        with suppress(ConnectionError):  # the server no longer reads: it is about to end
            async for line in lines(client, inward.max_line):
                await inward.take(line)
    finally:
        child.end()


async def _outward(child: Child, outward: Outward) -> None:
    try:
        with suppress(ConnectionError):  # the client no longer reads
            async for line in lines(child.stdout, LARGEST_LINE):
                await outward.take(line)
    finally:
        child.end()
