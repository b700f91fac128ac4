"""A policy by a model that only Casbin can evaluate: it compares every row, and its own effect decides.

Casbin itself names one row at most. Here every row that matched is written down while it looks for a decision.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, Final, Protocol

from authz_sidecar.engines.membership import Names
from authz_sidecar.errors import EngineError
from authz_sidecar.rules import Effect, Foreign, Rules, Verdict

_INDETERMINATE: Final = 1  # casbin.effect.Effector.INDETERMINATE; this file does not import casbin


class Effector(Protocol):
    """Casbin's way from the effects of the matching rows to an answer."""

    def intermediate_effect(self, effects: set[int]) -> int:
        """Say whether the answer is known already."""
        ...

    def final_effect(self, effects: set[int]) -> int:
        """Give the answer."""
        ...


class Caller:
    """The names of a caller as one value. It equals each of them, and holds what they hold."""

    __hash__ = None  # type: ignore[assignment] # it equals many texts, so no hash would be right

    def __init__(self, subjects: frozenset[str], server: str, names: Names) -> None:
        """Take who asks, where."""
        self._subjects, self._server, self._names = subjects, server, names

    def __eq__(self, other: object) -> bool:
        """Compare for `r.sub == p.sub`: a caller with several names is each of them."""
        return other in self._subjects

    def holds(self, role: str, server: str | None) -> bool:
        """Say whether one of the names is the role or holds it on the server."""
        return role in self._names.of_caller(self._subjects, self._server if server is None else server)


class Rows(list[tuple[str, ...]]):
    """The rows as Casbin walks through them, with the place where it is."""

    at = -1

    def __iter__(self) -> Iterator[tuple[str, ...]]:
        """Walk, and keep the place."""
        for self.at in range(len(self)):  # noqa: B020 - the place is the point
            yield self[self.at]


class Witness:
    """An effector that writes down where Casbin is when a row has matched, and lets it go on to the last one."""

    def __init__(self, rows: Rows, effector: Effector) -> None:
        """Take the rows, and the effector that the model asks for."""
        self.matched: list[int] = []
        self._rows, self._effector = rows, effector

    def intermediate_effect(self, effects: set[int]) -> int:
        """Never stop: people want to see every row that decided."""
        self.matched.append(self._rows.at)
        return _INDETERMINATE

    def final_effect(self, effects: set[int]) -> int:
        """Leave the answer to Casbin."""
        return self._effector.final_effect(effects)


class ForeignPolicy:
    """A policy that Casbin reads row by row for every question, about 10 µs each, while nobody else is served."""

    def __init__(self, rules: Rules, foreign: Foreign, enforcer: Any) -> None:
        """Take the rows and an enforcer of the model, still empty."""
        self._rows: Final = [one.rule for one in foreign.rows]
        self._names: Final = Names(rules)
        self._enforcer: Final = enforcer
        policy = Rows(one.values for one in foreign.rows)
        self._enforcer.model["p"]["p"].policy = policy
        self._witness: Final = Witness(policy, enforcer.eft)
        self._enforcer.set_effector(self._witness)
        fields = {"sub": 0, "dom": 1, "server": 1, "act": 2, "method": 2, "obj": 3, "tool": 3}
        self._order: Final = [fields[token.removeprefix("r_")] for token in enforcer.model["r"]["r"].tokens]

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Give every row that Casbin finds to match, or raise `EngineError`."""
        await asyncio.sleep(0)  # a long batch lets other callers in between its questions
        if not self._rows:
            return Verdict()  # without rows Casbin runs the matcher on empty strings, and ("", "", "") is allowed
        asked = (Caller(subjects, server, self._names), server, method, tool)
        answer = self._ask([asked[place] for place in self._order])
        matched = [self._rows[place] for place in self._witness.matched]
        verdict = Verdict(
            allows=tuple(rule for rule in matched if rule.effect is Effect.ALLOW),
            denies=tuple(rule for rule in matched if rule.effect is Effect.DENY),
        )
        if answer is not bool(verdict):
            raise EngineError(f"casbin says {answer!r}, the rows that it matched say {bool(verdict)}")
        return verdict

    def _ask(self, asked: list[object]) -> object:
        if self._enforcer.enabled is not True:
            raise EngineError("the casbin enforcer is switched off and would say yes to everything")
        self._witness.matched.clear()
        try:
            return self._enforcer.enforce(*asked)
        except Exception as error:  # whatever a library throws, nobody is let through on it
            raise EngineError(f"casbin failed: {type(error).__name__}: {error}") from error
