"""The reference engine: reads the rows from top to bottom, as a person would, and names every one that speaks.

It is the oracle: every other engine is held against it. What it says is what the policy means.
"""

from typing import Final

from authz_sidecar.engines.membership import Names
from authz_sidecar.rules import Effect, Rules, Verdict


class PlainPolicy:
    """A policy that is read anew for every question; the cost grows with the number of rows."""

    def __init__(self, rules: Rules) -> None:
        """Take the rows."""
        self._rules: Final = rules.rules
        self.names: Final = Names(rules)

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Give every row that speaks to this call by these subjects, in the order of the file."""
        return self.verdict(subjects, server, method, tool)

    def verdict(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Do the same without waiting."""
        callers = self.names.of_caller(subjects, server)
        tools = self.names.of_tool(tool) or (tool,)
        # Never cut short at the first deny: people want to see every row that decided.
        speaking = [
            rule
            for rule in self._rules
            if rule.server.matches(server)
            and rule.method.matches(method)
            and any(map(rule.tool.matches, tools))
            and any(map(rule.subject.matches, callers))
        ]
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
