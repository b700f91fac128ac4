"""Tries a policy out beside the one in force: the same callers, the same questions, never enforced."""

from collections.abc import Callable, Mapping

from authz_sidecar.errors import NotReady
from authz_sidecar.judge import judge
from authz_sidecar.model import NOTHING, Decision, Principal, Question, Server, Shadowed
from authz_sidecar.ports import Policies
from authz_sidecar.rules import ScopeHierarchy


class ShadowPolicy:
    """Implements `ports.Shadow`."""

    def __init__(self, *, policies: Policies, hierarchy: ScopeHierarchy, failed: Callable[[Exception], None]) -> None:
        """Take the policies that are tried out; `failed` hears why a question had no answer, and must not raise."""
        self._policies = policies
        self._hierarchy = hierarchy
        self._failed = failed

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
        """Give its answers where one of them is another one, else None; never raises."""
        try:
            policy = self._policies.current
            found = [
                await judge(policy, principal, server, asked, self._hierarchy, context=context, now=now)
                for asked in questions
            ]
        except NotReady:
            return None  # not loaded: its own status tells why
        except Exception as error:  # noqa: BLE001 - a policy that is only tried out must not touch the answer in force
            self._failed(error)
            return None
        answers = zip(decisions, found, strict=True)
        if all(was.allowed == would.allowed and was.reason == would.reason for was, would in answers):
            return None
        return Shadowed(revision=policy.revision, decisions=tuple(found))
