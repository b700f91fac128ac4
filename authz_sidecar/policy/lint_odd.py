"""Lint: tools that are written like a list, or like the pattern of another language."""

import re
from collections.abc import Mapping
from typing import Final

from authz_sidecar.model import Server
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.parse import Parsed
from authz_sidecar.rules import Rule, ScopeRow

_CALL: Final = "tools/call"
_LISTED: Final = re.compile(r"[\s,;|?&+^$(){}\[\]]")
"""What lists and other patterns have, and tools' names should not (MCP 2025-11-25, Tools, Tool Names)."""


def check(parsed: Parsed, servers: Mapping[str, Server], found: Findings) -> None:
    """Report rows about tools that nobody calls so: as a deny or scope row, each leaves open what it was to guard."""
    rules = parsed.rules
    names = {rule.tool.text for rule in rules.rules} | {row.tool.text for row in rules.scopes}
    odd = {name for name in names if _LISTED.search(name) and "://" not in name}
    if not odd:
        return
    about: list[tuple[Rule | ScopeRow, int]] = [(rule, 4) for rule in rules.rules if rule.tool.text in odd]
    about += [(row, 2) for row in rules.scopes if row.tool.text in odd]
    for row, field in about:
        if (row.method.matches(_CALL) or row.method.matches("tools/list")) and not _offered(parsed, servers, row):
            message = (
                f"{quote(str(row.tool))} is the name of one tool: write a row for each of several, "
                "and a pattern with a `*` at its end alone"
            )
            found.warn(row.source, row.line, parsed.places[row.source, row.line][field], "odd-tool-name", message)


def _offered(parsed: Parsed, servers: Mapping[str, Server], row: Rule | ScopeRow) -> bool:
    """Say whether a server has a tool that is really called so, as recorded in tools.json."""
    offers = (parsed.tools.offer(name, _CALL) for name in servers if row.server.matches(name))
    return any(row.tool.matches(name) for offer in offers if offer is not None for name in offer.names)
