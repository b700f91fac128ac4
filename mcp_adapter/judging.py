"""Judges one request, by the era that it is of and the tasks that it names: one way, so that all doors agree."""

from collections.abc import Mapping
from dataclasses import replace

from mcp_adapter.asked import Asked
from mcp_adapter.gate import Gate, Ruling, Way
from mcp_adapter.pdp import NO_CONTEXT
from mcp_adapter.record import Entry
from mcp_adapter.tasks import Tasks


async def judge(
    gate: Gate, tasks: Tasks, asked: Asked, entry: Entry, context: Mapping[str, str] = NO_CONTEXT
) -> Ruling:
    """Ask about a request, for the first time or again, by the token of its event."""
    if asked.message is None:
        return await gate.judge(entry.token, asked.items, entry.request_id, context)
    if asked.gone:
        return _no_method(await gate.judge(entry.token, asked.items, entry.request_id, context))
    claim = tasks.claim(asked.message, asked.items)
    if claim.made:
        entry.tool = claim.items[-1].tool if len(claim.items) == 1 else ""
    ruling = claim.rule(await gate.judge(entry.token, claim.items, entry.request_id, context))
    unknown = ruling.way is Way.FORBID and ruling.reason == "method_unknown"
    # 2026-07-28, "Error Handling": an unknown method is 404. Before, that said that the session has ended.
    return _no_method(ruling) if unknown and asked.modern else ruling


def _no_method(ruling: Ruling) -> Ruling:
    """Say so to whoever was verified; what the ruling was does not matter."""
    if ruling.way is Way.CHALLENGE or ruling.answer is None or ruling.answer.principal is None:
        return ruling
    return replace(ruling, way=Way.NO_METHOD, reason="method_unknown", message="method not found", scopes=())
