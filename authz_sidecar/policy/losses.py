"""Says whether an edit loses so much of a policy that a person has to confirm it."""

from dataclasses import dataclass

from authz_sidecar.rules import Rules


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
