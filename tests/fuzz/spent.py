"""Measures what an input costs, in calls and in bytes: the same on every machine, however busy it is."""

import gc
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

from tests.fuzz.target import Limit


def calls(run: Callable[[bytes], object], data: bytes, most: int) -> int:
    """Count the calls, of Python and C functions alike; raises `TooMuch` beyond `most`."""
    count = 0

    def note(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1
            if count > most:
                sys.setprofile(None)
                raise TooMuch(f"more than {most} calls for {len(data)} bytes")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        run(data)
    finally:
        sys.setprofile(before)
    return count


def memory(run: Callable[[bytes], object], data: bytes) -> int:
    """Give the bytes that it took at its peak."""
    gc.collect()
    tracemalloc.start()
    try:
        run(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TooMuch(AssertionError):
    """An input costs more than its length allows."""


def hold(run: Callable[[bytes], object], data: bytes, limit: Limit) -> None:
    """Run an input within its bounds, or raise `TooMuch`."""
    calls(run, data, limit.steps + limit.steps_a_byte * len(data))
    took, most = memory(run, data), limit.memory + limit.memory_a_byte * len(data)
    if took > most:
        raise TooMuch(f"{took} bytes of memory for {len(data)} bytes of input, at most {most}")
