"""Issuers: what cannot be configured, and that one issuer's key never speaks for another."""

from typing import Any

import pytest

from authz_sidecar.errors import ConfigError, TokenError
from authz_sidecar.model import RawToken, Reason
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import ISSUER, SERVER, Clock, claim_bytes, header_bytes, issuer, key, keyset, sign, token

OTHER = "https://other.example"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param({"alias": ""}, "alias", id="no alias"),
        pytest.param({"alias": "a/b"}, "`a/b`", id="an alias with a slash"),
        pytest.param({"alias": "main\n"}, "alias", id="an alias with a line end"),
        pytest.param({"issuer": ""}, "exact `issuer`", id="no issuer"),
        pytest.param({"algorithms": frozenset()}, "no algorithms", id="no algorithms"),
        pytest.param({"algorithms": frozenset({"ES256", "none"})}, "`none`", id="none among the algorithms"),
        pytest.param({"algorithms": frozenset({"HS512"})}, "`HS512`", id="an algorithm that we do not know"),
        pytest.param({"user_claim": ""}, "user_claim", id="no user claim"),
        pytest.param({"leeway": -1.0}, "leeway", id="a negative leeway"),
        pytest.param({"leeway": 301.0}, "leeway", id="a long leeway"),
        pytest.param({"leeway": float("nan")}, "leeway", id="a leeway that is no number"),
        pytest.param({"leeway": float("inf")}, "leeway", id="an infinite leeway"),
    ],
)
def test_an_issuer_that_could_be_misread_cannot_be_made(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        issuer(**change)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        pytest.param({"alias": "two", "qualify": True}, "same `issuer`", id="the same iss"),
        pytest.param({"issuer": OTHER, "qualify": True}, "same alias", id="the same alias"),
        pytest.param({"issuer": OTHER, "alias": "two"}, "qualified", id="names that are not qualified"),
    ],
)
def test_two_issuers_that_could_be_confused_are_refused(second: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        JwtVerifier([issuer(qualify=True), issuer(**second)], clock=Clock())
    assert words in str(caught.value)


async def test_without_issuers_every_token_is_foreign() -> None:
    with pytest.raises(TokenError) as caught:
        await JwtVerifier([], clock=Clock()).verify(RawToken(token()), SERVER)
    assert caught.value.reason is Reason.TOKEN_ISSUER_UNKNOWN


async def test_a_key_speaks_for_its_own_issuer_alone() -> None:
    """Both issuers have a key of the same kid; a cache by kid alone would mix them up."""
    ours, theirs = key("ES256"), key("ES256", "theirs") | {"kid": key("ES256")["kid"]}
    verifier = JwtVerifier(
        [
            issuer(alias="ours", qualify=True, keys=keyset(ours)),
            issuer(alias="theirs", issuer=OTHER, qualify=True, keys=keyset(theirs)),
        ],
        clock=Clock(),
    )
    for iss, signer, user in ((ISSUER, ours, "user:ours/alice"), (OTHER, theirs, "user:theirs/alice")):
        text = sign(header_bytes(), claim_bytes(iss=iss), signer)
        assert (await verifier.verify(RawToken(text), SERVER)).user == user
    for iss, signer in ((OTHER, ours), (ISSUER, theirs)):
        text = sign(header_bytes(), claim_bytes(iss=iss), signer)
        with pytest.raises(TokenError) as caught:
            await verifier.verify(RawToken(text), SERVER)
        assert caught.value.reason is Reason.TOKEN_SIGNATURE_INVALID
