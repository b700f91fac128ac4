"""Good tokens: every algorithm, every way to spell a claim."""

from collections.abc import Mapping
from typing import Any

import pytest

from authz_sidecar.errors import TokenError
from authz_sidecar.model import RawToken, Reason
from authz_sidecar.tokens.keyset import KeySet
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import (
    AUDIENCE,
    DROP,
    ISSUER,
    NOW,
    SECRET,
    SERVER,
    Clock,
    claim_bytes,
    claims,
    header_bytes,
    issuer,
    key,
    keyset,
    sign,
    token,
)
from tests.tokens.verifying import refusal, verified

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]


def signer(algorithm: str) -> Mapping[str, Any]:
    if algorithm == "HS256":
        return SECRET
    # One RSA key serves all RSA algorithms, as at providers; it is slow to make.
    return key("RS256") | {"alg": algorithm} if algorithm[:2] in ("RS", "PS") else key(algorithm)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "HS256"])
async def test_each_algorithm_verifies_with_its_own_key(algorithm: str) -> None:
    record = signer(algorithm)
    by = issuer(algorithms=frozenset({algorithm}), keys=keyset(record))
    who = await verified(token(signer=record), by)
    assert (who.user, who.client, who.issuer, who.subject) == ("user:alice", "client:cli", ISSUER, "alice")


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "HS256"])
async def test_each_algorithm_refuses_another_signature(algorithm: str) -> None:
    record = signer(algorithm)
    by = issuer(algorithms=frozenset({algorithm}), keys=keyset(record))
    head, payload, _ = token(signer=record).split(".")
    _, _, signature = token(signer=record, sub="mallory").split(".")
    assert await refusal(f"{head}.{payload}.{signature}", by) is Reason.TOKEN_SIGNATURE_INVALID


@pytest.mark.parametrize("configured", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("recorded", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("presented", ["EdDSA", "Ed25519"])
async def test_the_two_names_of_ed25519_are_one_algorithm(configured: str, recorded: str, presented: str) -> None:
    record = key(recorded)
    by = issuer(algorithms=frozenset({configured}), keys=keyset(record))
    assert await verified(token(signer=record, header={"alg": presented}), by)


@pytest.mark.parametrize(
    ("fitting", "reason"),
    [
        pytest.param(["ES256", "RS256"], None, id="one of the keys fits"),
        pytest.param(["ES256", "second"], Reason.TOKEN_KEY_UNKNOWN, id="two keys fit"),
        pytest.param(["RS256"], Reason.TOKEN_ALGORITHM_NOT_ALLOWED, id="no key fits"),
    ],
)
async def test_a_token_without_kid_needs_exactly_one_fitting_key(fitting: list[str], reason: Reason | None) -> None:
    keys = [key("ES256", "second") if name == "second" else key(name) for name in fitting]
    text = sign(header_bytes(kid=DROP), claim_bytes())
    by = issuer(keys=keyset(*keys))
    if reason is None:
        assert await verified(text, by)
    else:
        assert await refusal(text, by) is reason


async def test_an_issuer_without_keys_verifies_nothing() -> None:
    assert await refusal(token(), issuer(keys=KeySet())) is Reason.TOKEN_KEY_UNKNOWN
    assert await refusal(sign(header_bytes(kid=DROP), claim_bytes()), issuer(keys=KeySet())) is Reason.TOKEN_KEY_UNKNOWN


@pytest.mark.parametrize("kid", [DROP, "whatever the provider calls it"])
async def test_a_lone_key_without_kid_answers_for_any_kid(kid: Any) -> None:
    by = issuer(keys=keyset({name: value for name, value in key("ES256").items() if name != "kid"}))
    assert await verified(sign(header_bytes(kid=kid), claim_bytes()), by)


@pytest.mark.parametrize(
    "typ", ["at+jwt", "AT+JWT", "application/at+jwt", "JWT", "jwt", DROP, "", "Application/At+Jwt"]
)
async def test_an_access_token_may_be_called(typ: Any) -> None:
    assert await verified(sign(header_bytes(typ=typ), claim_bytes()))


@pytest.mark.parametrize(
    "marks",
    [
        pytest.param({"typ": "Bearer"}, id="an access token of Keycloak"),
        pytest.param({"token_use": "access"}, id="an access token of Cognito"),
        pytest.param({"typ": "JWT"}, id="a type that the header may have"),
        pytest.param({"nonce": "n"}, id="a nonce, which older Keycloaks copy into access tokens"),
    ],
)
async def test_a_claim_may_say_that_this_is_an_access_token(marks: dict[str, Any]) -> None:
    assert await verified(token(**marks))


@pytest.mark.parametrize("marks", [{"typ": "ID"}, {"at_hash": "x"}, {"token_use": "id"}])
async def test_id_tokens_are_accepted_only_where_the_issuer_says_so(marks: dict[str, Any]) -> None:
    assert await refusal(token(**marks)) is Reason.TOKEN_TYPE_NOT_ALLOWED
    assert await verified(token(**marks), issuer(types=frozenset({"at+jwt", "id_token"})))


@pytest.mark.parametrize(
    ("change", "now", "reason"),
    [
        pytest.param({"exp": NOW}, NOW + 29.9, None, id="ended within the leeway"),
        pytest.param({"exp": NOW}, NOW + 30, Reason.TOKEN_EXPIRED, id="ended a leeway ago"),
        pytest.param({"nbf": NOW}, NOW - 30, None, id="counts within the leeway"),
        pytest.param({"nbf": NOW}, NOW - 31, Reason.TOKEN_NOT_YET_VALID, id="counts later"),
        pytest.param({"iat": NOW}, NOW - 30, None, id="issued within the leeway"),
        pytest.param({"iat": NOW}, NOW - 31, Reason.TOKEN_NOT_YET_VALID, id="issued later"),
        pytest.param({"iat": DROP, "nbf": DROP}, NOW, None, id="neither nbf nor iat"),
        pytest.param({"exp": NOW + 0.5, "nbf": NOW + 0.25}, NOW, None, id="fractions of a second"),
        pytest.param({"exp": 253_402_300_799}, NOW, None, id="the last second of the year 9999"),
    ],
)
async def test_time(change: dict[str, Any], now: float, reason: Reason | None) -> None:
    text = token(**{"iat": DROP} | change)
    if reason is None:
        assert (await verified(text, now=now)).expires_at == claims(**change)["exp"]
    else:
        assert await refusal(text, now=now) is reason


@pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["https://other.example", AUDIENCE]], ids=str)
async def test_the_audience_may_be_one_or_several(aud: Any) -> None:
    assert await verified(token(aud=aud))


@pytest.mark.parametrize(
    ("change", "scopes"),
    [
        pytest.param({}, set(), id="none"),
        pytest.param({"scope": ""}, set(), id="an empty string"),
        pytest.param({"scope": "a b  a "}, {"a", "b"}, id="a string with spaces"),
        pytest.param({"scope": ["a", "b"]}, {"a", "b"}, id="a list in scope"),
        pytest.param({"scp": "a b"}, {"a", "b"}, id="a string in scp"),
        pytest.param({"scp": ["a", "b"]}, {"a", "b"}, id="a list in scp"),
        pytest.param({"scopes": ["a"]}, {"a"}, id="a list in scopes"),
        pytest.param({"scope": "a", "scp": ["b"], "scopes": "c"}, {"a", "b", "c"}, id="all three"),
    ],
)
async def test_scopes(change: dict[str, Any], scopes: set[str]) -> None:
    assert (await verified(token(**{"scope": DROP} | change))).scopes == scopes


@pytest.mark.parametrize("change", [{}, {"tenant": None}], ids=["absent", "null"])
async def test_a_required_claim_must_be_there(change: dict[str, Any]) -> None:
    by = issuer(required_claims=frozenset({"tenant", "sub"}))
    assert await verified(token(tenant="t"), by)
    assert await refusal(token(**change), by) is Reason.TOKEN_CLAIM_MISSING


async def test_conditions_see_only_listed_claims_and_cannot_change_them() -> None:
    by = issuer(condition_claims=frozenset({"dept", "x.y", "absent"}))
    who = await verified(token(dept={"ids": [1, {"a": [2]}]}, x={"y": 9007199254740993}, secret="no"), by)
    assert dict(who.claims) == {"dept": {"ids": (1, {"a": (2,)})}, "x.y": 9007199254740993}
    with pytest.raises(TypeError):
        who.claims["dept"]["ids"] = ()  # type: ignore[index] # the point of the test


async def test_a_token_with_exactly_the_longest_length_is_read() -> None:
    # Three bytes make four characters; the last few are found by trying.
    about = (16_384 - len(token(x=""))) * 3 // 4
    lengths = {len(text): text for n in range(about - 4, about + 4) if len(text := token(x="x" * n)) <= 16_384}
    assert max(lengths) >= 16_383
    assert await verified(lengths[max(lengths)])


async def test_a_smaller_limit_holds() -> None:
    text = token()
    verifier = JwtVerifier([issuer()], clock=Clock(), max_bytes=len(text) - 1)
    with pytest.raises(TokenError) as caught:
        await verifier.verify(RawToken(text), SERVER)
    assert caught.value.reason is Reason.TOKEN_MALFORMED


@pytest.mark.parametrize(("by_key", "by_issuer"), [(True, False), (False, True), (False, False)])
async def test_development_is_said_by_the_key_or_the_issuer(by_key: bool, by_issuer: bool) -> None:
    record = key("ES256") | ({"authz_development": True} if by_key else {})
    who = await verified(token(), issuer(keys=keyset(record), development=by_issuer))
    assert who.development is (by_key or by_issuer)
