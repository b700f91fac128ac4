"""Says whether an edit loses so much of a policy that a person has to confirm it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from authz_sidecar.rules import Rules

# A spreadsheet may put quotes round the line and commas behind it.
_END: Final = re.compile(rb'[ \t"]*#[ \t]*end[ \t",]*')
_TAIL: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many rows a policy has."""

    rules: int
    memberships: int
    scopes: int
    sources: frozenset[str] = frozenset()
    """The files in an engine's language that say something."""

    @classmethod
    def of(cls, rules: Rules) -> "Size":
        """Count the rows."""
        return cls(
            rules=rules.size,
            memberships=len(rules.memberships),
            scopes=len(rules.scopes),
            sources=frozenset(name for name, data in rules.sources.items() if data.strip()),
        )

    @property
    def rows(self) -> int:
        """Give the number of rows of `policy.csv`."""
        return self.rules + self.memberships


def loss(before: Size, after: Size) -> str:
    """Say what is lost, or nothing when the edit may go live unasked.

    A file that was cut short, emptied or deleted is well formed. Losing all p rows or more than half of the p and g
    rows needs a person; so does losing all scope rows, which opens what they guarded.
    """
    if before.rules and not after.rules:
        return f"all {before.rules} p rows would be lost"
    if 2 * after.rows < before.rows:
        return f"{before.rows - after.rows} of {before.rows} rows would be lost"
    if lost := sorted(before.sources - after.sources):
        return f"`{lost[0]}` would be lost, and what it forbids would open"
    if before.scopes and not after.scopes:
        return f"all {before.scopes} scope rows would be lost, and what they guard would open"
    return ""


def unended(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Give, by file, the last line of each CSV file whose last line has no line end."""
    last = {name: data.rpartition(b"\n")[2].strip() for name, data in files.items() if name.endswith(".csv")}
    return {name: line for name, line in last.items() if line and not line.startswith(b"#")}


def cut(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> str:
    """Say which file ends in the middle of a line of `before`, or nothing.

    Such a line may be sound and say more than the whole one: without its condition, with fewer scopes, for `role:a`
    and not `role:ab`.
    """
    for name, line in unended(after).items():
        known = [row.strip() for row in before.get(name, b"").split(b"\n")]
        if line not in known and any(row.startswith(line) for row in known):
            return f"the last line of `{name}` has no line end and is the beginning of one in force"
    return ""


def ended(files: Mapping[str, bytes]) -> frozenset[str]:
    """Give the CSV files whose last line is `# end`, as their authors promised."""
    return frozenset(name for name, data in files.items() if name.endswith(".csv") and _is_ended(data))


def _is_ended(data: bytes) -> bool:
    _, line_end, last = data[-_TAIL:].rstrip().rpartition(b"\n")
    return _END.fullmatch(last) is not None and (bool(line_end) or len(data) <= _TAIL)


def endless(before: frozenset[str], after: Mapping[str, bytes]) -> str:
    """Say which file ended with `# end` in force and no longer does, or nothing.

    A file that is cut between two lines is well formed and smaller; without the deny rows at its end, it opens.
    """
    lost = sorted(before & after.keys() - ended(after))
    if not lost:
        return ""
    return (
        f"`{lost[0]}` no longer ends with the line `# end` as it did: it was cut short, or rows stand below that line"
    )
