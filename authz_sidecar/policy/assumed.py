"""Asks a policy what could be: conditions of allow rows count as true, those of deny rows as false, and are named."""

from dataclasses import replace
from typing import Final

from authz_sidecar.ports import CompiledPolicy
from authz_sidecar.rules import Rule, Verdict


class Assumed:
    """Is a `CompiledPolicy` and holds one; it remembers the rows with a condition that it has met."""

    def __init__(self, compiled: CompiledPolicy) -> None:
        self._compiled: Final = compiled
        self.met: Final[dict[tuple[str, int], Rule]] = {}
        """Rows with a condition that spoke since this was last cleared."""

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Find the rules as the policy does; a deny row with a condition is left out, an allow row loses it."""
        verdict = await self._compiled.judge(subjects, server, method, tool)
        for rule in (*verdict.allows, *verdict.denies):
            if rule.when is not None:
                self.met[rule.source, rule.line] = rule
        if not self.met:
            return verdict
        return Verdict(
            allows=tuple(rule if rule.when is None else replace(rule, when=None) for rule in verdict.allows),
            denies=tuple(rule for rule in verdict.denies if rule.when is None),
        )
