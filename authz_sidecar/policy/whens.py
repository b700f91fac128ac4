"""Reads the `when` of a row: the condition that must be true besides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from authz_sidecar.errors import ConditionFlaws, Flaw
from authz_sidecar.policy.csvrows import Field, Row
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.tools import Tools
from authz_sidecar.ports import ConditionLanguage, Known, Read
from authz_sidecar.rules import Condition, Pattern

_CALL: Final = Pattern("tools/call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What conditions are written in, and the names that they may use."""

    language: ConditionLanguage | None = None
    """None where there are none."""
    claims: frozenset[str] = frozenset()
    """The claims that any issuer lists for conditions."""
    context: frozenset[str] = frozenset()


NONE: Final = Conditions()


class Whens:
    """Reads the conditions of one policy; a text that stands in many rows is compiled once."""

    def __init__(self, conditions: Conditions, tools: Tools, found: Findings) -> None:
        """Take the recorded input schemas, and where to report."""
        self._conditions, self._found = conditions, found
        self._schemas: Final = tools.schemas
        self._offers: Final = tools.offers
        self._known: dict[str, Read] = {}

    def read(self, row: Row, index: int, server: Pattern, method: Pattern, tool: Pattern) -> Condition | None:
        """Give the condition in this field, or report it and give None."""
        field = row.fields[index]
        if self._conditions.language is None:
            # A condition that is ignored would make its allow row wider than its author meant.
            message = "conditions (`when`) are not available here, remove the row or the condition"
            self._found.error(row.file, row.line, field.column, "condition-not-available", message)
            return None
        known = Known(
            claims=self._conditions.claims,
            context=self._conditions.context,
            schemas=self._about(server, method, tool),
        )
        try:
            read = self._read(self._conditions.language, field.text, known)
        except ConditionFlaws as error:
            for flaw in error.flaws:
                self._found.error(row.file, row.line, _column(field, flaw), flaw.code, flaw.message)
            return None
        for flaw in read.warnings:
            self._found.warn(row.file, row.line, _column(field, flaw), flaw.code, flaw.message)
        return read.condition

    def _read(self, language: ConditionLanguage, text: str, known: Known) -> Read:
        if known.schemas is not None:
            return language.read(text, known)
        if text not in self._known:
            self._known[text] = language.read(text, known)
        return self._known[text]

    def _about(self, server: Pattern, method: Pattern, tool: Pattern) -> tuple[Mapping[str, object], ...] | None:
        """Give the input schemas of the tools that the row is about; None where one of them is not recorded."""
        if method != _CALL or server.prefix or (server.text, _CALL.text) not in self._offers:
            return None
        offered = self._offers[server.text, _CALL.text].names
        names = [name for name in offered if tool.matches(name)]
        found = [self._schemas.get((server.text, name)) for name in names]
        known = tuple(schema for schema in found if schema is not None)
        return known if known and len(known) == len(found) else None


def _column(field: Field, flaw: Flaw) -> int:
    """Find the character: behind a quote, each quote of the text stands twice."""
    if not field.quoted:
        return field.column + flaw.offset
    return field.column + 1 + flaw.offset + field.text.count('"', 0, flaw.offset)
