"""Reads the `p` rows that have nothing odd about them, which are most, in a fraction of the time."""

from collections.abc import Mapping
from typing import Final

from authz_sidecar.policy import names, tables
from authz_sidecar.policy.cells import Columns
from authz_sidecar.policy.csvrows import Plain, Row
from authz_sidecar.rules import Effect, Rule

_EFFECTS: Final = {effect.value: effect for effect in Effect}


class LazyColumns(Columns):
    """Columns that are counted when somebody has a problem to report, and for most rows nobody has."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Take the files that the rows stand in."""
        super().__init__()
        self._files = files
        self._lines: dict[str, list[bytes]] = {}

    def __missing__(self, key: tuple[str, int]) -> tuple[int, ...]:
        """Count those of a plain row; others are counted when they are read."""
        file, line = key
        if file not in self._lines:
            self._lines[file] = self._files[file].split(b"\n")
        text = self._lines[file][line - 1].decode().removesuffix("\r")
        columns = self[key] = tuple(field.column for field in Plain(text))
        return columns


def plain_rule(row: Row) -> Rule | None:
    """Give the rule, or None when the row is no `p` row, has a condition, or has a problem that somebody must report.

    It promises what the careful reader of all rows would give.
    """
    fields = row.fields
    if type(fields) is not Plain:  # `isinstance` takes long for a kind of sequence
        return None
    texts = fields.texts()
    if len(texts) != 6 or texts[0] != "p":
        return None
    effect = _EFFECTS.get(texts[5])
    if effect is None:
        return None
    try:
        return Rule(
            subject=names.subject(texts[1]),
            server=names.pattern(texts[2]),
            method=names.pattern(texts[3]),
            tool=tables.tool(texts[4], texts[3]),
            effect=effect,
            source=row.file,
            line=row.line,
            text=row.text,
            until=row.until,
        )
    except names.Misspelt:
        return None
