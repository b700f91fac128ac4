"""Makes room for others while a policy is built in a thread beside the event loop."""

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from authz_sidecar.rules import Rules

_TURN: Final = 0.0005
"""Seconds that the builder may keep the interpreter when the event loop wants it; Python's own is ten times that."""

_NEVER: Final = 1_000_000_000
_LARGE: Final = 5_000
"""Rules from which on it is worth a word to the garbage collector."""

_lock: Final = threading.Lock()  # INVARIANT: the settings are changed by the first builder and put back by the last
_builders = 0
_before: tuple[float, tuple[int, int, int]] = (0.0, (0, 0, 0))


@contextmanager
def gently() -> Iterator[None]:
    """Take short turns, and hold back full garbage collections: each would walk through all rows made so far."""
    global _builders, _before  # noqa: PLW0603 - these are settings of the whole interpreter
    with _lock:
        _builders += 1
        if _builders == 1:
            _before = sys.getswitchinterval(), gc.get_threshold()
            sys.setswitchinterval(min(_TURN, _before[0]))
            gc.set_threshold(*_before[1][:2], _NEVER)
    try:
        yield
    finally:
        with _lock:
            _builders -= 1
            if _builders == 0:
                sys.setswitchinterval(_before[0])
                gc.set_threshold(*_before[1])


def settle(rules: Rules) -> None:
    """Tell the garbage collector to leave a large policy alone: it has no cycles, and is let go by counting."""
    if rules.size >= _LARGE:
        gc.freeze()
