"""Explaining a token to a person, without trusting it: what it says, and what each check of the verifier found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from authz_sidecar.errors import TokenError
from authz_sidecar.model import Principal, Reason, Server
from authz_sidecar.ports import Clock
from authz_sidecar.tokens.case import Case
from authz_sidecar.tokens.claims import Claims
from authz_sidecar.tokens.issuer import Issuer
from authz_sidecar.tokens.steps import STEPS, Step
from authz_sidecar.tokens.verifier import MAX_BYTES, by_issuer


class Outcome(StrEnum):
    """What became of a check."""

    FAILED = "failed"
    PASSED = "passed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check and what it found, in a sentence."""

    check: str
    outcome: Outcome
    sentence: str
    reason: Reason | None = None
    """Why it failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a token says and what is true of it. It is true only when every check passed.

    It holds what the token says, for the person who presented it; it is not for a log.
    """

    header: Mapping[str, object] = field(repr=False)
    claims: Claims = field(repr=False)
    signed: bool
    """Whether the issuer signed `header` and `claims`; when it did not, both are hearsay."""
    issuer: str
    """The alias of the issuer; empty when it is not known."""
    key: str
    """The key that was chosen, in words; empty when there is none."""
    findings: tuple[Finding, ...]
    reason: Reason | None
    """What `Check` would answer about the token; None when nothing is wrong with it."""
    principal: Principal | None
    """The caller, when every check passed."""
    told: bool = False
    """Whether the issuer itself, when it was asked, said what stands in `claims`."""

    def __bool__(self) -> bool:
        """Say whether the token proves who is calling."""
        return self.principal is not None


def inspect(
    token: str, issuers: Sequence[Issuer], server: Server | None, clock: Clock, *, max_bytes: int = MAX_BYTES
) -> Inspection:
    """Run the verifier's own checks, also beyond the first that fails, and tell what each found.

    Without a server, nobody is named whose audience the token must carry, and that check says so.
    """
    case = Case(text=token, server=server, issuers=by_issuer(issuers), now=clock(), max_bytes=max_bytes)
    findings: dict[str, Finding] = {}
    for step in STEPS:
        findings[step.name] = examined(step, case, findings)
    failed = next((one for one in findings.values() if one.outcome is Outcome.FAILED), None)
    passed = {name for name, one in findings.items() if one.outcome is Outcome.PASSED}
    return Inspection(
        header=case.header.members if "header" in passed else MappingProxyType({}),
        claims=MappingProxyType(case.claims) if "payload" in passed else MappingProxyType({}),
        signed="signature" in passed,
        issuer=case.issuer.alias if "issuer" in passed else "",
        key=_key(case) if "key" in passed else "",
        findings=tuple(findings.values()),
        reason=None if failed is None else failed.reason,
        principal=case.principal if failed is None else None,
    )


def added(found: Inspection, finding: Finding) -> Inspection:
    """Give the same with one more finding; a failed one refuses the token, unless it was refused already."""
    all_findings = (*found.findings, finding)
    if finding.outcome is not Outcome.FAILED or not found:
        return replace(found, findings=all_findings)
    return replace(found, findings=all_findings, reason=finding.reason, principal=None)


def examined(step: Step, case: Case, findings: Mapping[str, Finding]) -> Finding:
    """Run one check, unless one that it needs did not pass."""
    unmet = next((name for name in step.needs if findings[name].outcome is not Outcome.PASSED), None)
    if unmet is not None:
        return Finding(check=step.name, outcome=Outcome.SKIPPED, sentence=f"needs `{unmet}`")
    try:
        step.check(case)
    except TokenError as error:
        return Finding(check=step.name, outcome=Outcome.FAILED, sentence=str(error), reason=error.reason)
    if step.name == "audience" and case.server is None:
        return Finding(check=step.name, outcome=Outcome.SKIPPED, sentence="no server was named")
    return Finding(check=step.name, outcome=Outcome.PASSED, sentence=step.passed)


def _key(case: Case) -> str:
    kid = "without a kid" if case.key.kid is None else f"`{case.key.kid}`"
    mark = ", for development" if case.key.development else ""
    return f"{case.key.kty} key {kid} for {', '.join(sorted(case.key.algorithms))}{mark}"
