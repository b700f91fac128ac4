"""Opaque tokens: what the issuer may answer, and that silence is never a yes."""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import IssuerUnavailable, NotReady, TokenError
from authz_sidecar.model import RawToken, Reason
from authz_sidecar.tokens.fetch import Web
from authz_sidecar.tokens.guard import Guard
from authz_sidecar.tokens.introspection import Introspection, basic
from authz_sidecar.tokens.pages import FetchFailed, Outcome
from authz_sidecar.tokens.urls import parse
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import AUDIENCE, DROP, ISSUER, NOW, SERVER, UNHURRIED, issuer, token
from tests.tokens.opaque import OPAQUE, House, Idp, answer
from tests.tokens.provider import Answer, Request, provider


async def test_the_issuer_says_who_it_is() -> None:
    house = House(roles_claim="realm_access.roles")
    house.idp.body = answer(realm_access={"roles": ["support"]})
    who = await house.verifier.verify(RawToken(OPAQUE), SERVER)
    assert (who.user, who.groups, who.client) == ("user:alice", {"role:support"}, "client:cli")
    assert (who.scopes, who.issuer, who.expires_at) == ({"tickets:read", "tickets:write"}, ISSUER, NOW + 300)
    assert house.idp.asked == [{"token": OPAQUE, "token_type_hint": "access_token"}]
    assert house.told == [("main", "active", "")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"active": False}, Reason.TOKEN_INACTIVE, id="not active"),
        pytest.param({"iss": ISSUER + "/"}, Reason.TOKEN_ISSUER_UNKNOWN, id="another iss"),
        pytest.param({"iss": None}, Reason.TOKEN_ISSUER_UNKNOWN, id="iss is null"),
        pytest.param({"aud": DROP}, Reason.TOKEN_CLAIM_MISSING, id="no aud"),
        pytest.param({"aud": "https://other.example"}, Reason.TOKEN_AUDIENCE_MISMATCH, id="another aud"),
        pytest.param({"aud": []}, Reason.TOKEN_AUDIENCE_MISMATCH, id="an empty list of aud"),
        pytest.param({"exp": DROP}, Reason.TOKEN_CLAIM_MISSING, id="no exp"),
        pytest.param({"exp": NOW - 31}, Reason.TOKEN_EXPIRED, id="ended, whatever active says"),
        pytest.param({"exp": "soon"}, Reason.TOKEN_MALFORMED, id="exp in words"),
        pytest.param({"nbf": NOW + 60}, Reason.TOKEN_NOT_YET_VALID, id="not yet"),
        pytest.param({"iat": NOW + 60}, Reason.TOKEN_NOT_YET_VALID, id="issued in the future"),
        pytest.param({"sub": DROP}, Reason.TOKEN_CLAIM_MISSING, id="no sub"),
        pytest.param({"sub": 7}, Reason.TOKEN_MALFORMED, id="sub is a number"),
        pytest.param({"cnf": {"jkt": "x"}}, Reason.TOKEN_BINDING_MISSING, id="bound to a key"),
        pytest.param({"token_type": "DPoP"}, Reason.TOKEN_BINDING_MISSING, id="a DPoP token"),
        pytest.param({"token_type": "refresh_token"}, Reason.TOKEN_TYPE_NOT_ALLOWED, id="a refresh token"),
        pytest.param({"token_type": 7}, Reason.TOKEN_TYPE_NOT_ALLOWED, id="a type that is a number"),
        pytest.param({"typ": "Refresh"}, Reason.TOKEN_TYPE_NOT_ALLOWED, id="a refresh token of Keycloak"),
        pytest.param({"token_use": "refresh_token"}, Reason.TOKEN_TYPE_NOT_ALLOWED, id="a refresh token of Hydra"),
        pytest.param({"tenant": DROP}, Reason.TOKEN_CLAIM_MISSING, id="a required claim is absent"),
        pytest.param({"scope": 7}, Reason.TOKEN_MALFORMED, id="scope is a number"),
    ],
)
async def test_an_answer_is_checked_like_signed_claims(changes: dict[str, Any], reason: Reason) -> None:
    house = House(Idp(answer(**{"tenant": "t"} | changes)), required_claims=frozenset({"tenant"}))
    assert await house.reason() is reason


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": DROP}, id="no iss"),
        pytest.param({"token_type": DROP}, id="no token_type"),
        pytest.param({"aud": [AUDIENCE, "other"]}, id="several aud"),
        pytest.param({"typ": "Bearer", "nbf": NOW}, id="as Keycloak answers"),
        pytest.param({"client_id": DROP}, id="no client"),
    ],
)
async def test_what_the_standard_leaves_out_may_be_left_out(changes: dict[str, Any]) -> None:
    assert await House(Idp(answer(**changes))).verify() == "alice"


async def test_a_trusted_answer_needs_no_aud_but_a_wrong_one_is_refused() -> None:
    assert await House(Idp(answer(aud=DROP)), trusted=True).verify() == "alice"
    assert await House(Idp(answer(aud="other")), trusted=True).reason() is Reason.TOKEN_AUDIENCE_MISMATCH


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="HTML"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"true", id="a bare yes"),
        pytest.param(b"{}", id="no active"),
        pytest.param(b'{"active": "true"}', id="active in words"),
        pytest.param(b'{"active": 1}', id="active is 1"),
        pytest.param(b'{"active": null}', id="active is null"),
        pytest.param(b'{"active": false, "active": true}', id="active twice"),
        pytest.param(b'{"active": false, "Active": true}', id="Active in two cases"),
        pytest.param(b'{"active": true', id="cut short"),
        pytest.param(b"\xff", id="not UTF-8"),
    ],
)
async def test_an_answer_that_is_none_is_no_answer(body: bytes) -> None:
    house = House(Idp(body))
    with pytest.raises(IssuerUnavailable):
        await house.verify()
    assert house.told[0][1] == Outcome.BAD_CONTENT


async def test_an_issuer_that_does_not_answer_is_never_a_yes_and_the_next_question_asks_again() -> None:
    house = House()
    house.idp.failure = FetchFailed(Outcome.TIMEOUT, "slow")
    with pytest.raises(NotReady) as caught:  # which the door answers with UNAVAILABLE
        await house.verify()
    assert OPAQUE not in str(caught.value)
    house.idp.failure = None
    assert await house.verify() == "alice"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(" ", id="a space"),
        pytest.param("a b", id="a space inside"),
        pytest.param("a\r\nb", id="a line end"),
        pytest.param("é", id="not ASCII"),
        pytest.param("=", id="padding alone"),
        pytest.param("a=b", id="padding inside"),
        pytest.param("x" * 16_385, id="too long"),
    ],
)
async def test_what_no_token_looks_like_is_not_asked_about(text: str) -> None:
    house = House()
    assert await house.reason(text) is Reason.TOKEN_MALFORMED
    assert house.idp.asked == []


async def test_nothing_is_no_token() -> None:
    house = House()
    assert await house.reason("") is Reason.TOKEN_MISSING
    assert house.idp.asked == []


async def test_a_token_of_three_segments_is_judged_by_its_signature_alone() -> None:
    house = House()
    assert await house.verify(token()) == "alice"
    assert await house.reason("a.b.c") is Reason.TOKEN_MALFORMED
    assert house.idp.asked == []


async def test_without_introspection_an_opaque_token_is_malformed() -> None:
    with pytest.raises(TokenError) as caught:
        await JwtVerifier([issuer()], clock=lambda: NOW).verify(RawToken(OPAQUE), SERVER)
    assert caught.value.reason is Reason.TOKEN_MALFORMED


async def test_an_issuer_of_opaque_tokens_needs_no_algorithm() -> None:
    assert await House(algorithms=frozenset()).verify() == "alice"


def test_credentials_are_spelled_as_the_standard_wants() -> None:
    """RFC 6749 section 2.3.1: both are form-encoded first."""
    assert basic("a:b", "c d%é") == "Basic YSUzQWI6YytkJTI1JUMzJUE5"


async def test_the_secret_and_the_token_never_print() -> None:
    house = House()
    await house.verify()
    assert "s3cret" not in repr(house.opaque) + repr(vars(house.opaque).get("_active"))


@UNHURRIED
@given(
    st.binary(max_size=200)
    | st.dictionaries(st.text(max_size=8), st.none() | st.booleans() | st.integers() | st.text()).map(
        lambda d: json.dumps({"active": True} | d).encode()
    )
)
async def test_whatever_the_issuer_answers_the_outcome_is_ours(body: bytes) -> None:
    house = House(Idp(body))
    with pytest.raises((TokenError, IssuerUnavailable)):
        await house.verify()


async def test_over_http() -> None:
    def page(request: Request) -> Answer:
        form = parse_qs(request.body.decode())
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        return Answer(body=json.dumps(answer() if form["token"] == [OPAQUE] else {"active": False}).encode())

    async with provider() as idp:
        idp.pages["/introspect"] = page
        web = Web(guard=Guard())
        opaque = Introspection(
            issuer=issuer(opaque=True),
            web=web,
            url=parse(idp.url + "/introspect"),
            authorization=basic("sidecar", "s3cret"),
            trusted=False,
            clock=lambda: NOW,
            monotonic=lambda: 0.0,
            tell=lambda *_: None,
        )
        verifier = JwtVerifier([issuer(opaque=True)], clock=lambda: NOW, opaque=opaque)
        assert (await verifier.verify(RawToken(OPAQUE), SERVER)).subject == "alice"
        with pytest.raises(TokenError) as caught:
            await verifier.verify(RawToken("another"), SERVER)
        assert caught.value.reason is Reason.TOKEN_INACTIVE
        idp.pages["/introspect"] = Answer(401)
        with pytest.raises(IssuerUnavailable):
            await verifier.verify(RawToken("a-third"), SERVER)
        await web.close()
