"""Asks a policy what could be, or what surely is, where the facts that its conditions look at are not known."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from authz_sidecar.ports import CompiledPolicy
from authz_sidecar.rules import Condition, Rule, Verdict

Known = Callable[[Condition], bool | None]
"""Says whether a condition holds, or None where nobody knows."""


class Assumed:
    """Is a `CompiledPolicy` and holds one; it remembers the rows with a condition that it could not judge.

    What could be: such conditions count as true in allow rows and as false in deny rows; the other way round (`surely`)
    it is what is so in any case.
    """

    def __init__(self, compiled: CompiledPolicy, known: Known = lambda _: None, *, surely: bool = False) -> None:
        self._compiled: Final = compiled
        self._known: Final = known
        self._surely: Final = surely
        self.met: Final[dict[tuple[str, int], Rule]] = {}
        """Rows with a condition that spoke since this was last cleared, and that nobody knows to hold."""

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Find the rules as the policy does, and leave those that count; their conditions are taken off."""
        verdict = await self._compiled.judge(subjects, server, method, tool)
        if all(rule.when is None for rule in (*verdict.allows, *verdict.denies)):
            return verdict
        return Verdict(
            allows=tuple(replace(rule, when=None) for rule in verdict.allows if self._counts(rule, not self._surely)),
            denies=tuple(replace(rule, when=None) for rule in verdict.denies if self._counts(rule, self._surely)),
        )

    def _counts(self, rule: Rule, otherwise: bool) -> bool:
        if rule.when is None:
            return True
        known = self._known(rule.when)
        if known is None:
            self.met[rule.source, rule.line] = rule
            return otherwise
        return known
