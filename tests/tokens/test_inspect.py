"""Explaining a token: each check in order, what it found, and what is only hearsay."""

import pytest

from authz_sidecar.model import Reason, Server
from authz_sidecar.tokens.inspect import Inspection, Outcome, inspect
from authz_sidecar.tokens.steps import STEPS
from tests.tokens.makers import (
    NOW,
    OTHER_SERVER,
    SERVER,
    Clock,
    claim_bytes,
    claims,
    forge,
    header_bytes,
    issuer,
    key,
    keyset,
    sign,
    token,
)


def explain(text: str, server: Server | None = SERVER) -> Inspection:
    return inspect(text, [issuer()], server, Clock())


def outcomes(found: Inspection, outcome: Outcome) -> list[str]:
    return [one.check for one in found.findings if one.outcome is outcome]


def test_a_good_token_passes_every_check_in_order() -> None:
    found = explain(token())
    assert found
    assert outcomes(found, Outcome.PASSED) == [step.name for step in STEPS]
    assert found.signed
    assert found.reason is None
    assert found.principal is not None
    assert found.principal.subjects == ("client:cli", "user:alice")
    assert (found.issuer, found.claims["sub"], found.header["alg"]) == ("main", "alice", "ES256")
    assert found.key == "EC key `es256-1` for ES256"


@pytest.mark.parametrize(
    ("text", "reason", "failed"),
    [
        pytest.param("", Reason.TOKEN_MISSING, ["size"], id="nothing"),
        pytest.param("a.b", Reason.TOKEN_MALFORMED, ["form"], id="two segments"),
        pytest.param("e30.e30.", Reason.TOKEN_MALFORMED, ["header", "issuer"], id="empty objects"),
        pytest.param(forge({"alg": "none"}, claims()), Reason.TOKEN_ALGORITHM_NOT_ALLOWED, ["header"], id="alg none"),
        pytest.param(
            token(exp=NOW - 99, aud="x"), Reason.TOKEN_EXPIRED, ["expiry", "audience"], id="two things at once"
        ),
        pytest.param(
            sign(header_bytes(), claim_bytes(cnf={}), key("ES256", "stranger")),
            Reason.TOKEN_SIGNATURE_INVALID,
            ["signature", "binding"],
            id="signed by a stranger, and bound",
        ),
    ],
)
def test_every_check_that_makes_sense_is_made(text: str, reason: Reason, failed: list[str]) -> None:
    found = explain(text)
    assert not found
    assert (found.reason, found.principal) == (reason, None)
    assert outcomes(found, Outcome.FAILED) == failed
    assert [one.check for one in found.findings] == [step.name for step in STEPS]
    assert all(one.sentence for one in found.findings)


def test_claims_without_a_signature_are_shown_as_hearsay() -> None:
    found = explain(sign(header_bytes(), claim_bytes(sub="root"), key("ES256", "stranger")))
    assert not found.signed
    assert found.claims["sub"] == "root"
    assert "root" not in repr(found)


def test_a_skipped_check_says_what_it_needs() -> None:
    found = {one.check: one for one in explain("e30.e30.").findings}
    assert (found["signature"].outcome, found["signature"].sentence) == (Outcome.SKIPPED, "needs `key`")


def test_without_a_server_the_audience_is_not_judged() -> None:
    found = explain(token(aud=OTHER_SERVER.audience), None)
    assert found.principal is not None
    assert outcomes(found, Outcome.SKIPPED) == ["audience"]
    assert explain(token(aud=7), None).reason is Reason.TOKEN_MALFORMED


def test_a_development_key_is_said() -> None:
    record = {name: value for name, value in key("ES256").items() if name != "kid"} | {"authz_development": True}
    found = inspect(token(), [issuer(keys=keyset(record))], SERVER, Clock())
    assert found.key == "EC key without a kid for ES256, for development"


def test_every_step_needs_only_steps_before_it() -> None:
    before: set[str] = set()
    for step in STEPS:
        assert set(step.needs) <= before
        before.add(step.name)
