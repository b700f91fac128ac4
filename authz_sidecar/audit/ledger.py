"""The decision log: every answer becomes an event, encoded once and given to a sink."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal

import msgspec
import structlog

from authz_sidecar.audit.digest import Digester
from authz_sidecar.audit.lane import Lane, kind_of
from authz_sidecar.audit.redact import redact, redacted
from authz_sidecar.audit.stamp import Stamp
from authz_sidecar.errors import LedgerFull
from authz_sidecar.events import (
    SCHEMA_VERSION,
    AdminEvent,
    DecisionEvent,
    Event,
    PriorActor,
    RuleLine,
    ShadowLine,
    Who,
    encode,
)
from authz_sidecar.linelog import LineSink, LogUnavailable
from authz_sidecar.model import Answer, Decision, Principal, Query, RuleRef, Shadowed
from authz_sidecar.ports import Clock

WhenFull = Literal["deny", "drop"]

_CALLERS: Final = 1_000
_SHARE: Final = 10
"""Strangers may have one part in so many of the lines that wait for the disk."""


class Ledger:
    """A `DecisionLog`. Used from one thread; what it cannot write is refused or counted, and said once it can."""

    def __init__(
        self,
        *,
        sink: LineSink,
        digest: Digester,
        clock: Clock,
        when_full: WhenFull = "deny",
        strangers: int = 50,
        written: Callable[[], int] | None = None,
        room: int = 10_000,
    ) -> None:
        """Take the sink and what to do when it is full.

        `strangers` is the number of failures of unverified callers that are written in full each second; `written`
        tells how many of our lines the sink has dealt with and `room` how many may wait there.
        """
        self.lines = 0
        self.dropped = 0
        """Events that were lost because the log could not take them, with `when_full = "drop"`."""
        self.refused = 0
        """Answers that were held back because the log could not take them, with `when_full = "deny"`."""
        self._sink = sink
        self._digest = digest
        self._clock = clock
        self._stamp = Stamp(clock)
        self._when_full = when_full
        self._written = written
        self._share = max(1, room // _SHARE)
        self._unsaid = 0
        self._callers: dict[int, tuple[Principal, Who]] = {}
        self._failing = False
        self._log = structlog.stdlib.get_logger("authz_sidecar.audit")
        self._lane = Lane(write=self._offer, roomy=self._has_room_for_strangers, full=strangers)

    def record(self, query: Query, answer: Answer, detail: str = "") -> None:
        """Take an answer, or raise `LedgerFull` when it cannot be written and `when_full` is `deny`.

        It never raises for a caller that was not verified: the answer is no in any case, and is counted.
        """
        if answer.principal is None:
            key = (answer.server, answer.decisions[0].reason.value if answer.decisions else "", kind_of(detail))
            self._lane.take(int(self._clock()), key, lambda: self._event(query, answer, detail))
        elif not self._offer(self._event(query, answer, detail)):
            self._unsaid += 1
            if self._when_full == "deny":
                self.refused += 1
                raise LedgerFull("the audit log does not take the decision")
            self.dropped += 1

    def admin(self, event: AdminEvent) -> None:
        """Take an admin event; an empty `time` becomes now. It never raises; what is lost is counted."""
        if not self._offer(event if event.time else msgspec.structs.replace(event, time=self._stamp())):
            self._unsaid += 1
            self.dropped += 1

    def tick(self) -> None:
        """Write what has waited; call it about once a second."""
        self._lane.turn(int(self._clock()))
        if self._unsaid:
            self._say()

    async def tend(self, every: float = 1.0) -> None:
        """Tick every so many seconds, for ever."""
        while True:
            await asyncio.sleep(every)
            self.tick()

    def close(self) -> None:
        """Write what has waited and close the sink."""
        self._lane.flush()
        if self._unsaid:
            self._say()
        if lost := self._unsaid + self._lane.heaped:
            self.dropped += self._lane.heaped
            self._log.error("audit_events_lost", events=lost)
        self._sink.close()

    @property
    def heaped(self) -> int:
        """How many failures of unverified callers wait to be written as one."""
        return self._lane.heaped

    def _offer(self, event: Event) -> bool:
        if self._unsaid and not self._say():
            return False
        return self._put(event)

    def _put(self, event: Event) -> bool:
        try:
            self._sink.put(encode(event))
        except LogUnavailable as error:
            if not self._failing:
                self._log.error("audit_log_unavailable", detail=str(error), when_full=self._when_full)
            self._failing = True
            return False
        if self._failing:
            self._log.info("audit_log_available")
        self._failing = False
        self.lines += 1
        return True

    def _say(self) -> bool:
        """Say, before the next line, how many are missing here."""
        outcome = "refused" if self._when_full == "deny" else "dropped"
        said = self._put(
            AdminEvent(
                v=SCHEMA_VERSION,
                time=self._stamp(),
                action="audit",
                outcome=outcome,
                detail=f"the log could not be written: {self._unsaid} events {outcome}",
            )
        )
        if said:
            self._unsaid = 0
        return said

    def _has_room_for_strangers(self) -> bool:
        return self._written is None or self.lines - self._written() < self._share

    def _event(self, query: Query, answer: Answer, detail: str) -> DecisionEvent:
        query = redacted(query)
        decisions, questions = answer.decisions, query.questions
        same_reason = len(decisions) == 1 or len({decision.reason for decision in decisions}) == 1
        same_method = len(questions) == 1 or len({question.method for question in questions}) == 1
        who = answer.principal
        return DecisionEvent(
            v=SCHEMA_VERSION,
            time=self._stamp(),
            decision_id=answer.decision_id,
            server=redact(answer.server, query.token.text),
            allowed=bool(answer),
            reason=decisions[0].reason.value if same_reason else "batch",
            mode=answer.mode.value,
            revision=answer.revision,
            method=questions[0].method if same_method else "",
            tool="" if query.batch else questions[0].tool,
            request_id=query.request_id,
            who=None if who is None else self._whose(who),
            rules=_rules(decisions),
            required_scopes=_scopes(decisions),
            token_digest=self._digest(query.token.text.encode(errors="surrogatepass")),
            arguments_digest=self._arguments(query),
            items=len(questions) if query.batch else 0,
            # Of a caller that was never verified every item is denied; the names would only be a stranger's text.
            denied=() if who is None or not query.batch else _denied(query, decisions),
            detail=detail,
            development=who is not None and who.development,
            context=dict(query.context),
            shadow=None if answer.shadow is None else _shadow(query, answer, answer.shadow),
        )

    def _whose(self, principal: Principal) -> Who:
        """Spell a caller, once for as long as the verifier remembers it."""
        found = self._callers.get(id(principal))
        # INVARIANT: an entry holds its principal, so that no other can have its identity.
        if found is None or found[0] is not principal:
            if len(self._callers) >= _CALLERS:
                self._callers.clear()
            found = self._callers[id(principal)] = principal, _who(principal)
        return found[1]

    def _arguments(self, query: Query) -> str:
        if query.batch:
            return self._digest.many(tuple(question.arguments for question in query.questions))
        return self._digest(query.questions[0].arguments)


def _who(principal: Principal) -> Who:
    return Who(
        issuer=principal.issuer,
        subject=principal.subject,
        client_id=principal.client_id,
        actor=principal.actor,
        subjects=principal.subjects,
        token_id=principal.token_id,
        scopes=tuple(sorted(principal.scopes)),
        chain=tuple(PriorActor(subject=one.subject, issuer=one.issuer) for one in principal.chain),
    )


def _shadow(query: Query, answer: Answer, shadow: Shadowed) -> ShadowLine:
    reasons = {decision.reason for decision in shadow.decisions}
    gained: list[str] = []
    lost: list[str] = []
    for asked, was, would in zip(query.questions, answer.decisions, shadow.decisions, strict=True):
        if query.batch and was.allowed != would.allowed:
            (gained if would.allowed else lost).append(f"{asked.method} {asked.tool}")
    return ShadowLine(
        revision=shadow.revision,
        allowed=all(shadow.decisions),
        reason=shadow.decisions[0].reason.value if len(reasons) == 1 else "batch",
        rules=_rules(shadow.decisions),
        gained=tuple(gained),
        lost=tuple(lost),
    )


def _rules(decisions: Sequence[Decision]) -> tuple[RuleLine, ...]:
    found: Iterable[RuleRef] = decisions[0].rules
    if len(decisions) > 1 or len(decisions[0].rules) > 1:
        found = dict.fromkeys(rule for decision in decisions for rule in decision.rules)
    return tuple(RuleLine(source=rule.source, line=rule.line, text=rule.text, allow=rule.allow) for rule in found)


def _scopes(decisions: tuple[Decision, ...]) -> tuple[str, ...]:
    if len(decisions) == 1:
        return decisions[0].required_scopes
    return tuple(sorted({scope for decision in decisions for scope in decision.required_scopes}))


def _denied(query: Query, decisions: tuple[Decision, ...]) -> tuple[str, ...]:
    asked = zip(query.questions, decisions, strict=True)
    return tuple(f"{question.method} {question.tool}" for question, decision in asked if not decision)
