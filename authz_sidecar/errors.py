"""What can go wrong, sorted by whose fault it is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from authz_sidecar.model import Reason


class AuthzError(Exception):
    """`code` and `public` may reach a caller; `str(exc)` is for our logs only."""

    code: ClassVar[str] = "internal"
    public: str = "internal error"


# The caller's token: the answer is no.


class TokenError(AuthzError):
    """The token does not prove who is calling. `str(exc)` says what is wrong with it, without a byte of it."""

    code = "token"

    def __init__(self, reason: Reason, detail: str) -> None:
        """Take the reason for the answer and the detail for our log."""
        super().__init__(detail)
        self.reason = reason


# The request: whoever asked has to mend it.


class BadRequest(AuthzError):
    """The request is out of bounds; the message says which field, and may reach the caller."""

    code = "bad_request"

    def __init__(self, message: str) -> None:
        """Take what is wrong and what would be right."""
        super().__init__(message)
        self.public = message


# The policy's author: the edit is refused and the last good policy stays.


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake in a file: what is wrong, where, what to do. Lines and columns count from 1; 0 is the whole."""

    file: str
    line: int
    column: int
    code: str
    message: str

    def __str__(self) -> str:
        """Spell it as compilers do, so that editors can jump there."""
        if self.line and self.column:
            return f"{self.file}:{self.line}:{self.column}: {self.message}"
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


class PolicyProblems(AuthzError):
    """Everything that is wrong with a policy, all at once, in the order of the files."""

    code = "policy_refused"
    public = "the policy has problems"

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Take at least one problem."""
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(frozen=True, slots=True, order=True)
class Flaw:
    """One mistake in a condition; `offset` counts characters of the condition from 0."""

    offset: int
    code: str
    message: str


class ConditionFlaws(AuthzError):
    """Everything that is wrong with a condition. The loader turns it into problems of the file."""

    code = "condition_refused"
    public = "a condition has problems"

    def __init__(self, flaws: Iterable[Flaw]) -> None:
        """Take at least one flaw."""
        self.flaws = tuple(sorted(set(flaws)))
        super().__init__("\n".join(flaw.message for flaw in self.flaws))


# The operator: no start.


class ConfigError(AuthzError):
    """The configuration cannot be used; the message says where and what to do, a line for each problem."""

    code = "config"


# Ours: no answer.


class NotReady(AuthzError):
    """No policy is loaded yet, or the process is stopping."""

    code = "not_ready"
    public = "not ready: no policy is loaded"
    reason: ClassVar[Reason] = Reason.TOKEN_REVOKED
    """What stands in the log about a token that nobody could vouch for; the caller gets no answer at all."""


class IssuerUnavailable(NotReady):
    """The issuer of a token has to be asked about it and does not answer; nobody is let through meanwhile."""

    code = "issuer_unavailable"
    public = "the issuer of the token does not answer"
    reason = Reason.TOKEN_INACTIVE


class RevocationsUnknown(NotReady):
    """Something may have been revoked that we do not know of, and the operator wants no answer then."""

    code = "revocations_unknown"
    public = "revocations cannot be checked"


class RevocationUnsaved(AuthzError):
    """A revocation is in force, but it could not be written: a restart would lose it."""

    code = "revocation_unsaved"
    public = "the revocation is in force, but could not be written and would not outlive a restart; see the log"


class RevocationsFull(AuthzError):
    """No more revocations can be remembered, and none in force is ever dropped for another."""

    code = "revocations_full"
    public = "no more revocations can be kept; raise `[revocation] max_entries`"


class LedgerFull(AuthzError):
    """The decision cannot be recorded, and the operator wants no decision without a record."""

    code = "ledger_full"
    public = "the audit log cannot be written"


class ConditionError(AuthzError):
    """A condition could not be evaluated for this question: its deny row denies, its allow row grants nothing.

    `str(exc)` says what kind of thing went wrong, without a byte of the arguments or the token.
    """

    code = "condition"
    public = "not permitted"


class EngineError(AuthzError):
    """A policy engine failed or two disagree. Nobody is let through on it."""

    code = "engine"
    public = "the policy engine failed"
