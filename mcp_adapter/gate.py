"""The one place that turns a token and what it asks for into what happens to the request."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from authz_sidecar.events import RuleLine
from mcp_adapter.pdp import LARGEST_BATCH, NO_CONTEXT, Answer, Decision, Fault, Item, Pdp, Unanswered

_ROUNDS: Final = 3
"""How often a list of several batches is judged anew when the policy is swapped in between."""


class Way(StrEnum):
    """What happens to a request."""

    BAD_REQUEST = "bad_request"
    CHALLENGE = "challenge"
    """The caller was not verified: 401."""
    FORBID = "forbid"
    """403, for good."""
    OBSERVE = "observe"
    """It would not have been let through, but the operator only watches."""
    PASS = "pass"  # noqa: S105 - not a password
    STEP_UP = "step_up"
    """403, and the scopes that would help."""
    NO_METHOD = "no_method"
    """The protocol version of the request has no such method, whoever asks."""
    UNANSWERED = "unanswered"
    """Nobody could say: 503."""
    UNKNOWN = "unknown"
    """What it names does not exist, or is somebody else's: both read alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What happens to a request, and why. It is true only when the request goes on."""

    way: Way
    reason: str
    message: str
    """May be shown to the caller."""
    scopes: tuple[str, ...] = ()
    answer: Answer | None = None
    detail: str = ""
    """For our log alone."""

    def __bool__(self) -> bool:
        """Answer for `if ruling:`."""
        return self.way in (Way.PASS, Way.OBSERVE)

    @property
    def rules(self) -> tuple[RuleLine, ...]:
        """Every rule that decided."""
        if self.answer is None:
            return ()
        return tuple(dict.fromkeys(rule for decision in self.answer.decisions for rule in decision.rules))


class Gate:
    """Asks about everything. Nothing passes without a yes, or the operator's word that a no is only to be watched."""

    def __init__(self, pdp: Pdp, server: str) -> None:
        """Take who answers, and the name of the server that is guarded."""
        self._pdp = pdp
        self._server = server

    async def judge(
        self, token: str, items: Sequence[Item], request_id: str, context: Mapping[str, str] = NO_CONTEXT
    ) -> Ruling:
        """Judge what a request asks for. An empty token is asked about too: the sidecar says whether it matters."""
        try:
            if len(items) == 1:
                answer = await self._pdp.check(
                    token, items[0], server=self._server, request_id=request_id, context=context
                )
            else:
                answer = await self._pdp.check_batch(
                    token, items, server=self._server, request_id=request_id, context=context
                )
        except Unanswered as error:
            way = Way.BAD_REQUEST if error.fault is Fault.INVALID else Way.UNANSWERED
            return Ruling(way=way, reason=error.fault, message=error.public, detail=str(error))
        return _rule(answer, len(items))

    async def sift(
        self, token: str, items: Sequence[Item], request_id: str, context: Mapping[str, str] = NO_CONTEXT
    ) -> tuple[bool, ...]:
        """Say of each item whether the caller may see it, all by one revision of the policy; raises `Unanswered`."""
        for _ in range(_ROUNDS):
            answers = [
                await self._batch(token, items[start : start + LARGEST_BATCH], request_id, context)
                for start in range(0, len(items), LARGEST_BATCH)
            ]
            if len({answer.revision for answer in answers}) <= 1:
                return tuple(answer.observe or bool(one) for answer in answers for one in answer.decisions)
        raise Unanswered(Fault.UNAVAILABLE, "the policy changes faster than a list can be judged")

    async def _batch(self, token: str, items: Sequence[Item], request_id: str, context: Mapping[str, str]) -> Answer:
        answer = await self._pdp.check_batch(token, items, server=self._server, request_id=request_id, context=context)
        if len(answer.decisions) != len(items):
            raise Unanswered(Fault.INTERNAL, f"{len(answer.decisions)} answers to {len(items)} items")
        return answer


def _rule(answer: Answer, asked: int) -> Ruling:
    if len(answer.decisions) != asked:
        detail = f"{len(answer.decisions)} answers to {asked} items"
        return Ruling(way=Way.UNANSWERED, reason=Fault.INTERNAL, message="no answer", detail=detail)
    denied = [decision for decision in answer.decisions if not decision]
    if not denied:
        first = answer.decisions[0]
        return Ruling(way=Way.PASS, reason=first.reason, message=first.message, answer=answer)
    # A no that no scope can mend is said first: a caller that steps up for nothing would ask for ever.
    worst = next((decision for decision in denied if decision.reason != "insufficient_scope"), denied[0])
    way = _way(worst)
    scopes = tuple(dict.fromkeys(scope for one in denied for scope in one.required_scopes))
    return Ruling(
        way=Way.OBSERVE if answer.observe else way,
        reason=worst.reason,
        message=worst.message or "not permitted",
        scopes=scopes if way is Way.STEP_UP else (),
        answer=answer,
    )


def _way(decision: Decision) -> Way:
    if decision.about_token:
        return Way.CHALLENGE
    return Way.STEP_UP if decision.reason == "insufficient_scope" else Way.FORBID
