"""Lint: groups of tools that no row is about."""

from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.holding import Holding
from authz_sidecar.policy.lint_roles import Hints
from authz_sidecar.policy.parse import Parsed


def check(parsed: Parsed, grouping: Holding, found: Findings) -> None:
    """Report each group once, at the first g2 row that puts something into it."""
    if not parsed.rules.tool_groups:
        return
    tools = [rule.tool for rule in parsed.rules.rules]
    literals = {tool.text for tool in tools if not tool.prefix}
    beginnings = tuple({tool.text for tool in tools if tool.prefix})
    hint = Hints(literals)
    told: set[str] = set()
    for row in parsed.rules.tool_groups:
        groups = grouping.held(row.role)
        if row.role in told or not groups.isdisjoint(literals):
            continue
        if beginnings and any(name.startswith(beginnings) for name in groups):
            continue
        told.add(row.role)
        message = f"no p row is about the group {quote(row.role)}{hint(row.role)}"
        found.warn(row.source, row.line, parsed.places[row.source, row.line][2], "idle-group", message)
