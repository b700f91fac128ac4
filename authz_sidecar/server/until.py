"""Runs something endless until it is told to stop."""

import asyncio
from collections.abc import Coroutine
from typing import Any


async def until(stopping: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Run until the work ends or `stopping` is set, which cancels it; what the work raises is raised here."""
    task = asyncio.create_task(work)
    stopped = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        task.cancel()
        stopped.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)
