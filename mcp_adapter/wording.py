"""Words a question for the wire, and reads what comes back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from authz_sidecar.events import RuleLine
from authz_sidecar.wire import authz_pb2 as wire
from mcp_adapter.pdp import NO_CONTEXT, Answer, Decision, Item
from mcp_adapter.principal import Principal


def question(
    token: str, item: Item, *, server: str, request_id: str, context: Mapping[str, str] = NO_CONTEXT
) -> wire.CheckRequest:
    """Word one question."""
    return wire.CheckRequest(
        token=token,
        method=item.method,
        tool=item.tool,
        server=server,
        arguments_json=item.arguments,
        request_id=request_id,
        context=context,
    )


def questions(
    token: str, items: Sequence[Item], *, server: str, request_id: str, context: Mapping[str, str] = NO_CONTEXT
) -> wire.CheckBatchRequest:
    """Word questions that are answered together."""
    asked = [wire.CheckBatchItem(method=i.method, tool=i.tool, arguments_json=i.arguments) for i in items]
    return wire.CheckBatchRequest(token=token, server=server, items=asked, request_id=request_id, context=context)


def answer(head: Any, results: Iterable[Any]) -> Answer:  # the generated messages are untyped
    """Read the answers; `head` holds what they share."""
    return Answer(
        decisions=tuple(map(_decision, results)),
        principal=_principal(head.principal) if head.HasField("principal") else None,
        revision=head.policy_revision,
        decision_id=head.decision_id,
        expires_at=head.token_expires_at.seconds + head.token_expires_at.nanos / 1e9,
        observe=head.mode == wire.MODE_OBSERVE,
    )


def _decision(result: Any) -> Decision:
    return Decision(
        allowed=result.allowed,
        reason=_reason(result.reason),
        message=result.message,
        rules=tuple(RuleLine(source=r.source, line=r.line, text=r.text, allow=r.allow) for r in result.rules),
        required_scopes=tuple(result.required_scopes),
    )


def _reason(number: int) -> str:
    known = wire.Reason.DESCRIPTOR.values_by_number.get(number)
    # A newer sidecar may know reasons that we do not; what is allowed or not does not depend on the word.
    return known.name.removeprefix("REASON_").lower() if known is not None else f"reason_{number}"


def _principal(found: Any) -> Principal:
    return Principal(
        issuer=found.issuer,
        subject=found.subject,
        client_id=found.client_id,
        actor=found.actor,
        subjects=tuple(found.subjects),
        scopes=tuple(found.scopes),
        token_id=found.token_id,
    )
