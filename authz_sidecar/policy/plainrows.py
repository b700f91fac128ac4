"""Reads the `p` rows that have nothing odd about them, which are most, in a fraction of the time."""

from collections.abc import Mapping
from typing import Final

from authz_sidecar.policy.cells import Columns
from authz_sidecar.policy.csvrows import Plain, Row
from authz_sidecar.policy.names import Misspelt
from authz_sidecar.policy.names import pattern as _pattern
from authz_sidecar.policy.names import subject as _subject
from authz_sidecar.policy.tables import tool as _tool
from authz_sidecar.rules import Effect, Rule

_WHOLE: Final = 6
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
    file, line, text, fields, until = row
    if type(fields) is not Plain:  # `isinstance` takes long for a kind of sequence
        return None
    texts = fields.texts()
    if len(texts) != _WHOLE or texts[0] != "p" or texts[5] not in _EFFECTS:
        return None
    _, subject, server, method, tool, effect = texts
    try:
        return Rule(
            subject=_subject(subject),
            server=_pattern(server),
            method=_pattern(method),
            tool=_tool(tool, method),
            effect=_EFFECTS[effect],
            source=file,
            line=line,
            text=text,
            until=until,
        )
    except Misspelt:
        return None
