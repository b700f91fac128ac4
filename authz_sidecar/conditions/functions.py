"""The functions that a condition may use: CEL's standard ones, less those that no argument can need."""

from typing import Final

_OF_ONE: Final = ("bool", "double", "duration", "dyn", "int", "size", "string", "timestamp", "type")
CALLS: Final = {"matches": 2} | dict.fromkeys(_OF_ONE, 1)
"""Functions and the number of their arguments."""

TYPES: Final = frozenset({"bool", "double", "int", "list", "map", "null_type", "string", "uint"})
"""Names that `type(…)` can be compared with."""

_OF_TIME: Final = (
    "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getFullYear", "getHours", "getMilliseconds",
    "getMinutes", "getMonth", "getSeconds",
)  # fmt: skip

METHODS: Final = {
    "size": (0, 0),
    "contains": (1, 1),
    "startsWith": (1, 1),
    "endsWith": (1, 1),
    "matches": (1, 1),
} | dict.fromkeys(_OF_TIME, (0, 1))
"""Methods, and the fewest and the most arguments behind their object."""

ON_TEXT: Final = frozenset({"contains", "endsWith", "matches", "startsWith"})
OF_TIME: Final = frozenset(_OF_TIME)
