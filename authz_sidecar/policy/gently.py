"""Makes room for others while a policy is built in a thread beside the event loop."""

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Final

from authz_sidecar.breath import breathe, breathing
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Rules

_TURN: Final = 0.0005
"""Seconds that the builder may keep the interpreter when the event loop wants it; Python's own is ten times that."""

_NEVER: Final = 1_000_000_000
_LARGE: Final = 5_000
"""Rules from which on it is worth a word to the garbage collector."""

_FEW: Final = 250
"""Pieces that are let go in a fraction of a millisecond."""

_lock: Final = threading.Lock()  # INVARIANT: the settings are changed by the first builder and put back by the last
_builders = 0
_before: tuple[float, tuple[int, int, int]] = (0.0, (0, 0, 0))


@contextmanager
def gently(*, hurry: bool = False) -> Iterator[None]:
    """Take short turns, and hold back full garbage collections: each would walk through all rows made so far.

    `hurry` when nobody is served yet: then only the collections are held back, all of them.
    """
    global _builders, _before  # noqa: PLW0603 - these are settings of the whole interpreter
    with _lock:
        _builders += 1
        if _builders == 1:
            _before = sys.getswitchinterval(), gc.get_threshold()
            young = _NEVER if hurry else _before[1][0]
            gc.set_threshold(young, _before[1][1], _NEVER)
        if not hurry:
            sys.setswitchinterval(min(_TURN, _before[0]))
    try:
        with nullcontext() if hurry else breathing():
            yield
    finally:
        with _lock:
            _builders -= 1
            if _builders == 0:
                sys.setswitchinterval(_before[0])
                gc.set_threshold(*_before[1])


def pieces(policy: Policy) -> list[list[object]]:
    """Take hold of everything large in a policy. Nothing is changed: somebody may still ask it."""
    compiled = getattr(policy.compiled, "inner", policy.compiled)
    made = getattr(compiled, "pieces", None)
    return [list(policy.rules.rules), list(policy.rules.memberships), *(map(list, made()) if made else ())]


def let_go(held: list[list[object]]) -> None:
    """Let the pieces of a policy go, a few at a time: all at once they would hold up everybody."""
    with gently():
        for some in held:
            while some:
                del some[-_FEW:]
                breathe()


def settle(rules: Rules) -> None:
    """Tell the garbage collector to leave a large policy alone: it has no cycles, and is let go by counting."""
    if rules.size >= _LARGE:
        gc.freeze()
