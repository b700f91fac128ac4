"""Names a token for revocation: believed only as far as its own issuer's signature goes."""

from collections.abc import Sequence

from authz_sidecar.errors import BadRequest, TokenError
from authz_sidecar.ports import Clock
from authz_sidecar.revocation import Kind, Revocation
from authz_sidecar.tokens import claims as read
from authz_sidecar.tokens.inspect import Outcome, inspect
from authz_sidecar.tokens.issuer import Issuer


def naming(token: str, issuers: Sequence[Issuer], clock: Clock, *, reason: str, by: str) -> Revocation:
    """Name this one token by its issuer and `jti`; raises `BadRequest`, without a byte of the token.

    It may have ended, or be for any server, but an issuer of ours must have signed it: otherwise anybody could make us
    remember anything.
    """
    found = inspect(token, issuers, None, clock)
    if not found.signed:
        failed = next((one for one in found.findings if one.outcome is Outcome.FAILED), None)
        raise BadRequest(f"the token is not one of a configured issuer: {failed.sentence if failed else 'unsigned'}")
    issuer = next(one.issuer for one in issuers if one.alias == found.issuer)
    try:
        name, ends = read.optional_name(found.claims, "jti"), read.moment(found.claims, "exp")
    except TokenError as error:
        raise BadRequest(f"the token counts nowhere: {error}") from None
    if not name:
        raise BadRequest("the token has no `jti`, so nothing names it alone; revoke its subject, client or family")
    return Revocation(issuer=issuer, kind=Kind.TOKEN, value=name, ends=ends, reason=reason, by=by)
