"""Explaining an opaque token: what its issuer says, each check of that, and what is only hearsay."""

from typing import Any

import pytest

from authz_sidecar.model import Reason, Server
from authz_sidecar.tokens.inspect import Inspection, Outcome
from authz_sidecar.tokens.inspect_opaque import inspect_opaque
from authz_sidecar.tokens.introspected import STEPS
from authz_sidecar.tokens.pages import FetchFailed
from authz_sidecar.tokens.pages import Outcome as Fetched
from tests.tokens.makers import DROP, NOW, SERVER
from tests.tokens.opaque import OPAQUE, House, Idp, answer


async def explain(
    body: object = None, *, text: str = OPAQUE, server: Server | None = SERVER, trusted: bool = False, **changes: Any
) -> Inspection:
    house = House(Idp(body), trusted=trusted, **changes)
    return await inspect_opaque(text, house.opaque, server, house.time.clock)


def outcomes(found: Inspection, outcome: Outcome) -> list[str]:
    return [one.check for one in found.findings if one.outcome is outcome]


async def test_an_active_token_is_explained_by_what_the_issuer_says() -> None:
    found = await explain()
    assert found
    assert outcomes(found, Outcome.PASSED) == ["asked", *(step.name for step in STEPS)]
    assert (found.issuer, found.claims["sub"], found.reason) == ("main", "alice", None)
    assert (found.signed, found.told) == (False, True)
    assert found.principal is not None
    assert found.principal.subjects == ("client:cli", "user:alice")


@pytest.mark.parametrize(
    ("changes", "reason", "failed"),
    [
        pytest.param({"iss": "x"}, Reason.TOKEN_ISSUER_UNKNOWN, ["issuer"], id="another issuer"),
        pytest.param(
            {"exp": NOW - 99, "aud": "x"}, Reason.TOKEN_EXPIRED, ["expiry", "audience"], id="two things at once"
        ),
        pytest.param({"token_type": "DPoP"}, Reason.TOKEN_BINDING_MISSING, ["kind"], id="bound to a key"),
        pytest.param({"sub": DROP, "client_id": DROP}, Reason.TOKEN_CLAIM_MISSING, ["caller"], id="nobody"),
    ],
)
async def test_everything_that_is_wrong_is_told_at_once(
    changes: dict[str, Any], reason: Reason, failed: list[str]
) -> None:
    found = await explain(answer(**changes))
    assert not found
    assert (found.reason, outcomes(found, Outcome.FAILED)) == (reason, failed)
    assert found.told


@pytest.mark.parametrize(
    ("text", "body", "reason", "said"),
    [
        pytest.param(OPAQUE, {"active": False}, Reason.TOKEN_INACTIVE, "says that it is not active", id="not active"),
        pytest.param("", None, Reason.TOKEN_MISSING, "there is no token", id="nothing"),
        pytest.param("a b", None, Reason.TOKEN_MALFORMED, "neither a JWT nor an opaque token", id="two words"),
        pytest.param(OPAQUE, b"<html>", Reason.TOKEN_INACTIVE, "cannot be asked", id="no answer that can be read"),
    ],
)
async def test_where_the_issuer_says_nothing_nothing_is_claimed(
    text: str, body: object, reason: Reason, said: str
) -> None:
    found = await explain(body, text=text)
    assert not found
    assert (found.reason, outcomes(found, Outcome.FAILED), found.told) == (reason, ["asked"], False)
    assert said in found.findings[0].sentence
    assert dict(found.claims) == {}
    assert len(found.findings) == 1 + len(STEPS)


async def test_an_issuer_that_is_away_is_said_so() -> None:
    idp = Idp()
    idp.failure = FetchFailed(Fetched.UNREACHABLE, "nobody is there")
    house = House(idp)
    found = await inspect_opaque(OPAQUE, house.opaque, SERVER, house.time.clock)
    assert "nobody is there" in found.findings[0].sentence


async def test_an_answer_without_aud_is_explained_where_the_operator_trusts_it() -> None:
    found = await explain(answer(aud=DROP), trusted=True)
    assert found
    assert outcomes(found, Outcome.SKIPPED) == ["audience"]
    assert not await explain(answer(aud="https://other.example"), trusted=True)


async def test_without_a_server_nobody_is_named_whose_audience_is_needed() -> None:
    found = await explain(answer(aud="https://other.example"), server=None)
    assert found
    assert outcomes(found, Outcome.SKIPPED) == ["audience"]
