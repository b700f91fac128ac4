"""Keeping for the log what was judged."""

from typing import Final

from mcp_adapter.gate import Ruling, Way
from mcp_adapter.record import ENDED, Entry

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


def ended(entry: Entry, last: Ruling) -> None:
    """Note why an answer that was open for long was ended by us."""
    entry.outcome, entry.reason, entry.rules = ENDED, last.reason, last.rules
    entry.detail = last.detail or last.message
    if last.answer is not None:
        entry.decision_id, entry.revision = last.answer.decision_id, last.answer.revision
