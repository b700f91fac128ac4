"""Joins two streams of states into one of pairs: the newest of each, whenever either moves."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import suppress
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def latest(first: AsyncIterator[A], second: AsyncIterator[B]) -> AsyncGenerator[tuple[A, B], None]:
    """Yield a pair as soon as both have said something, then at each change; ends when either ends."""
    with suppress(StopAsyncIteration):
        one, other = await anext(first), await anext(second)
        moves: asyncio.Task[A] = asyncio.create_task(_next(first))
        shifts: asyncio.Task[B] = asyncio.create_task(_next(second))
        try:
            while True:
                yield one, other
                await asyncio.wait({moves, shifts}, return_when=asyncio.FIRST_COMPLETED)
                if moves.done():
                    one, moves = moves.result(), asyncio.create_task(_next(first))
                if shifts.done():
                    other, shifts = shifts.result(), asyncio.create_task(_next(second))
        finally:
            moves.cancel()
            shifts.cancel()
            await asyncio.gather(moves, shifts, return_exceptions=True)


async def _next(stream: AsyncIterator[A]) -> A:
    return await anext(stream)
