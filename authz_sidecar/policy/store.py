"""Holds the policy in force and swaps it for an edit as a whole, or not at all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from authz_sidecar.errors import NotReady, PolicyProblems, Problem
from authz_sidecar.model import Server
from authz_sidecar.policy import files
from authz_sidecar.policy.build import Built, Setting, build
from authz_sidecar.policy.ending import reminders
from authz_sidecar.policy.findings import bounded
from authz_sidecar.policy.gently import let_go, pieces
from authz_sidecar.policy.last_good import Copy, LastGood
from authz_sidecar.policy.lint import ANY_KIND
from authz_sidecar.policy.losses import Size, cut, ended, endless, loss, unended
from authz_sidecar.policy.outcomes import (
    Applied,
    NeedsConfirmation,
    Origin,
    Outcome,
    Refused,
    Reminded,
    StoreStatus,
    Told,
    Unchanged,
)
from authz_sidecar.policy.parse import POLICY
from authz_sidecar.policy.source import Directory, Source
from authz_sidecar.policy.whens import NONE, Conditions
from authz_sidecar.ports import Clock, Policy, PolicyEngine
from authz_sidecar.rules import Membership, Rule, ScopeHierarchy

_MOST_WARNINGS: Final = 100

LINTED: Final = 20_000
"""With more rules, linting would take at least as long as all the rest of a load."""


class PolicyStore:
    """Implements `ports.Policies` over a directory that people edit."""

    def __init__(
        self,
        *,
        directory: Path,
        state_dir: Path,
        engine: PolicyEngine,
        servers: Mapping[str, Server],
        qualified_by: frozenset[str] = frozenset(),
        claim_mapping: bytes = b"",
        plain_subjects: bool = False,
        hierarchy: ScopeHierarchy,
        carried: frozenset[str] = ANY_KIND,
        clock: Clock,
        tell: Callable[[Told], None],
        source: Source | None = None,
        conditions: Conditions = NONE,
    ) -> None:
        """Take what a policy is held against; `servers` is by name, `source` is the directory unless it is given.

        `tell` hears the outcome of every load; it must not raise.
        """
        self.source: Final[Source] = source or Directory(directory)
        self._setting = Setting(
            engine=engine,
            servers=servers,
            qualified_by=qualified_by,
            claim_mapping=claim_mapping,
            plain_subjects=plain_subjects,
            lints=LINTED,
            hierarchy=hierarchy,
            carried=carried,
            clock=clock,
            conditions=conditions,
        )
        self._last_good = LastGood(state_dir / "last-good", claim_mapping)
        self._clock = clock
        self._tell = tell
        self._lock = asyncio.Lock()  # INVARIANT: one load at a time, so that an older edit never follows a newer one
        self._policy: Policy | None = None
        self._digest = ""
        self._status = StoreStatus()
        self._changed = asyncio.Event()
        self._seen: files.Signature | None = None
        self._unread = False
        self._failures = 0
        self._ended: frozenset[str] = frozenset()
        self._ending: tuple[Rule | Membership, ...] = ()
        self._reminders: tuple[Problem, ...] = ()

    @property
    def current(self) -> Policy:
        """Give the snapshot in force; raises `NotReady` before the first one."""
        if self._policy is None:
            raise NotReady("no policy is loaded")
        return self._policy

    @property
    def status(self) -> StoreStatus:
        """Say what is in force, and what is wrong with the files."""
        return self._status

    @property
    def seen(self) -> files.Signature | None:
        """Give the signature that the files had just before they were last read."""
        return self._seen

    @property
    def unread(self) -> bool:
        """True when the files could not be had at the last load, which may mend itself without an edit."""
        return self._unread

    @property
    def failures(self) -> int:
        """Count the loads that ended in an error of ours."""
        return self._failures

    async def changes(self) -> AsyncIterator[StoreStatus]:
        """Yield the state at once and then at each change, for ever; a slow listener sees the newest only."""
        while True:
            changed = self._changed  # taken before the state: a change in between is not missed
            yield self._status
            await changed.wait()

    async def load(self, *, confirm: bool = False) -> Outcome:
        """Read the files and put them in force, or keep what is.

        `confirm` also takes an edit that loses most of the policy. A call that is cancelled changes nothing.
        """
        async with self._lock:
            self._seen = await asyncio.to_thread(self.source.signature)
            outcome = await self._load(confirm=confirm)
            self._tell(outcome)
            return outcome

    def fail(self, error: Exception) -> None:
        """Take note that a load broke on an error of ours; what is in force stays."""
        self._failures += 1
        problem = Problem(self.source.place, 0, 0, "internal", f"could not be loaded: {type(error).__name__}: {error}")
        self._publish(replace(self._status, stale=True, problems=(problem,)))
        self._tell(Refused(revision=self._status.revision, problems=(problem,)))

    def remind(self) -> None:
        """Tell what has ended since, or ends soon; decisions go by the clock and need no reminder."""
        known, fresh = self._reminders, self._due()
        if self._policy is None or known == fresh:
            return
        self._reminders = fresh
        loaded = self._status.warnings[: len(self._status.warnings) - len(known)]
        self._publish(replace(self._status, warnings=loaded + fresh))
        if news := tuple(found for found in fresh if found not in known):
            self._tell(Reminded(revision=self._policy.revision, warnings=news))

    async def _load(self, *, confirm: bool) -> Outcome:
        try:
            found = await asyncio.to_thread(self.source.read)
        except PolicyProblems as error:
            self._unread = True
            return await self._refuse(error.problems)
        self._unread = False
        digest = await asyncio.to_thread(files.digest, found)
        if self._policy is not None and digest == self._digest:
            return self._keep(self._policy)
        built = await build(found, self._setting, hurry=self._policy is None)
        if built.policy is None:
            return await self._refuse(built.problems)
        if not confirm:
            lost = await self._loss(found, built)
            if lost:
                return self._ask(built, lost)
        return await self._apply(found, digest, built, built.policy)

    async def _loss(self, found: Mapping[str, bytes], built: Built) -> str:
        """Measure the edit against what is in force, or at a start against what was."""
        if self._policy is not None:
            lost = loss(Size.of(self._policy.rules), Size.of(built.rules)) or endless(self._ended, found)
            if lost or not unended(found):
                return lost
        try:
            copy = await asyncio.to_thread(self._last_good.load)
        except PolicyProblems:
            return ""  # a copy that cannot be trusted measures nothing
        if copy is None or copy.revision == built.revision:
            return ""
        if self._policy is not None:
            return cut(copy.files, found)
        before = await build(copy.files, self._setting)
        lost = loss(Size.of(before.rules), Size.of(built.rules)) or endless(ended(copy.files), found)
        lost = lost or cut(copy.files, found)
        if lost and before.policy is not None:
            self._recover(copy, before, before.policy)
        return lost

    async def _apply(self, found: Mapping[str, bytes], digest: str, built: Built, policy: Policy) -> Outcome:
        warnings = bounded(built.warnings, _MOST_WARNINGS)
        try:
            await asyncio.to_thread(self._last_good.save, found)
        except OSError as error:
            message = f"the last good policy could not be kept: {(error.strerror or str(error)).lower()}"
            warnings += (Problem(str(self._last_good.directory), 0, 0, "last-good", message),)
        previous = self._status.revision
        old = [] if self._policy is None else await asyncio.to_thread(pieces, self._policy)
        # INVARIANT: from here on nothing waits: policy, state and word of it change together.
        status = self._swap(policy, digest, Origin.FILES, built.ends)
        self._ended = ended(found)
        asyncio.get_running_loop().run_in_executor(None, let_go, old)
        warnings += self._reminders
        self._publish(replace(status, stale=False, problems=(), warnings=warnings, confirmation_needed=False))
        if previous == policy.revision:
            return Unchanged(revision=policy.revision, warnings=warnings)
        return Applied(revision=policy.revision, previous=previous, warnings=warnings)

    def _keep(self, policy: Policy) -> Outcome:
        status = replace(self._status, origin=Origin.FILES, stale=False, problems=(), confirmation_needed=False)
        self._publish(status)
        return Unchanged(revision=policy.revision, warnings=status.warnings)

    def _ask(self, built: Built, lost: str) -> Outcome:
        message = f"{lost}, confirm with `authz-sidecar policy reload --confirm` if this is meant"
        problem = Problem(POLICY, 0, 0, "confirmation-needed", message)
        self._publish(replace(self._status, stale=True, problems=(problem,), confirmation_needed=True))
        return NeedsConfirmation(
            revision=self._status.revision,
            candidate=built.revision,
            problems=(problem,),
            warnings=bounded(built.warnings, _MOST_WARNINGS),
        )

    async def _refuse(self, problems: tuple[Problem, ...]) -> Outcome:
        if self._policy is None:
            problems += await self._fall_back()
        self._publish(replace(self._status, stale=True, problems=problems, confirmation_needed=False))
        return Refused(revision=self._status.revision, problems=problems)

    async def _fall_back(self) -> tuple[Problem, ...]:
        """Put the last good policy in force where there is one, or say why it cannot be."""
        try:
            copy = await asyncio.to_thread(self._last_good.load)
        except PolicyProblems as error:
            return error.problems
        if copy is None:
            return ()
        before = await build(copy.files, self._setting)
        if before.policy is None:  # the configuration has changed since
            return tuple(replace(found, file=f"last-good/{found.file}") for found in before.problems)
        self._recover(copy, before, before.policy)
        return ()

    def _recover(self, copy: Copy, before: Built, policy: Policy) -> None:
        status = self._swap(policy, files.digest(copy.files), Origin.LAST_GOOD, before.ends)
        self._ended = ended(copy.files)
        warnings = bounded(before.warnings, _MOST_WARNINGS) + self._reminders
        self._publish(replace(status, stale=True, warnings=warnings))

    def _swap(self, policy: Policy, digest: str, origin: Origin, ends: tuple[Rule | Membership, ...]) -> StoreStatus:
        """Put a policy in force, and give the state that goes with it."""
        same = policy.revision == self._status.revision
        self._policy, self._digest = policy, digest
        self._ending = ends
        self._reminders = self._due()
        return replace(
            self._status,
            revision=policy.revision,
            loaded_at=self._status.loaded_at if same else self._clock(),
            origin=origin,
            rules=policy.rules.size,
            memberships=len(policy.rules.memberships),
        )

    def _due(self) -> tuple[Problem, ...]:
        return reminders(self._ending, self._clock()) if self._ending else ()

    def _publish(self, status: StoreStatus) -> None:
        if status != self._status:
            self._status = status
            waiting, self._changed = self._changed, asyncio.Event()
            waiting.set()
