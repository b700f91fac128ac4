"""How long a fetched page may be used without asking again (RFC 9111), within bounds of ours."""

import re
from collections.abc import Mapping
from typing import Final

SHORTEST: Final = 60.0
LONGEST: Final = 86_400.0
USUAL: Final = 600.0
"""Seconds, when the provider says nothing."""

_MAX_AGE: Final = re.compile(r'(?:^|[,\s])max-age="?(\d{1,12})"?(?=$|[,\s])')
_NEVER: Final = re.compile(r"(?:^|[,\s])no-(?:store|cache)(?=$|[,\s=])")


def lifetime(headers: Mapping[str, str]) -> float:
    """Give the seconds that are left: `max-age` less `Age`, never below 60 nor above 24 hours."""
    control = headers.get("cache-control", "").lower()
    if _NEVER.search(control):
        return SHORTEST
    stated = _MAX_AGE.search(control)
    seconds = float(stated[1]) if stated else USUAL
    age = headers.get("age", "").strip()
    if age.isascii() and age.isdecimal():
        seconds -= float(age[:12])
    return min(max(seconds, SHORTEST), LONGEST)
