"""Spells rows of the table `casbin_rule` as lines of JSON, and reads them back as rows of a policy."""

import json
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from authz_sidecar.policy.csvrows import Field, Row
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.until import moment
from authz_sidecar.strictjson import StrictJsonError, loads

ROWS: Final = "casbin_rule.jsonl"
"""What the rows of a database are called among the files of a policy."""
TABLE: Final = "casbin_rule"

_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")
_UNSEEN: Final = frozenset({"Cf", "Zl", "Zp", "Zs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A row as it stands in the table: `ptype`, `v0` and so on, as far as they are not null."""

    id: int
    values: tuple[str, ...]
    until: str = ""
    """When it ends, as in an `# until` line."""


def encode(rows: Iterable[Stored]) -> bytes:
    """Spell the rows, one a line."""
    return b"".join(
        json.dumps({"id": row.id, "until": row.until, "row": row.values}, ensure_ascii=False).encode() + b"\n"
        for row in rows
    )


def decode(data: bytes) -> list[Stored]:
    """Give the rows back; raises `ValueError` for what `encode` never wrote."""
    return [_decoded(line) for line in data.split(b"\n") if line]


def read_stored(data: bytes, found: Findings) -> list[Row]:
    """Give the rows that are sound, each at `casbin_rule:id N`, and report the others; never raises."""
    try:
        stored = decode(data)
    except ValueError as error:
        found.error(ROWS, 0, 0, "bad-rows", f"is not what a database gave: {error}")
        return []
    return [row for one in stored for row in _row(one, found)]


def place(number: int) -> str:
    """Name a row of the table, for messages."""
    return f"{TABLE}:id {number}"


def _decoded(line: bytes) -> Stored:
    try:
        value = loads(line)
    except StrictJsonError as error:
        raise ValueError(f"a line {error}") from None
    match value:
        case {"id": int(number), "until": str(until), "row": [*values], **others} if not others:
            texts = tuple(text for text in values if isinstance(text, str))
            if texts and len(texts) == len(values):
                return Stored(id=number, values=texts, until=until)
    raise ValueError("a line is no row")


def _row(one: Stored, found: Findings) -> list[Row]:
    file = place(one.id)
    before = len(found.problems)
    for text in one.values:
        # A file has the blanks stripped; here they stand in the value, where Casbin's adapter ignores them.
        if text != text.strip(" "):
            found.error(file, 0, 0, "blank-at-edge", f"{quote(text)} begins or ends with a blank")
        elif _CONTROL.search(text) or any(unicodedata.category(char) in _UNSEEN for char in text if char != " "):
            found.error(file, 0, 0, "invisible-character", f"{quote(text)} has a character that cannot be seen")
    until = moment(one.until) if one.until else None
    if one.until and until is None:
        found.error(file, 0, 0, "bad-until", f"{quote(one.until)} names no day, expected for example `2027-01-31`")
    if len(found.problems) > before:
        return []
    fields = tuple(Field(text, 0) for text in one.values)
    return [Row(file, 0, ", ".join(one.values), fields, until)]
