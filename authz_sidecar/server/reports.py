"""What the door says about the policy, and the sources that it asks for it."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from authz_sidecar.errors import Problem
from authz_sidecar.model import Server
from authz_sidecar.revocation import Kept, Receipt
from authz_sidecar.server.revocations import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What an enforcement point needs to know when to ask again."""

    revision: str
    revocation_epoch: int = 0
    stale: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowReport:
    """The policy that is tried out; fields as in the wire contract, the time in seconds since the epoch."""

    revision: str = ""
    loaded_at: float | None = None
    rules: int = 0
    memberships: int = 0
    stale: bool = False
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """The state of the sidecar; fields as in the wire contract, times in seconds since the epoch."""

    version: str
    started_at: float
    ready: bool
    engine: str
    servers: tuple[Server, ...] = ()
    revision: str = ""
    loaded_at: float | None = None
    origin: str = ""
    rules: int = 0
    memberships: int = 0
    stale: bool = False
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    development_issuers: tuple[str, ...] = ()
    confirmation_needed: bool = False
    shadow: ShadowReport | None = None


class Outcome(StrEnum):
    """What became of an edit; on the wire each has the prefix `OUTCOME_`. Add, never rename."""

    APPLIED = "applied"
    CONFIRMATION_NEEDED = "confirmation_needed"
    REFUSED = "refused"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReloadReport:
    """What became of a reload."""

    outcome: Outcome
    revision: str = ""
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


class Admin(Protocol):
    """Looks after the running sidecar."""

    async def status(self) -> StatusReport:
        """Tell the state; it does not raise, also before the first policy."""
        ...

    async def reload(self, confirm: bool) -> ReloadReport:
        """Read the policy files now; a refused edit is a report, not an error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationsReport:
    """A page of the revocations in force."""

    kept: Sequence[Kept]
    epoch: int
    total: int
    stale: bool = False


class Revoking(Protocol):
    """Makes tokens count no longer."""

    async def revoke(self, order: Order) -> Receipt:
        """Revoke, and return when a restart cannot lose it; raises `BadRequest` and what `Revokes.revoke` raises."""
        ...

    def revocations(self, *, after: int, limit: int) -> RevocationsReport:
        """Give those in force with an epoch beyond `after`, the oldest first."""
        ...


class PolicyNews(Protocol):
    """Tells what changes."""

    def changes(self) -> AsyncGenerator[News, None]:
        """Give the current state at once, then again at each change; raises `NotReady` before the first policy."""
        ...
