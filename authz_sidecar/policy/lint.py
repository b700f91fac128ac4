"""Lint: what is legal in a policy but surely not meant; each warning has a stable code."""

from collections.abc import Mapping
from typing import Final

from authz_sidecar.model import Server
from authz_sidecar.policy import lint_groups, lint_names, lint_odd, lint_reach, lint_roles, lint_shadows
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.holding import Holding
from authz_sidecar.policy.parse import Parsed

CODES: Final[Mapping[str, str]] = {
    "allows-everybody": "An allow row gives everything to everybody.",
    "condition-not-available": "A condition stands in a policy whose conditions are not available.",
    "differs-by-case": "Two names differ only by upper and lower case, and are two names.",
    "duplicate-row": "A row says what another one says.",
    "empty-policy": "The policy has no p rows and denies everything.",
    "idle-group": "Tools are put into a group that no p row is about.",
    "idle-role": "A role is given to members, but no row says what it may do.",
    "mixed-alphabets": "A word of a name has letters of two alphabets that look alike.",
    "model-not-compiled": "The model is one that only Casbin reads, and it costs more with every row.",
    "never-matches": "A row can never match a call.",
    "no-line-end": "The last line has no line end; the file may be cut short.",
    "not-linted": "The policy is too large to be linted at every load.",
    "odd-tool-name": "A row names a tool as no tool should be called; a list or another pattern was meant.",
    "redundant-deny": "A broader deny row covers this one.",
    "scope-never-applies": "A scope row guards what no row allows.",
    "scope-on-list": "A scope row guards a list, which is shown whatever the scopes.",
    "shadowed-by-allow": "A broader allow row covers this one.",
    "shadowed-by-deny": "A deny row covers this allow row, which can never allow anything.",
    "unheld-role": "Nobody can have the role that a row is about.",
    "unknown-method": "A row names a method that no server has.",
    "unknown-server": "A row names a server that is not configured.",
    "unknown-tool": "A row names something that no server offers, as recorded in tools.json.",
}
"""What each warning means; errors of the loader have codes of their own."""

ANY_KIND: Final = frozenset({"user:", "role:", "group:", "client:", "agent:"})


def lint(parsed: Parsed, servers: Mapping[str, Server], carried: frozenset[str], found: Findings) -> None:
    """Look for what is surely not meant; the cost grows with the rows, not with their square.

    `servers` is by name, `carried` are the kinds of names that a token can carry (`user:`, `role:` …).
    """
    holding, grouping = Holding(parsed.rules.memberships), Holding(parsed.rules.tool_groups)
    always = Holding(row for row in parsed.rules.memberships if row.until is None)  # one that ends makes no row idle
    lint_shadows.check(parsed, always, grouping, found)
    lint_reach.check(parsed, servers, grouping, found)
    lint_roles.check(parsed, holding, carried, found)
    lint_groups.check(parsed, grouping, found)
    lint_names.check(parsed, found)
    lint_odd.check(parsed, servers, found)
