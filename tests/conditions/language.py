"""The language of conditions, for tests that evaluate; they are skipped where its library is not installed."""

import json
from collections.abc import Mapping

from authz_sidecar.conditions.cel import Cel
from authz_sidecar.errors import ConditionError
from authz_sidecar.facts import Facts
from authz_sidecar.ports import Known
from authz_sidecar.rules import Condition

CEL = Cel()
CALL = {"amount": 50, "currency": "EUR", "to": ["a@x.ch", "b@x.ch"], "deep": {"a": {"b": [1, 2, 3]}}, "none": None}
NOW = 1_772_355_600.0
"""2026-03-01T09:00:00Z, a Sunday."""


def read(text: str, **known: object) -> Condition:
    names = {"claims": frozenset({"tenant", "level", "tags"}), "context": frozenset({"ip"}), **known}
    return CEL.read(text, Known(**names)).condition  # type: ignore[arg-type] # by name


def facts(
    arguments: object = None, claims: Mapping[str, object] | None = None, context: Mapping[str, str] | None = None
) -> Facts:
    data = b"" if arguments is None else arguments if isinstance(arguments, bytes) else json.dumps(arguments).encode()
    return Facts(arguments=data, claims=claims or {}, context=context or {}, now=NOW)


def outcome(text: str, about: Facts) -> bool | str:
    """Give the answer, or why there is none."""
    try:
        return read(text).holds(about)
    except ConditionError as error:
        return str(error)
