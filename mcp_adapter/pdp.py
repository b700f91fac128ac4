"""What the adapter asks of a policy decision point, and what it hears back."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol, runtime_checkable

from authz_sidecar.events import RuleLine
from mcp_adapter.principal import Principal

LARGEST_BATCH: Final = 1000
"""Items of one CheckBatch, by the wire contract."""

NO_CONTEXT: Final[Mapping[str, str]] = MappingProxyType({})


class Fault(StrEnum):
    """Why there is no answer."""

    INTERNAL = "internal"
    INVALID = "invalid"
    """The question is out of bounds: whoever sent the request has to mend it."""
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"


class Unanswered(Exception):
    """The decision point could not answer: nobody is let through. `public` may reach the caller, `str(exc)` may not."""

    def __init__(self, fault: Fault, detail: str) -> None:
        """Take why, and the detail for our log."""
        super().__init__(f"{fault}: {detail}")
        self.fault: Final = fault
        self.public: Final = detail if fault is Fault.INVALID else "the authorization service did not answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is asked: may the caller do `method` on `tool`?"""

    method: str
    tool: str = ""
    arguments: bytes = b""
    """The arguments of the call as the very bytes that were received: a JSON object, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The answer on one item. It is true only when it allows."""

    allowed: bool
    reason: str
    """As in the decision log, for example `no_matching_rule`."""
    message: str = ""
    rules: tuple[RuleLine, ...] = ()
    required_scopes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Answer for `if decision:`; a plain dataclass would always be true."""
        return self.allowed

    @property
    def about_token(self) -> bool:
        """True when the caller was never verified."""
        return self.reason.startswith("token_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The decisions on one question, in the order of its items, by one policy revision."""

    decisions: tuple[Decision, ...]
    principal: Principal | None = None
    revision: str = ""
    decision_id: str = ""
    expires_at: float = 0.0
    """When the token ends, in seconds since the epoch; 0 when that is not known."""
    observe: bool = False
    """True when the operator wants a no to be logged and not enforced."""

    def __bool__(self) -> bool:
        """True when everything that was asked is allowed."""
        return bool(self.decisions) and all(self.decisions)


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What the decision point judges by now."""

    revision: str
    epoch: int = 0
    """Counts up when something is revoked."""


class Pdp(Protocol):
    """Answers. The promise of `SidecarClient`, for tests and for whoever embeds the decision.

    `context` is what the enforcement point vouches for, for conditions; it must not be dropped, or a row that denies
    by it would be silent.
    """

    async def check(
        self, token: str, item: Item, *, server: str, request_id: str, context: Mapping[str, str] = NO_CONTEXT
    ) -> Answer:
        """Ask about one item; raises `Unanswered` when there is no answer."""
        ...

    async def check_batch(
        self,
        token: str,
        items: Sequence[Item],
        *,
        server: str,
        request_id: str,
        context: Mapping[str, str] = NO_CONTEXT,
    ) -> Answer:
        """Ask about 1 to 1,000 items; the answer holds a decision for each, or `Unanswered` is raised."""
        ...

    async def close(self) -> None:
        """Let go of what the running loop holds open."""
        ...


@runtime_checkable
class Watched(Protocol):
    """A decision point that tells when to ask again."""

    def watch(self) -> AsyncGenerator[News, None]:
        """Tell what is in force now, and then each change; raises `Unanswered` when it can tell no more."""
        ...
