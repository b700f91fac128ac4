"""Explaining an opaque token to a person: what its issuer says about it, and what each check of that found."""

from types import MappingProxyType

from authz_sidecar.errors import IssuerUnavailable, TokenError
from authz_sidecar.model import Reason, Server
from authz_sidecar.ports import Clock
from authz_sidecar.tokens.inspect import Finding, Inspection, Outcome, examined
from authz_sidecar.tokens.introspected import STEPS, excused, opened
from authz_sidecar.tokens.introspection import Introspection


async def inspect_opaque(token: str, asked: Introspection, server: Server | None, clock: Clock) -> Inspection:
    """Ask the issuer, run the verifier's own checks on the answer, also beyond the first that fails, and tell.

    Nobody signed the answer: it is as good as the connection to the issuer.
    """
    alias = asked.issuer.alias
    try:
        answer = await asked.ask(token)
    except (TokenError, IssuerUnavailable) as error:
        return _nothing(alias, error, error.reason)
    case = opened(answer.claims, asked.issuer, server, now=max(clock(), answer.asked))
    findings = {"asked": _passed("asked", f"the issuer `{alias}` says that it is active")}
    for step in STEPS:
        if excused(step, answer.claims, trusted=asked.trusted):
            findings[step.name] = _skipped(step.name, "the answer has no `aud`, and `introspection_audience` trusts it")
        else:
            findings[step.name] = examined(step, case, findings)
    failed = next((one for one in findings.values() if one.outcome is Outcome.FAILED), None)
    return Inspection(
        header=MappingProxyType({}),
        claims=MappingProxyType(case.claims),
        signed=False,
        issuer=alias,
        key="",
        findings=tuple(findings.values()),
        reason=None if failed is None else failed.reason,
        principal=case.principal if failed is None else None,
        told=True,
    )


def _nothing(alias: str, error: Exception, reason: Reason) -> Inspection:
    finding = Finding(check="asked", outcome=Outcome.FAILED, sentence=str(error), reason=reason)
    return Inspection(
        header=MappingProxyType({}),
        claims=MappingProxyType({}),
        signed=False,
        issuer=alias,
        key="",
        findings=(finding, *(_skipped(step.name, "needs `asked`") for step in STEPS)),
        reason=reason,
        principal=None,
    )


def _passed(check: str, sentence: str) -> Finding:
    return Finding(check=check, outcome=Outcome.PASSED, sentence=sentence)


def _skipped(check: str, sentence: str) -> Finding:
    return Finding(check=check, outcome=Outcome.SKIPPED, sentence=sentence)
