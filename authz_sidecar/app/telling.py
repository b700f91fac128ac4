"""Tells the outcome of every policy load: to the operational log, the decision log, metrics and the gRPC door."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, Final, Protocol, assert_never

import structlog

from authz_sidecar import __version__
from authz_sidecar.app.latest import latest
from authz_sidecar.errors import NotReady, Problem
from authz_sidecar.events import SCHEMA_VERSION, AdminEvent
from authz_sidecar.model import Server
from authz_sidecar.policy.outcomes import Applied, NeedsConfirmation, Refused, Reminded, Told, Unchanged
from authz_sidecar.policy.store import PolicyStore
from authz_sidecar.server import reports

_MOST_LOGGED: Final = 50


class Counts(Protocol):
    """Counts the loads."""

    def reloaded(self, outcome: str) -> None:
        """Note what became of an edit."""
        ...


class Remembers(Protocol):
    """Writes admin events."""

    def admin(self, event: AdminEvent) -> None:
        """Take an event."""
        ...


class Telling:
    """Hears every outcome once."""

    def __init__(self, *, ledger: Remembers, counts: Counts) -> None:
        """Take who wants to know."""
        self._ledger = ledger
        self._counts = counts
        self._log = structlog.get_logger("authz_sidecar.policy")

    def __call__(self, outcome: Told) -> None:
        """Tell it."""
        match outcome:
            case Applied():
                self._warn(outcome.warnings)
                self._log.info("policy_live", revision=outcome.revision, previous=outcome.previous)
                self._say("applied", outcome.revision, outcome.previous)
            case Unchanged():
                self._log.info("policy_unchanged", revision=outcome.revision)
                self._say("unchanged", outcome.revision)
            case Refused():
                for problem in outcome.problems[:_MOST_LOGGED]:
                    self._log.error("policy_problem", at=_place(problem), code=problem.code, problem=problem.message)
                self._log.error("policy_refused", problems=len(outcome.problems), still_answering=outcome.revision)
                self._say("refused", outcome.revision, problems=outcome.problems)
            case NeedsConfirmation():
                for problem in outcome.problems:
                    self._log.error("policy_waits", at=_place(problem), problem=problem.message)
                self._say("confirmation_needed", outcome.revision, problems=outcome.problems)
            case Reminded():
                self._warn(outcome.warnings)
            case _:
                assert_never(outcome)

    def _warn(self, warnings: tuple[Problem, ...]) -> None:
        for warning in warnings[:_MOST_LOGGED]:
            self._log.warning("policy_warning", at=_place(warning), code=warning.code, warning=warning.message)

    def _say(
        self, outcome: str, revision: str | None, previous: str | None = None, *, problems: tuple[Problem, ...] = ()
    ) -> None:
        self._counts.reloaded(outcome)
        self._ledger.admin(
            AdminEvent(
                v=SCHEMA_VERSION,
                time="",
                action="reload",
                outcome=outcome,
                revision=revision or "",
                previous_revision=previous or "",
                problems=tuple(map(str, problems[:_MOST_LOGGED])),
            )
        )


def _place(problem: Problem) -> str:
    return ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part)


class Desk:
    """What the admin service asks: the state, and a reload."""

    def __init__(
        self,
        *,
        store: PolicyStore,
        epochs: Callable[[], AsyncIterator[int]],
        engine: str,
        servers: tuple[Server, ...],
        development: tuple[str, ...],
        shadow: PolicyStore | None = None,
        troubles: Callable[[], tuple[Problem, ...]] = tuple,
    ) -> None:
        """Take the store, what tells each revocation epoch and what is wrong elsewhere, and what never changes.

        `shadow` is the store of the policy that is tried out.
        """
        self._shadow = shadow
        self._troubles = troubles
        self._store = store
        self._epochs = epochs
        self._engine = engine
        self._servers = servers
        self._development = development
        self._started = time.time()

    async def status(self) -> reports.StatusReport:
        """Tell the state."""
        self._store.remind()
        now = self._store.status
        return reports.StatusReport(
            version=__version__,
            started_at=self._started,
            ready=now.revision is not None,
            engine=self._engine,
            servers=self._servers,
            revision=now.revision or "",
            loaded_at=now.loaded_at,
            origin=now.origin if now.revision else "",
            rules=now.rules,
            memberships=now.memberships,
            stale=now.stale,
            problems=now.problems,
            warnings=now.warnings + self._troubles(),
            development_issuers=self._development,
            confirmation_needed=now.confirmation_needed,
            shadow=self._tried_out(),
        )

    def _tried_out(self) -> reports.ShadowReport | None:
        if self._shadow is None:
            return None
        now = self._shadow.status
        return reports.ShadowReport(
            revision=now.revision or "",
            loaded_at=now.loaded_at,
            rules=now.rules,
            memberships=now.memberships,
            stale=now.stale,
            problems=now.problems,
        )

    async def reload(self, confirm: bool) -> reports.ReloadReport:
        """Read the files now."""
        outcome = await self._store.load(confirm=confirm)
        kinds: dict[type[Any], reports.Outcome] = {
            Applied: reports.Outcome.APPLIED,
            Unchanged: reports.Outcome.UNCHANGED,
            Refused: reports.Outcome.REFUSED,
            NeedsConfirmation: reports.Outcome.CONFIRMATION_NEEDED,
        }
        return reports.ReloadReport(
            outcome=kinds[type(outcome)],
            revision=outcome.revision or "",
            problems=() if isinstance(outcome, (Applied, Unchanged)) else outcome.problems,
            warnings=() if isinstance(outcome, Refused) else outcome.warnings,
        )

    async def changes(self) -> AsyncGenerator[reports.News, None]:
        """Tell the revision in force and the revocation epoch, now and at each change."""
        async with aclosing(latest(self._store.changes(), self._epochs())) as changes:
            async for state, epoch in changes:
                if state.revision is None:
                    raise NotReady("no policy is loaded")
                yield reports.News(revision=state.revision, revocation_epoch=epoch, stale=state.stale)
