"""One revocation as bytes: how it lies in the database and in the shared store."""

from typing import Final

import msgspec

from authz_sidecar.errors import BadRequest
from authz_sidecar.revocation import Kept, Kind, Revocation


class EntryUnreadable(Exception):
    """The bytes are not a revocation, so something may be revoked that we cannot tell."""


# A field or kind that a later version adds may narrow or widen what is meant, so it is not skipped.
class _Entry(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, forbid_unknown_fields=True):
    v: int = 1
    iss: str
    kind: Kind
    value: str = ""
    before: float | None = None
    ends: float | None = None
    reason: str = ""
    by: str = ""
    at: float
    until: float


_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(_Entry)


def encode(kept: Kept) -> bytes:
    """Write everything but the id and the epoch, which stand beside it."""
    what = kept.revocation
    return _encoder.encode(
        _Entry(
            iss=what.issuer,
            kind=what.kind,
            value=what.value,
            before=what.issued_before,
            ends=what.ends,
            reason=what.reason,
            by=what.by,
            at=kept.at,
            until=kept.keep_until,
        )
    )


def decode(data: bytes, *, name: str, epoch: int) -> Kept:
    """Read what `encode` wrote, or raise `EntryUnreadable`."""
    try:
        found = _decoder.decode(data)
        if found.v != 1:
            raise EntryUnreadable(f"the revocation `{name}` is of version {found.v}; upgrade this sidecar")
        what = Revocation(
            issuer=found.iss,
            kind=found.kind,
            value=found.value,
            issued_before=found.before,
            ends=found.ends,
            reason=found.reason,
            by=found.by,
        )
    except (msgspec.MsgspecError, UnicodeDecodeError, BadRequest) as error:
        raise EntryUnreadable(f"the revocation `{name}` cannot be read: {error}") from None
    return Kept(id=name, epoch=epoch, revocation=what, at=found.at, keep_until=found.until)
