"""The decision: verify the token, judge every question by one snapshot, record, answer."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from authz_sidecar.errors import EngineError, NotReady, TokenError
from authz_sidecar.judge import judge
from authz_sidecar.model import Answer, Decision, Mode, Principal, Query, Reason, Server
from authz_sidecar.ports import Clock, DecisionLog, NewId, Policies, Policy, Shadow, TokenVerifier
from authz_sidecar.rules import ScopeHierarchy

_MOST_TOLD: Final = 10


class Decider:
    """Answers queries. The order verify, judge, record is not a setting."""

    def __init__(
        self,
        *,
        policies: Policies,
        verifier: TokenVerifier,
        log: DecisionLog,
        servers: Mapping[str, Server],
        new_id: NewId,
        scopes: ScopeHierarchy | None = None,
        shadow: Shadow | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Take the rooms; `servers` is by name. Without a clock, conditions on the time err."""
        self._policies = policies
        self._verifier = verifier
        self._log = log
        self._servers = servers
        self._new_id = new_id
        self._scopes = scopes or ScopeHierarchy()
        self._shadow = shadow
        self._clock = clock

    async def decide(self, query: Query) -> Answer:
        """Answer every question of the query.

        Raises `NotReady`, `LedgerFull` or `EngineError` when there is no answer; nobody may be let through then.
        """
        policy = self._policies.current  # INVARIANT: taken once, so that a swap in mid-query cannot mix revisions
        server = self._server(query.server)
        principal: Principal | None = None
        detail = ""
        now = self._clock() if self._clock is not None else None
        try:
            if server is None:
                decisions = _no(query, Reason.SERVER_UNKNOWN)
            else:
                principal = await self._verifier.verify(query.token, server)
                decisions = [
                    await judge(policy, principal, server, asked, self._scopes, context=query.context, now=now)
                    for asked in query.questions
                ]
                detail = _detail(decisions)
        except TokenError as error:
            decisions, detail = _no(query, error.reason), str(error)
        except (EngineError, NotReady) as error:
            decisions = _no(query, error.reason if isinstance(error, NotReady) else Reason.CONDITION_ERROR)
            self._log.record(query, self._answer(policy, server, query, principal, decisions), f"no answer: {error}")
            raise
        answer = self._answer(policy, server, query, principal, decisions)
        if self._shadow is not None and server is not None and principal is not None:
            shadow = await self._shadow.differs(
                principal, server, query.questions, answer.decisions, context=query.context, now=now
            )
            answer = replace(answer, shadow=shadow) if shadow is not None else answer
        self._log.record(query, answer, detail)
        return answer

    def _server(self, name: str) -> Server | None:
        if not name and len(self._servers) == 1:
            return next(iter(self._servers.values()))
        return self._servers.get(name)

    def _answer(
        self,
        policy: Policy,
        server: Server | None,
        query: Query,
        principal: Principal | None,
        decisions: list[Decision],
    ) -> Answer:
        return Answer(
            decisions=tuple(decisions),
            decision_id=self._new_id(),
            revision=policy.revision,
            server=query.server if server is None else server.name,
            mode=Mode.ENFORCE if server is None else server.mode,
            principal=principal,
        )


def _detail(decisions: list[Decision]) -> str:
    """Tell what could not be evaluated; in a batch each thing once, and not without end."""
    said = dict.fromkeys(decision.detail for decision in decisions if decision.detail)
    return "; ".join(list(said)[:_MOST_TOLD])


def _no(query: Query, reason: Reason) -> list[Decision]:
    return [Decision(allowed=False, reason=reason) for _ in query.questions]
