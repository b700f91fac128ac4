"""Lets a thread that walks through many rows pause, so that the event loop beside it hardly notices.

Short turns of the interpreter are not enough: on a busy machine the kernel stops a thread that never pauses, and it
then holds the interpreter's lock while it waits for a processor.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_WORK: Final = 0.0005
_PAUSE: Final = 0.001

_lock: Final = threading.Lock()  # INVARIANT: `_breathing` counts the threads that are inside `breathing`
_own: Final = threading.local()
_breathing = 0


@contextmanager
def breathing() -> Iterator[None]:
    """Let `breathe` pause in this thread."""
    global _breathing  # noqa: PLW0603 - so that `breathe` costs next to nothing where nobody does
    _own.since = time.perf_counter()
    with _lock:
        _breathing += 1
    try:
        yield
    finally:
        _own.since = None
        with _lock:
            _breathing -= 1


def breathe() -> None:
    """Pause for a millisecond when the last pause was half of one ago; does nothing outside `breathing`.

    To be called at every row: it costs less than a tenth of a µs.
    """
    if not _breathing:
        return
    since: float | None = getattr(_own, "since", None)
    if since is not None and time.perf_counter() - since > _WORK:
        time.sleep(_PAUSE)
        _own.since = time.perf_counter()
