"""Prices a regular expression: how many states the matcher may have to keep for every byte.

RE2 is linear in the text, but the constant is the size of the expanded expression: `([ab]?){1000}` takes 16 µs a byte.
"""

import re
from typing import Final

from authz_sidecar.conditions.flaws import Misread

LONGEST: Final = 256
HEAVIEST: Final = 400

_ITEM: Final = re.compile(
    r"\\[pP]|\\.|\[\^?\]?(?:\[:\^?[a-z]+:\]|\\.|[^\]\\])*\]|\{(\d*)(?:,(\d*))?\}|\((?:\?(?:P?<\w+>|[imsU-]*:?))?|[)|*+?.]|[^\\]",
    re.DOTALL,
)
_UNPRICED: Final = ("\\p", "\\P", "\\Q", "\\C")
_WIDE: Final = ("\\W", "\\D", "\\S", ".")
_BEYOND: Final = re.compile(r"\\[xPpDSW]|:\^")
_FOLDED: Final = re.compile(r"\(\?[a-zA-Z]*i")
_FOLDED_WEIGHT: Final = 4
_WIDE_WEIGHT: Final = 8  # states of one character of any length in UTF-8


def weight(pattern: str, at: int) -> int:
    """Give the number of states, or raise `Misread`; what RE2 itself refuses is not looked for."""
    if len(pattern) > LONGEST:
        raise Misread(at, "pattern-too-long", f"a pattern of {len(pattern)} characters, at most {LONGEST}")
    # Without case, `k` and `s` have a third form, beyond ASCII.
    folded = _FOLDED_WEIGHT if _FOLDED.search(pattern) else 1
    groups = [0]
    last = 0
    for found in _ITEM.finditer(pattern):
        item = found[0]
        if item in _UNPRICED:
            message = f"`{item}` cannot be priced, write the characters that are meant"
            raise Misread(at, "pattern-too-heavy", message)
        if item.startswith("("):
            groups.append(0)
            last = 0
            continue
        if item == ")":
            last = groups.pop() if len(groups) > 1 else 0
            groups[-1] += last
            continue
        times = _times(found)
        if times:
            groups[-1] += last * (times - 1)
            last *= times
        else:
            last = _own(item) * folded
            groups[-1] += last
        if sum(groups) > HEAVIEST:
            message = f"this pattern expands to more than {HEAVIEST} states, repeat less"
            raise Misread(at, "pattern-too-heavy", message)
    return max(sum(groups), 1)


def _times(found: re.Match[str]) -> int:
    """Give how often a counted repetition repeats at most; 0 for anything else."""
    if not found[0].startswith("{") or not found[1]:
        return 0
    return max(int(found[1]), int(found[2] or 0), 1) + (1 if found[2] == "" else 0)


def _own(item: str) -> int:
    if item in ("*", "+", "?", "|"):
        return 1
    if item in _WIDE:
        return _WIDE_WEIGHT
    if item.startswith("[") and len(item) > 2:
        # A class of plain characters is one state; one that reaches beyond ASCII is several for each length.
        plain = item.isascii() and not item.startswith("[^") and not _BEYOND.search(item)
        return 1 if plain else 2 * _WIDE_WEIGHT
    return 1 if item.isascii() else 4
