"""The sockets of the house: what the decision needs from the rooms, and what each promises."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from authz_sidecar.errors import Flaw
from authz_sidecar.model import (
    NOTHING,
    Answer,
    Decision,
    Principal,
    Query,
    Question,
    RawToken,
    Revision,
    Server,
    Shadowed,
)
from authz_sidecar.revocation import Receipt, Revocation
from authz_sidecar.rules import Condition, Rules, Verdict

Clock = Callable[[], float]
"""Seconds since the epoch."""

NewId = Callable[[], str]
"""A name that is never given twice."""


class TokenVerifier(Protocol):
    """Knows the issuers and their keys."""

    async def verify(self, token: RawToken, server: Server) -> Principal:
        """Prove who is calling this server, or raise `TokenError` with the reason; it never returns on doubt."""
        ...


class Revokes(Protocol):
    """Makes tokens count no longer; the authorization server is given one."""

    async def revoke(self, entry: Revocation) -> Receipt:
        """Revoke, from the next question on, and return when it is written.

        Raises `RevocationsFull`, or `RevocationUnsaved` when it is in force but would not outlive a restart.
        """
        ...


class RevocationCheck(Protocol):
    """Knows what was revoked."""

    def check(self, principal: Principal) -> None:
        """Return when the token of this caller counts; it never waits.

        Raises `TokenError` when it was revoked, and `NotReady` when that cannot be said.
        """
        ...


class CompiledPolicy(Protocol):
    """An immutable policy that answers; it is born and dies with its revision."""

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Find every rule that speaks to this call by these subjects and all roles that they hold.

        Membership is followed to any depth. The search is never cut short: a person wants to see every rule that
        decided. Raises `EngineError` when the answer is not certain.
        """
        ...


class PolicyEngine(Protocol):
    """Turns checked rows into something that answers.

    An engine that also reads `Rules.foreign` says so by an attribute `foreign = True`; others never get such rules.
    One that reads files of its own from `engine.d` says how their names end: `files = (".cedar",)`.
    """

    @property
    def name(self) -> str:
        """What the configuration calls this engine."""
        ...

    def compile(self, rules: Rules) -> CompiledPolicy:
        """Compile, or raise `PolicyProblems` when this engine cannot mean what the rows say."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The names that can exist in the conditions of a row; any other is a mistake."""

    claims: frozenset[str] = frozenset()
    context: frozenset[str] = frozenset()
    schemas: tuple[Mapping[str, object], ...] | None = None
    """The input schemas of all tools that the row is about; None where not all are known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A compiled condition, and what is legal in it but surely not meant."""

    condition: Condition
    warnings: tuple[Flaw, ...] = ()


class ConditionLanguage(Protocol):
    """Compiles what stands in the `when` column."""

    def read(self, text: str, known: Known) -> Read:
        """Compile a condition whose cost is bounded and whose names can exist, or raise `ConditionFlaws`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A snapshot: rows, what answers by them, and the name of both."""

    revision: Revision
    rules: Rules
    compiled: CompiledPolicy


class Policies(Protocol):
    """Holds the policy in force."""

    @property
    def current(self) -> Policy:
        """Give the snapshot in force; raises `NotReady` before the first one."""
        ...


class Shadow(Protocol):
    """A policy that is tried out beside the one in force."""

    async def differs(
        self,
        principal: Principal,
        server: Server,
        questions: tuple[Question, ...],
        decisions: tuple[Decision, ...],
        *,
        context: Mapping[str, str] = NOTHING,
        now: float | None = None,
    ) -> Shadowed | None:
        """Give its answers to the same questions of the same caller, or None when they are alike or there are none.

        It never raises: what fails here is told elsewhere, and the answer in force goes out as it is.
        """
        ...


class DecisionLog(Protocol):
    """Remembers every answer."""

    def record(self, query: Query, answer: Answer, detail: str = "") -> None:
        """Take an answer for the log, or raise `LedgerFull` when there is no room and the answer may not go out.

        `detail` says what was wrong with a token or an engine; it is for us and never holds a secret.
        """
        ...
