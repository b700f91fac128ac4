"""From checked claims to a principal: the names under which the policy knows the caller."""

from types import MappingProxyType
from typing import Final

from authz_sidecar.model import Principal
from authz_sidecar.tokens import claims as read
from authz_sidecar.tokens.claims import Claims
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.selves import OWN

_NONE: Final[MappingProxyType[str, object]] = MappingProxyType({})


def principal(claims: Claims, issuer: Issuer, *, expires_at: float, development: bool) -> Principal:
    """Name the caller, or raise `TokenError`. The claims must have passed every check before."""
    subject = read.required_name(claims, "sub")
    client_id = read.client_id(claims)
    actors = read.actors(claims, issuer.issuer)
    actor = actors[0].subject if actors else ""
    user = _user(claims, issuer, subject, client_id)
    groups = {_named("role", issuer, one) for path in issuer.role_paths for one in _mapped(claims, issuer, path)}
    groups.update(_named("group", issuer, one) for path in issuer.group_paths for one in _mapped(claims, issuer, path))
    return Principal(
        issuer=issuer.issuer,
        subject=subject,
        user=_named("user", issuer, user) if user else None,
        groups=frozenset(groups),
        client=_named("client", issuer, client_id) if client_id else None,
        agent=_named("agent", issuer, actor) if actor else None,
        client_id=client_id,
        actor=actor,
        chain=actors[1:],
        scopes=read.scopes(claims),
        token_id=read.optional_name(claims, "jti"),
        family=_family(claims, issuer.family_claim),
        expires_at=expires_at,
        issued_at=read.moment(claims, "iat"),
        claims=_for_conditions(claims, issuer),
        development=development,
    )


def _user(claims: Claims, issuer: Issuer, subject: str, client_id: str) -> str:
    """Find the user's name; empty for a token that a client got for itself (RFC 9068 section 2.2)."""
    own = bool(client_id) and OWN[issuer.client_tokens](claims, subject, client_id)
    if issuer.user_claim == "sub":
        return "" if own else subject
    if own and issuer.client_tokens != "subject":
        return ""
    if own and read.find(claims, issuer.user_claim) is read.ABSENT:
        return ""
    # Whoever may write any address into a profile would be anybody (OpenID Connect Core section 5.1).
    if issuer.user_claim == "email" and claims.get("email_verified") is not True:
        raise read.missing("`email_verified` is not true, so `email` says nothing about who is calling")
    return read.name(read.mapped(claims, issuer.user_claim), f"`{issuer.user_claim}`")


def _family(claims: Claims, path: str) -> str:
    """Find the grant; a token of no grant (a client's own, for example) has none and is in no family."""
    value = read.find(claims, path) if path else read.ABSENT
    return "" if value is read.ABSENT else read.name(value, f"`{path}`")


def _mapped(claims: Claims, issuer: Issuer, path: str) -> frozenset[str]:
    return read.names(claims, path, optional=path in issuer.optional_claims)


def _named(kind: str, issuer: Issuer, name: str) -> str:
    return f"{kind}:{issuer.alias}/{name}" if issuer.qualify else f"{kind}:{name}"


def _for_conditions(claims: Claims, issuer: Issuer) -> MappingProxyType[str, object]:
    if not issuer.condition_claims:
        return _NONE
    found = {path: read.find(claims, path) for path in issuer.condition_claims}
    return MappingProxyType({path: read.frozen(value) for path, value in found.items() if value is not read.ABSENT})
