"""Good tokens: every algorithm, every way to spell a claim, and the names that come of them."""

from collections.abc import Mapping
from typing import Any

import pytest

from authz_sidecar.errors import TokenError
from authz_sidecar.model import Principal, RawToken, Reason
from authz_sidecar.tokens.issuer import Issuer
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

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]


async def verified(text: str, by: Issuer | None = None, now: float = NOW) -> Principal:
    return await JwtVerifier([by or issuer()], clock=Clock(now)).verify(RawToken(text), SERVER)


async def refusal(text: str, by: Issuer | None = None, now: float = NOW) -> Reason:
    with pytest.raises(TokenError) as caught:
        await verified(text, by, now)
    return caught.value.reason


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


@pytest.mark.parametrize("claim", ["client_id", "azp", "appid", "cid"])
async def test_the_client_has_several_spellings(claim: str) -> None:
    who = await verified(token(**{"client_id": DROP, claim: "portal"}))
    assert (who.client_id, who.client, who.user) == ("portal", "client:portal", "user:alice")


async def test_client_id_comes_before_azp() -> None:
    assert (await verified(token(client_id="a", azp="b"))).client_id == "a"


async def test_a_token_that_a_client_got_for_itself_has_no_user() -> None:
    who = await verified(token(sub="cli", client_id="cli"))
    assert (who.user, who.client, who.subject) == (None, "client:cli", "cli")
    assert who.caller == {"client:cli"}


async def test_a_token_without_a_client_has_only_a_user() -> None:
    who = await verified(token(client_id=DROP, jti=DROP))
    assert (who.client, who.client_id, who.token_id, who.subjects) == (None, "", "", ("user:alice",))


@pytest.mark.parametrize(
    ("change", "user"),
    [
        pytest.param({"email": "a@x.example", "email_verified": True}, "user:a@x.example", id="a verified address"),
        pytest.param({"email": "a@x.example"}, None, id="an address that nobody verified"),
        pytest.param({"email": "a@x.example", "email_verified": "true"}, None, id="a string that says true"),
        pytest.param({"email_verified": True}, None, id="no address"),
        pytest.param({"email": None, "email_verified": True}, None, id="a null address"),
    ],
)
async def test_an_address_names_the_user_only_when_verified(change: dict[str, Any], user: str | None) -> None:
    by = issuer(user_claim="email")
    if user is None:
        assert await refusal(token(**change), by) is Reason.TOKEN_CLAIM_MISSING
    else:
        assert (await verified(token(**change), by)).user == user


async def test_another_claim_may_name_the_user() -> None:
    by = issuer(user_claim="profile.login")
    assert (await verified(token(profile={"login": "al"}), by)).user == "user:al"
    assert await refusal(token(), by) is Reason.TOKEN_CLAIM_MISSING
    assert (await verified(token(sub="cli", client_id="cli"), by)).user is None
    assert (await verified(token(sub="cli", client_id="cli", profile={"login": "al"}), by)).user == "user:al"


async def test_the_outermost_actor_becomes_the_agent() -> None:
    who = await verified(token(act={"sub": "bot", "iss": ISSUER, "act": {"sub": "older-bot"}}))
    assert (who.agent, who.actor) == ("agent:bot", "bot")


ROLES = "realm_access.roles"


@pytest.mark.parametrize(
    ("path", "change", "roles"),
    [
        pytest.param(ROLES, {"realm_access": {"roles": ["a", "b"]}}, {"role:a", "role:b"}, id="along the dots"),
        pytest.param(ROLES, {"realm_access": {"roles": []}}, set(), id="an empty list"),
        pytest.param("role", {"role": "a b"}, {"role:a b"}, id="one string is one name"),
        pytest.param("https://x.example/roles", {"https://x.example/roles": ["a"]}, {"role:a"}, id="a name with dots"),
        pytest.param("a.b", {"a.b": ["literal"], "a": {"b": ["path"]}}, {"role:literal"}, id="the literal name first"),
        pytest.param("roles", {"roles": ["role:admin"]}, {"role:role:admin"}, id="a role cannot spell its prefix"),
        pytest.param(ROLES, {}, None, id="absent"),
        pytest.param(ROLES, {"realm_access": {}}, None, id="absent at the end of the path"),
        pytest.param(ROLES, {"realm_access": "roles"}, None, id="a string on the path"),
        pytest.param(ROLES, {"realm_access": {"roles": None}}, None, id="null"),
        pytest.param("roles", {"roles": ["a"], "_claim_names": {"roles": "src1"}}, None, id="kept elsewhere"),
        pytest.param("a.b", {"a": {"b": ["c"]}, "_claim_names": {"a": "src1"}}, None, id="its parent kept elsewhere"),
        pytest.param("roles", {"roles": ["a"], "_claim_names": 7}, None, id="unreadable _claim_names"),
        pytest.param("groups", {"groups": ["a"], "hasgroups": True}, None, id="hasgroups"),
        pytest.param("groups", {"groups": ["a"], "hasgroups": "true"}, None, id="hasgroups as a string"),
        pytest.param("groups", {"groups": ["a"], "hasgroups": False}, {"role:a"}, id="hasgroups false"),
        pytest.param("roles", {"roles": ["a"], "_claim_names": {"groups": "src1"}}, {"role:a"}, id="another elsewhere"),
    ],
)
async def test_roles(path: str, change: dict[str, Any], roles: set[str] | None) -> None:
    by = issuer(roles_claim=path)
    if roles is None:
        assert await refusal(token(**change), by) is Reason.TOKEN_CLAIM_MISSING
    else:
        assert (await verified(token(**change), by)).groups == roles


@pytest.mark.parametrize("value", [7, [7], [""], "", {"a": 1}, [["a"]], ["a\nb"], True], ids=repr)
async def test_roles_that_are_no_names_are_refused(value: Any) -> None:
    assert await refusal(token(roles=value), issuer(roles_claim="roles")) is Reason.TOKEN_MALFORMED


async def test_claims_become_roles_only_where_configured() -> None:
    assert (await verified(token(roles=["admin"], groups=["ops"], hasgroups=True))).groups == frozenset()


async def test_roles_and_groups_add_up() -> None:
    who = await verified(token(r=["a"], groups=["a"]), issuer(roles_claim="r", groups_claim="groups"))
    assert who.groups == {"role:a", "group:a"}


async def test_qualified_names_say_whose_they_are() -> None:
    by = issuer(alias="corp", qualify=True, roles_claim="r", groups_claim="g")
    who = await verified(token(r=["admin"], g=["ops"], act={"sub": "bot"}), by)
    assert who.subjects == ("agent:corp/bot", "client:corp/cli", "group:corp/ops", "role:corp/admin", "user:corp/alice")
    assert (who.subject, who.client_id, who.actor) == ("alice", "cli", "bot")


@pytest.mark.parametrize("sub", ["role:admin", "*", "Alice", "ﬁ", "é", "e\u0301", "a/b", 's"x', "a,b", " a "])
async def test_a_name_is_taken_as_it_stands(sub: str) -> None:
    who = await verified(token(sub=sub))
    assert (who.user, who.subject) == (f"user:{sub}", sub)


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
