"""The policy that is tried out beside the live one: its store, what tells of it, and what it may touch: nothing."""

import time
from collections.abc import Callable
from typing import Final, assert_never

import structlog

from authz_sidecar.app import study
from authz_sidecar.config import Config
from authz_sidecar.events import SCHEMA_VERSION, AdminEvent
from authz_sidecar.policy.outcomes import Applied, NeedsConfirmation, Outcome, Refused, Reminded, Told, Unchanged
from authz_sidecar.policy.shadow import ShadowPolicy
from authz_sidecar.policy.store import PolicyStore
from authz_sidecar.policy.watch import watch

_MOST_LOGGED: Final = 50

_log = structlog.get_logger("authz_sidecar.shadow")


class Shadowing:
    """Loads `[policy] shadow`, follows its edits, and answers beside the live policy."""

    def __init__(
        self, config: Config, *, admin: Callable[[AdminEvent], None], failed: Callable[[Exception], None]
    ) -> None:
        """Take where the policy lies; `admin` takes its reloads, `failed` counts the questions without an answer."""
        setting = study.setting_of(config, fast=True)
        self.store: Final = _Next(
            directory=config.at(config.policy.shadow),
            state_dir=config.state / "shadow",
            engine=setting.engine,
            servers=setting.servers,
            qualified_by=setting.qualified_by,
            claim_mapping=setting.claim_mapping,
            plain_subjects=setting.plain_subjects,
            conditions=setting.conditions,
            hierarchy=setting.hierarchy,
            carried=setting.carried,
            clock=time.time,
            tell=_Telling(admin),
        )
        self.policy: Final = ShadowPolicy(policies=self.store, hierarchy=setting.hierarchy, failed=_counted(failed))

    async def run(self) -> None:
        """Load it, then follow its edits for ever."""
        await self.store.load()
        await watch(self.store)


class _Next(PolicyStore):
    async def load(self, *, confirm: bool = False) -> Outcome:
        """Read the files; what loses most of its rows needs no person, for nothing is enforced by it."""
        del confirm
        return await super().load(confirm=True)


class _Telling:
    """Hears every outcome once."""

    def __init__(self, admin: Callable[[AdminEvent], None]) -> None:
        self._admin = admin

    def __call__(self, outcome: Told) -> None:
        match outcome:
            case Applied():
                _log.info("shadow_policy_tried", revision=outcome.revision, previous=outcome.previous)
                self._say("applied", outcome.revision)
            case Refused():
                for problem in outcome.problems[:_MOST_LOGGED]:
                    _log.error("shadow_policy_problem", code=problem.code, problem=str(problem))
                self._say("refused", outcome.revision or "", tuple(map(str, outcome.problems[:_MOST_LOGGED])))
            case Unchanged() | NeedsConfirmation() | Reminded():
                pass
            case _:
                assert_never(outcome)

    def _say(self, outcome: str, revision: str, problems: tuple[str, ...] = ()) -> None:
        self._admin(
            AdminEvent(
                v=SCHEMA_VERSION,
                time="",
                action="shadow_reload",
                outcome=outcome,
                revision=revision,
                problems=problems,
            )
        )


def _counted(failed: Callable[[Exception], None]) -> Callable[[Exception], None]:
    def tell(error: Exception) -> None:
        failed(error)
        _log.error("shadow_failed", error=type(error).__name__, detail=str(error))

    return tell
