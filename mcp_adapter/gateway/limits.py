"""Holds callers of one server to its limits, before anything is sent to it."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Protocol

from mcp_adapter import methods
from mcp_adapter.asgi_types import App, Receive, Scope, Send
from mcp_adapter.gateway.config import Limits
from mcp_adapter.gateway.tell import LIMITED, NOT_COUNTED, Trouble, passed, tell
from mcp_adapter.passed import Passed
from mcp_adapter.principal import SCOPE_KEY, Principal

_STREAMS: Final = frozenset({methods.SESSION_STREAM, "subscriptions/listen"})
Key = tuple[str, ...]


class NotCounted(Exception):
    """Nobody could say how often the caller has asked."""


class Rates(Protocol):
    """Counts."""

    async def hit(self, rate: str, key: Key) -> int:
        """Count once; give 0 when that is within the rate, else the seconds to wait; raises `NotCounted`."""
        ...

    async def close(self) -> None:
        """Let go of what is open."""
        ...


@dataclass(slots=True, kw_only=True)
class Limited:
    """An ASGI app round another: what is too much is answered by 429 and when to come back."""

    app: App
    server: str
    limits: Limits
    rates: Rates
    deny_uncounted: bool = True
    _running: Counter[Key] = field(default_factory=Counter)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request, who = passed(scope), _who(scope)
        slots = self._slots(request, who)
        if any(self._running[slot] >= most for slot, most in slots.items()):
            await tell(scope, send, _limited("too many requests at once", 1))
            return
        for slot in slots:
            self._running[slot] += 1
        try:
            if (trouble := await self._over(request, who)) is not None:
                await tell(scope, send, trouble)
            else:
                await self.app(scope, receive, send)
        finally:
            # INVARIANT: a slot that nobody holds leaves nothing behind, or callers could fill the memory.
            for slot in slots:
                self._running[slot] -= 1
                if not self._running[slot]:
                    del self._running[slot]

    def _slots(self, request: Passed, who: Key) -> dict[Key, int]:
        if request.method in _STREAMS:
            return {("stream", *who): self.limits.streams_per_principal}
        return {("all",): self.limits.concurrent, ("one", *who): self.limits.concurrent_per_principal}

    async def _over(self, request: Passed, who: Key) -> Trouble | None:
        """Count, the narrow limits first: what they refuse is not held against the wide ones."""
        narrow = self.limits.tools.get(request.tool, self.limits.per_tool) if request.tool else ()
        counted: list[tuple[str, Key]] = [
            *((rate, (self.server, *who, request.method, request.tool)) for rate in narrow),
            *((rate, (self.server, *who)) for rate in self.limits.per_principal),
        ]
        try:
            for rate, key in counted:
                if (wait := await self.rates.hit(rate, key)) > 0:
                    return _limited(f"more than {rate}", wait)
        except NotCounted as error:
            if self.deny_uncounted:
                message = "the requests cannot be counted at the moment"
                detail = f"limits: {error}"
                return Trouble(
                    status=503, code=NOT_COUNTED, message=message, detail=detail, outcome="unanswered", retry_after=1
                )
        return None


def _limited(why: str, wait: int) -> Trouble:
    return Trouble(status=429, code=LIMITED, message=f"too many requests: {why}", outcome="refused", retry_after=wait)


def _who(scope: Scope) -> Key:
    """Name the caller; all that nobody verified (in observe mode) are one."""
    principal = scope.get(SCOPE_KEY)
    if not isinstance(principal, Principal):
        return ("", "", "")
    return (principal.issuer, principal.subject, principal.client_id if not principal.subject else "")
