"""Says how many random examples a test draws: a few in `make test`, many in `make test-thorough`."""

import os
from typing import Final

THOROUGH: Final = os.environ.get("EFFORT") == "thorough"
"""Whether to draw many; anything else is quick."""

_FEW: Final = 30
_MANY: Final = 100


def examples(number: int) -> int:
    """Give the examples of a test that is to have `number`: an eighth, but some; thoroughly all, and never few."""
    return max(number, _MANY) if THOROUGH else max(number // 8, _FEW)
