"""The checks of what an issuer says about an opaque token: its word stands where a signature would."""

from collections.abc import Callable
from typing import Final

from authz_sidecar.errors import TokenError
from authz_sidecar.model import Reason, Server
from authz_sidecar.tokens import steps
from authz_sidecar.tokens.case import Case
from authz_sidecar.tokens.claims import Claims
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.principal import principal
from authz_sidecar.tokens.steps import Step

_BEARER: Final = frozenset({"bearer", "access_token", "urn:ietf:params:oauth:token-type:access_token"})
_BOUND: Final = frozenset({"dpop", "pop", "mac"})


def opened(claims: Claims, issuer: Issuer, server: Server | None, *, now: float) -> Case:
    """Begin to examine what the issuer says about an active token; without a server, nobody's audience is needed."""
    case = Case(text="", server=server, issuers={issuer.issuer: issuer}, now=now, max_bytes=0)
    case.claims, case.issuer = dict(claims), issuer
    return case


def examine(claims: Claims, issuer: Issuer, server: Server, *, now: float, trusted: bool) -> Case:
    """Check what the issuer says about an active token (RFC 7662 section 2.2) and name the caller.

    Raises `TokenError`. `trusted` accepts an answer without `aud`; one with `aud` must name the server all the same.
    """
    case = opened(claims, issuer, server, now=now)
    for step in STEPS:
        if not excused(step, claims, trusted=trusted):
            step.check(case)
    return case


def excused(step: Step, claims: Claims, *, trusted: bool) -> bool:
    """Say whether a check does not count, because the operator said that the issuer answers for one server alone."""
    return step.check is steps.audience and trusted and "aud" not in claims


def _issuer(case: Case) -> None:
    """Refuse an answer that speaks for somebody else."""
    if case.claims.get("iss", case.issuer.issuer) != case.issuer.issuer:
        raise TokenError(Reason.TOKEN_ISSUER_UNKNOWN, "the answer has another `iss` than the issuer that was asked")


def _kind(case: Case) -> None:
    """Refuse what is no bearer access token."""
    kind = case.claims.get("token_type", "bearer")
    word = kind.lower() if isinstance(kind, str) else ""
    if word in _BOUND:
        raise TokenError(Reason.TOKEN_BINDING_MISSING, "the token is bound to a key (`token_type`) and came as bearer")
    if word not in _BEARER:
        raise TokenError(Reason.TOKEN_TYPE_NOT_ALLOWED, "`token_type` does not say that this is a bearer access token")
    steps.marks(case)


def _caller(case: Case) -> None:
    """Name the caller."""
    case.principal = principal(
        case.claims, case.issuer, expires_at=case.expires_at, development=case.issuer.development
    )


def _step(name: str, check: Callable[[Case], None], passed: str, *needs: str) -> Step:
    return Step(name=name, passed=passed, needs=needs, check=check)


STEPS: Final = (
    _step("issuer", _issuer, "the answer is about a token of the issuer that was asked"),
    _step("kind", _kind, "the token is a bearer access token"),
    _step("expiry", steps.expiry, "the token has not ended"),
    _step("beginning", steps.beginning, "the token counts already"),
    _step("audience", steps.audience, "the token is for this server"),
    _step("binding", steps.binding, "the token is not bound to a key"),
    _step("required", steps.required, "every required claim is there"),
    _step("caller", _caller, "the caller has a name", "expiry"),
)
"""All checks of an answer. The order is not a setting."""
