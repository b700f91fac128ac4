"""Translates between the wire and the kernel, and refuses what is out of bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, cast

from google.protobuf.timestamp_pb2 import Timestamp

from authz_sidecar import strictjson
from authz_sidecar.errors import BadRequest
from authz_sidecar.model import Answer, Decision, Mode, Principal, Query, Question, RawToken, Reason, public_message
from authz_sidecar.wire import authz_pb2 as pb

_LAST_SECOND: Final = 253_402_300_799.0
"""The end of the year 9999, the last that a `Timestamp` may hold; an `exp` may lie beyond it."""

# The generated `Value` is typed as giving a plain number.
REASONS: Final[Mapping[Reason, "pb.Reason"]] = MappingProxyType(
    {reason: cast("pb.Reason", pb.Reason.Value(f"REASON_{reason.name}")) for reason in Reason}
)
MODES: Final[Mapping[Mode, "pb.Mode"]] = MappingProxyType(
    {mode: cast("pb.Mode", pb.Mode.Value(f"MODE_{mode.name}")) for mode in Mode}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The bounds of one request, in bytes unless said otherwise. The token's own bound is the verifier's."""

    method: int = 256
    tool: int = 2_048
    server: int = 256
    request_id: int = 128
    arguments: int = 256 * 1024
    depth: int = 64
    """Levels of nesting."""
    context_entries: int = 32
    """Number of entries; `context_entry` bounds the name and the value of each together."""
    context_entry: int = 1_024
    items: int = 1_000
    """Number of items in a batch."""


def to_query(request: pb.CheckRequest, limits: Limits) -> Query:
    """Read one question, or raise `BadRequest` naming the field."""
    return Query(
        token=RawToken(request.token),
        server=_short(request.server, "server", limits.server),
        questions=(_question(request.method, request.tool, request.arguments_json, limits, ""),),
        context=_context(request.context, limits),
        request_id=_request_id(request.request_id, limits),
    )


def to_batch(request: pb.CheckBatchRequest, limits: Limits) -> Query:
    """Read a batch, or raise `BadRequest` naming the field."""
    if not 1 <= len(request.items) <= limits.items:
        raise BadRequest(f"`items` has {len(request.items)} items, expected 1 to {limits.items}")
    return Query(
        token=RawToken(request.token),
        server=_short(request.server, "server", limits.server),
        questions=tuple(
            _question(item.method, item.tool, item.arguments_json, limits, f"items[{at}].")
            for at, item in enumerate(request.items)
        ),
        context=_context(request.context, limits),
        request_id=_request_id(request.request_id, limits),
        batch=True,
    )


def to_response(query: Query, answer: Answer) -> pb.CheckResponse:
    """Write the answer to one question."""
    response = _result(answer.decisions[0], _remark(answer))
    response.policy_revision = answer.revision
    response.decision_id = answer.decision_id
    response.request_id = query.request_id
    response.mode = MODES[answer.mode]
    if answer.principal is not None:
        response.principal.CopyFrom(to_principal(answer.principal))
        response.token_expires_at.CopyFrom(timestamp(answer.principal.expires_at))
    return response


def to_batch_response(query: Query, answer: Answer) -> pb.CheckBatchResponse:
    """Write the answers to a batch; what they share is said once."""
    response = pb.CheckBatchResponse(
        results=[_result(decision, _remark(answer)) for decision in answer.decisions],
        policy_revision=answer.revision,
        decision_id=answer.decision_id,
        request_id=query.request_id,
        mode=MODES[answer.mode],
    )
    if answer.principal is not None:
        response.principal.CopyFrom(to_principal(answer.principal))
        response.token_expires_at.CopyFrom(timestamp(answer.principal.expires_at))
    return response


def timestamp(seconds: float) -> Timestamp:
    """Write seconds since the epoch, clamped to what a `Timestamp` may hold."""
    whole = min(max(0.0, seconds), _LAST_SECOND)
    return Timestamp(seconds=int(whole), nanos=int(whole % 1 * 1e9))


def _remark(answer: Answer) -> str:
    """Say in every answer that a key for development vouches for the caller."""
    return " (development key)" if answer.principal is not None and answer.principal.development else ""


def _result(decision: Decision, remark: str) -> pb.CheckResponse:
    return pb.CheckResponse(
        allowed=decision.allowed,
        reason=REASONS[decision.reason],
        message=public_message(decision.reason) + remark,
        rules=[
            pb.RuleRef(source=rule.source, line=rule.line, text=rule.text, allow=rule.allow) for rule in decision.rules
        ],
        required_scopes=decision.required_scopes,
    )


def to_principal(who: Principal) -> pb.Principal:
    """Write who is calling."""
    return pb.Principal(
        issuer=who.issuer,
        subject=who.subject,
        client_id=who.client_id,
        actor=who.actor,
        subjects=who.subjects,
        scopes=sorted(who.scopes),
        token_id=who.token_id,
    )


def _question(method: str, tool: str, arguments: bytes, limits: Limits, at: str) -> Question:
    return Question(
        method=_short(method, f"{at}method", limits.method),
        tool=_short(tool, f"{at}tool", limits.tool),
        arguments=_arguments(arguments, f"{at}arguments_json", limits),
    )


def _short(text: str, field: str, limit: int) -> str:
    size = len(text) if text.isascii() else len(text.encode())
    if size > limit:
        raise BadRequest(f"`{field}` has {size} bytes, expected at most {limit}")
    return text


def _request_id(text: str, limits: Limits) -> str:
    if not text.isprintable():
        raise BadRequest("`request_id` has a control or invisible character, expected printable text")
    return _short(text, "request_id", limits.request_id)


def _arguments(data: bytes, field: str, limits: Limits) -> bytes:
    """Refuse what a rule's condition and the tool could read differently."""
    if not data:
        return data
    if len(data) > limits.arguments:
        raise BadRequest(f"`{field}` has {len(data)} bytes, expected at most {limits.arguments}")
    try:
        value = strictjson.loads(data, max_depth=limits.depth)
    except strictjson.StrictJsonError as error:
        raise BadRequest(f"`{field}` {error}") from None
    if not isinstance(value, dict):
        raise BadRequest(f"`{field}` is not a JSON object")
    return data


def _context(given: Mapping[str, str], limits: Limits) -> Mapping[str, str]:
    if len(given) > limits.context_entries:
        raise BadRequest(f"`context` has {len(given)} entries, expected at most {limits.context_entries}")
    for name, value in given.items():
        size = len(name.encode()) + len(value.encode())
        if size > limits.context_entry:
            raise BadRequest(f"`context` has an entry of {size} bytes, expected at most {limits.context_entry}")
    return MappingProxyType(dict(given))
