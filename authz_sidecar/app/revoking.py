"""What revokes: finds out which issuer is meant, hands it to the token room, and writes it into the audit trail."""

from collections.abc import Callable, Sequence

import structlog

from authz_sidecar.errors import AuthzError, BadRequest
from authz_sidecar.events import SCHEMA_VERSION, AdminEvent
from authz_sidecar.ports import Clock, Revokes
from authz_sidecar.revocation import Kind, Receipt, Revocation
from authz_sidecar.server.reports import RevocationsReport
from authz_sidecar.server.revocations import Order
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.revocation import Revocations
from authz_sidecar.tokens.revocation_token import naming

Say = Callable[[AdminEvent], None]


class Audited:
    """A `Revokes` that tells what another one did, or could not do."""

    def __init__(self, revokes: Revokes, say: Say) -> None:
        """Take what revokes, and what writes admin events."""
        self._revokes = revokes
        self._say = say
        self._log = structlog.stdlib.get_logger("authz_sidecar.revocation")

    async def revoke(self, entry: Revocation) -> Receipt:
        """Revoke, and leave an event in any case; raises what the other raises."""
        try:
            receipt = await self._revokes.revoke(entry)
        except AuthzError as error:
            self._say(_event(entry, error.code, 0))
            raise
        kept = receipt.kept
        self._log.info("revoked", kind=entry.kind.value, issuer=entry.issuer, epoch=kept.epoch, pending=receipt.pending)
        self._say(_event(entry, "pending" if receipt.pending else "revoked", kept.epoch))
        return receipt


def learned(say: Say) -> Callable[[int, int], None]:
    """Tell how many revocations of other sidecars went in force here; their own sidecars tell who and what."""
    log = structlog.stdlib.get_logger("authz_sidecar.revocation")

    def tell(count: int, epoch: int) -> None:
        log.info("revocations_learned", count=count, epoch=epoch)
        detail = f"{count} from the shared store"
        say(
            AdminEvent(
                v=SCHEMA_VERSION, time="", action="revoke", outcome="learned", detail=detail, revocation_epoch=epoch
            )
        )

    return tell


class RevocationDesk:
    """What the admin service asks."""

    def __init__(self, *, revokes: Revokes, known: Revocations, issuers: Sequence[Issuer], clock: Clock) -> None:
        """Take what revokes, what knows the revoked, and the issuers that may be meant."""
        self._revokes = revokes
        self._known = known
        self._issuers = issuers
        self._clock = clock

    async def revoke(self, order: Order) -> Receipt:
        """Revoke what is ordered; raises `BadRequest` when it means nothing."""
        return await self._revokes.revoke(self._entry(order))

    def revocations(self, *, after: int, limit: int) -> RevocationsReport:
        """Give a page of those in force."""
        return RevocationsReport(
            kept=self._known.listed(after=after, limit=limit),
            epoch=self._known.epoch,
            total=len(self._known),
            stale=self._known.stale,
        )

    def _entry(self, order: Order) -> Revocation:
        if order.token is not None:
            if order.issued_before is not None:
                raise BadRequest("`issued_before` goes with a subject, a client or a whole issuer")
            return naming(order.token.text, self._issuers, self._clock, reason=order.reason, by=order.by)
        issuer = self._issuer(order.issuer)
        if order.kind is Kind.FAMILY and not issuer.family_claim:
            raise BadRequest(
                f"the issuer `{issuer.alias}` has no `family_claim`, so none of its tokens is of a family; configure it"
            )
        return Revocation(
            issuer=issuer.issuer,
            kind=order.kind,
            value=order.value,
            issued_before=order.issued_before,
            reason=order.reason,
            by=order.by,
        )

    def _issuer(self, name: str) -> Issuer:
        if not name and len(self._issuers) == 1:
            return self._issuers[0]
        found = next((one for one in self._issuers if name in (one.alias, one.issuer)), None)
        if found is None:
            known = ", ".join(f"`{one.alias}`" for one in self._issuers)
            raise BadRequest(f"`issuer` is `{name}`, expected one of {known}")
        return found


def _event(entry: Revocation, outcome: str, epoch: int) -> AdminEvent:
    return AdminEvent(
        v=SCHEMA_VERSION,
        time="",
        action="revoke",
        outcome=outcome,
        detail=entry.reason,
        by=entry.by,
        target=str(entry) if entry.issued_before is None else f"{entry}, issued before {entry.issued_before:.3f}",
        revocation_epoch=epoch,
    )
