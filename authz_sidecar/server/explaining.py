"""Translates questions about the policy in force, and why it answers so, between the wire and the house."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from authz_sidecar.errors import BadRequest
from authz_sidecar.model import NOTHING, Decision, Principal, Question, RawToken, RuleRef
from authz_sidecar.rules import Membership, Rule
from authz_sidecar.server import codec
from authz_sidecar.server.codec import Limits
from authz_sidecar.wire import authz_pb2 as pb

MOST_ROWS: Final = 1_000
_MOST_NAMES: Final = 1_000
_LONGEST_NAME: Final = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who is meant, and what for."""

    token: RawToken | None
    """None when the caller is only described."""
    subjects: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    server: str = ""
    question: Question
    context: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A row that was looked at, and the fields that do not fit."""

    rule: Rule
    decides: bool
    missing: tuple[str, ...]


Ways = Mapping[str, tuple[Membership, ...]]
"""Names, each with the rows that lead to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """An answer and what it hangs on."""

    decision: Decision
    revision: str
    server: str
    principal: Principal | None = None
    held: Ways = field(default_factory=dict[str, tuple[Membership, ...]])
    groups: Ways = field(default_factory=dict[str, tuple[Membership, ...]])
    considered: tuple[Looked, ...] = ()
    missing: str = ""
    """A word; empty when allowed."""
    advice: str = ""
    miss: RuleRef | None = None
    """The row that misses by one thing."""
    detail: str = ""


class Explains(Protocol):
    """Knows why the policy in force answers as it does."""

    async def explain(self, asking: Asking) -> Why:
        """Explain; raises `NotReady`, `BadRequest` and `EngineError`. A token that does not hold is an answer."""
        ...


def to_asking(request: pb.ExplainRequest, limits: Limits) -> Asking:
    """Read the request, or raise `BadRequest` naming the field."""
    asked = codec.to_query(
        pb.CheckRequest(
            server=request.server,
            method=request.method,
            tool=request.tool,
            arguments_json=request.arguments_json,
            context=request.context,
        ),
        limits,
    )
    who = request.WhichOneof("who")
    if who is None:
        raise BadRequest("`who` is empty, give a `token` or a `caller`")
    if who == "caller" and not request.caller.subjects:
        raise BadRequest("`caller.subjects` is empty, expected for example `user:alice`")
    for name, given in (("subjects", request.caller.subjects), ("scopes", request.caller.scopes)):
        if len(given) > _MOST_NAMES:
            raise BadRequest(f"`caller.{name}` has {len(given)} entries, expected at most {_MOST_NAMES}")
        if any(len(one.encode()) > _LONGEST_NAME for one in given):
            raise BadRequest(f"`caller.{name}` has an entry of more than {_LONGEST_NAME} bytes")
    return Asking(
        token=RawToken(request.token) if who == "token" else None,
        subjects=tuple(request.caller.subjects),
        scopes=tuple(request.caller.scopes),
        server=asked.server,
        question=asked.questions[0],
        context=asked.context,
    )


def to_explanation(why: Why) -> pb.ExplainResponse:
    """Write the explanation."""
    shown = why.considered[:MOST_ROWS]
    response = pb.ExplainResponse(
        allowed=why.decision.allowed,
        reason=codec.REASONS[why.decision.reason],
        policy_revision=why.revision,
        server=why.server,
        required_scopes=why.decision.required_scopes,
        rules=[_rule(ref) for ref in why.decision.rules],
        held=_names(why.held),
        groups=_names(why.groups),
        considered=[
            pb.ConsideredRow(
                row=_rule(one.rule.ref),
                decides=one.decides,
                missing=one.missing,
                conditional=one.rule.when is not None,
            )
            for one in shown
        ],
        considered_more=len(why.considered) - len(shown),
        detail=why.detail,
    )
    if why.principal is not None:
        response.principal.CopyFrom(codec.to_principal(why.principal))
    if why.missing:
        row = None if why.miss is None else _rule(why.miss)
        response.miss.CopyFrom(pb.Miss(missing=why.missing, advice=why.advice, row=row))
    return response


def _names(ways: Ways) -> list[pb.HeldName]:
    return [
        pb.HeldName(
            name=name,
            by=[
                pb.MembershipRow(source=row.source, line=row.line, text=row.text, member=row.member, role=row.role)
                for row in way
            ],
        )
        for name, way in ways.items()
    ]


def _rule(ref: RuleRef) -> pb.RuleRef:
    return pb.RuleRef(source=ref.source, line=ref.line, text=ref.text, allow=ref.allow)
