"""The reference engine: reads the rows from top to bottom, as a person would, and names every one that speaks.

It is the oracle: every other engine is held against it. What it says is what the policy means.
"""

from typing import Final

from authz_sidecar.engines.membership import close
from authz_sidecar.rules import Effect, Rule, Rules, Verdict


class PlainPolicy:
    """A policy that is read anew for every question; the cost grows with the number of rows."""

    def __init__(self, rules: Rules) -> None:
        """Take the rows."""
        self._rules: Final = rules.rules
        self.closure: Final = close(rules.memberships)

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Give every row that speaks to this call by these subjects, in the order of the file."""
        return self.verdict(subjects, server, method, tool)

    def verdict(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Do the same without waiting."""
        names = self.closure.held(subjects)
        # Never cut short at the first deny: people want to see every row that decided.
        speaking = [rule for rule in self._rules if rule.speaks_to(server, method, tool) and _is_about(rule, names)]
        return Verdict(
            allows=tuple(rule for rule in speaking if rule.effect is Effect.ALLOW),
            denies=tuple(rule for rule in speaking if rule.effect is Effect.DENY),
        )


class PlainEngine:
    """Compiles nothing."""

    name: Final = "plain"

    def compile(self, rules: Rules) -> PlainPolicy:
        """Keep the rows as they are."""
        return PlainPolicy(rules)


def _is_about(rule: Rule, names: frozenset[str]) -> bool:
    return any(rule.subject.matches(name) for name in names)
