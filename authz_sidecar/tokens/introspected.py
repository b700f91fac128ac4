"""From an introspection answer to a caller: the same checks as of signed claims, less the signature."""

from typing import Final

from authz_sidecar.errors import TokenError
from authz_sidecar.model import Reason, Server
from authz_sidecar.tokens import steps
from authz_sidecar.tokens.case import Case
from authz_sidecar.tokens.claims import Claims
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.principal import principal

_BEARER: Final = frozenset({"bearer", "access_token", "urn:ietf:params:oauth:token-type:access_token"})
_BOUND: Final = frozenset({"dpop", "pop", "mac"})


def examine(claims: Claims, issuer: Issuer, server: Server, *, now: float, trusted: bool) -> Case:
    """Check what the issuer says about an active token (RFC 7662 section 2.2) and name the caller.

    Raises `TokenError`. `trusted` accepts an answer without `aud`; one with `aud` must name the server all the same.
    """
    case = Case(text="", server=server, issuers={issuer.issuer: issuer}, now=now, max_bytes=0)
    case.claims, case.issuer = dict(claims), issuer
    if claims.get("iss", issuer.issuer) != issuer.issuer:
        raise TokenError(Reason.TOKEN_ISSUER_UNKNOWN, "the answer has another `iss` than the issuer that was asked")
    _type(claims)
    steps.marks(case)
    steps.expiry(case)
    steps.beginning(case)
    if "aud" in claims or not trusted:
        steps.audience(case)
    steps.binding(case)
    steps.required(case)
    case.principal = principal(claims, issuer, expires_at=case.expires_at, development=issuer.development)
    return case


def _type(claims: Claims) -> None:
    kind = claims.get("token_type", "bearer")
    word = kind.lower() if isinstance(kind, str) else ""
    if word in _BOUND:
        raise TokenError(Reason.TOKEN_BINDING_MISSING, "the token is bound to a key (`token_type`) and came as bearer")
    if word not in _BEARER:
        raise TokenError(Reason.TOKEN_TYPE_NOT_ALLOWED, "`token_type` does not say that this is a bearer access token")
