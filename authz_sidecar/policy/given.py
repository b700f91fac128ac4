"""Reads what an expectation takes as given besides the arguments: claims, context and the time."""

from datetime import datetime
from typing import Final

from authz_sidecar.policy.cells import cell
from authz_sidecar.policy.csvrows import Row
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.names import Misspelt
from authz_sidecar.rules import Given
from authz_sidecar.strictjson import StrictJsonError, loads

COLUMNS: Final = ("claims", "context", "now")
"""Further columns that the header may name, in any order."""


def read_given(row: Row, header: tuple[str, ...], found: Findings) -> Given | None:
    """Give what these columns say, or report what they cannot mean and give None."""
    claims = context = None
    now: float | None = None
    before = len(found.problems)
    for index, name in enumerate(header):
        match name:
            case "claims":
                claims = cell(row, index, object_of, found)
            case "context":
                context = cell(row, index, _texts, found)
            case "now":
                now = cell(row, index, _moment, found)
            case _:
                pass
    return Given(claims=claims or {}, context=context or {}, now=now) if len(found.problems) == before else None


def object_of(text: str) -> dict[str, object]:
    """Read a JSON object, or nothing. Raises `Misspelt`."""
    if not text:
        return {}
    try:
        value = loads(text.encode())
    except StrictJsonError as error:
        raise Misspelt("bad-json", f"this is not JSON: it {error}") from None
    if not isinstance(value, dict):
        raise Misspelt("bad-json", f"{quote(text)} is not a JSON object, expected `{{…}}` or nothing")
    return value


def _texts(text: str) -> dict[str, str]:
    found = object_of(text)
    for name, value in found.items():
        if not isinstance(value, str):
            raise Misspelt("bad-json", f"{quote(name)} is not a text; an enforcement point says texts only")
    return {name: str(value) for name, value in found.items()}


def _moment(text: str) -> float | None:
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise Misspelt("bad-time", f"{quote(text)} is no time with its zone, for example `2026-03-01T09:00:00Z`")
    return found.timestamp()
