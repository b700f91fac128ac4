"""Translates revocations between the wire and the kernel."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from authz_sidecar.model import RawToken
from authz_sidecar.revocation import Kept, Kind
from authz_sidecar.server.codec import timestamp
from authz_sidecar.wire import authz_pb2 as pb

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp

MOST_LISTED: Final = 1_000
_KINDS: Final = {"token_id": Kind.TOKEN, "subject": Kind.SUBJECT, "client_id": Kind.CLIENT, "family": Kind.FAMILY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody wants revoked, as they said it."""

    issuer: str
    """An alias, an `iss`, or nothing."""
    token: RawToken | None = None
    """The token itself; `kind` and `value` say nothing then."""
    kind: Kind = Kind.ISSUER
    value: str = ""
    issued_before: float | None = None
    reason: str = ""
    by: str = ""


def to_order(request: pb.RevokeRequest) -> Order:
    """Read a request; whether it makes sense is for others to say."""
    what = request.WhichOneof("what")
    return Order(
        issuer=request.issuer,
        token=RawToken(request.token) if what == "token" else None,
        kind=_KINDS.get(what or "", Kind.ISSUER),
        value=str(getattr(request, what)) if what in _KINDS else "",
        issued_before=_seconds(request.issued_before) if request.HasField("issued_before") else None,
        reason=request.reason,
        by=request.by,
    )


def to_message(kept: Kept) -> pb.Revocation:
    """Write a revocation."""
    what = kept.revocation
    message = pb.Revocation(
        epoch=kept.epoch,
        issuer=what.issuer,
        # The generated `Value` is typed as giving a plain number.
        kind=cast("pb.RevocationKind", pb.RevocationKind.Value(f"REVOCATION_KIND_{what.kind.name}")),
        value=what.value,
        reason=what.reason,
        by=what.by,
        revoked_at=timestamp(kept.at),
        keep_until=timestamp(kept.keep_until),
    )
    if what.issued_before is not None:
        message.issued_before.CopyFrom(timestamp(what.issued_before))
    return message


def _seconds(moment: "Timestamp") -> float:
    return moment.seconds + moment.nanos / 1e9
