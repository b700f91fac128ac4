"""The names that come of a good token: its user, client, agent, roles and groups."""

from typing import Any

import pytest

from authz_sidecar.model import Reason
from tests.tokens.makers import DROP, ISSUER, issuer, token
from tests.tokens.verifying import refusal, verified


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
