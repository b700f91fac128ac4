"""Keeping for the log what was judged."""

from typing import Final

from mcp_adapter.gate import Ruling, Way
from mcp_adapter.record import Entry

_OUTCOMES: Final = {
    Way.BAD_REQUEST: "refused",
    Way.OBSERVE: "observed",
    Way.PASS: "allowed",
    Way.UNANSWERED: "unanswered",
}


def remember(entry: Entry, ruling: Ruling) -> None:
    """Note who was judged, how, by which rules, and what became of the request by that."""
    entry.outcome = _OUTCOMES.get(ruling.way, "denied")
    entry.reason, entry.detail, entry.rules = ruling.reason, ruling.detail, ruling.rules
    if ruling.answer is not None:
        entry.decision_id, entry.revision = ruling.answer.decision_id, ruling.answer.revision
        entry.principal = ruling.answer.principal
