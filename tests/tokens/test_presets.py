"""Presets: the documented token of each provider becomes the right caller, and its traps are refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from authz_sidecar import app
from authz_sidecar.errors import TokenError
from authz_sidecar.model import Principal, RawToken, Reason
from authz_sidecar.tokens import mint
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens import provider_tokens as shapes
from tests.tokens.makers import AUDIENCE, Clock, key, sign
from tests.tokens.provider_configs import configured
from tests.tokens.provider_tokens import API, OID, Shape


async def who(tmp_path: Path, shape: Shape, name: str, **changes: Any) -> Principal:
    """Verify a token of this shape as the sidecar would, from the configuration on."""
    (tmp_path / "jwks.json").write_text(json.dumps(mint.public_jwks([key("RS256")])))
    config = configured(name, **changes).based(tmp_path)
    header, claims = shape
    typ = header.get("typ")
    text = mint.mint(key("RS256"), claims, headers=header) if typ else _without_typ(header, claims)
    verifier = JwtVerifier(app.issuers(config), clock=Clock())
    return await verifier.verify(RawToken(text), app.servers(config)["ops"])


def _without_typ(header: dict[str, Any], claims: dict[str, Any]) -> str:
    return sign(json.dumps(header).encode(), json.dumps(claims).encode(), key("RS256"))


async def refusal(tmp_path: Path, shape: Shape, name: str, **changes: Any) -> TokenError:
    with pytest.raises(TokenError) as caught:
        await who(tmp_path, shape, name, **changes)
    return caught.value


@pytest.mark.parametrize(
    ("name", "shape", "subjects", "scopes"),
    [
        pytest.param(
            "keycloak",
            shapes.keycloak(),
            "client:mcp-inspector role:default-roles-corp role:offline_access role:support user:alice",
            "openid profile email tickets:write",
            id="keycloak, a user",
        ),
        pytest.param(
            "keycloak",
            shapes.keycloak_service(),
            "client:nightly role:default-roles-corp role:offline_access role:support",
            "openid profile email tickets:write",
            id="keycloak, a service account is a client and no user",
        ),
        pytest.param(
            "entra",
            shapes.entra_v2(),
            f"client:b1d2c3e4-0000-4a5b-8c6d-7e8f9a0b1c2d role:support user:{OID}",
            "tickets.read tickets.write",
            id="entra 2.0, a user",
        ),
        pytest.param(
            "entra-v1",
            shapes.entra_v1(),
            f"client:b1d2c3e4-0000-4a5b-8c6d-7e8f9a0b1c2d role:support user:{OID}",
            "tickets.read tickets.write",
            id="entra 1.0, a user",
        ),
        pytest.param(
            "entra",
            shapes.entra_app(),
            "client:b1d2c3e4-0000-4a5b-8c6d-7e8f9a0b1c2d role:Tickets.Read.All",
            "",
            id="entra 2.0, an app by the shape of its token",
        ),
        pytest.param(
            "entra",
            shapes.entra_app(idtyp="app"),
            "client:b1d2c3e4-0000-4a5b-8c6d-7e8f9a0b1c2d role:Tickets.Read.All",
            "",
            id="entra 2.0, an app that says so",
        ),
        pytest.param(
            "auth0",
            shapes.auth0(),
            "client:kL9mN8oP7qR6sT5uV4wX3yZ2 user:auth0|66f2a1b2c3d4e5f60718293a",
            "openid profile tickets:write",
            id="auth0, a user",
        ),
        pytest.param(
            "auth0",
            shapes.auth0_rfc9068(),
            "client:kL9mN8oP7qR6sT5uV4wX3yZ2 user:auth0|66f2a1b2c3d4e5f60718293a",
            "openid profile tickets:write",
            id="auth0, the RFC 9068 dialect",
        ),
        pytest.param(
            "auth0",
            shapes.auth0_machine(),
            "client:kL9mN8oP7qR6sT5uV4wX3yZ2",
            "tickets:read",
            id="auth0, a machine is a client and no user",
        ),
        pytest.param(
            "okta",
            shapes.okta(),
            "client:0oa9z8y7x6w5v4u3t2s1 group:Everyone group:Support user:alice@corp.example",
            "openid tickets:write",
            id="okta, a user",
        ),
        pytest.param(
            "okta",
            shapes.okta_service(groups=[]),
            "client:0oa9z8y7x6w5v4u3t2s1",
            "tickets:read",
            id="okta, a service is a client and no user",
        ),
        pytest.param(
            "google",
            shapes.google(),
            "client:1234987819200.apps.googleusercontent.com user:alice@corp.example",
            "",
            id="google, a workspace account",
        ),
        pytest.param(
            "authz",
            shapes.authz(),
            "client:https://inspector.example/client.json user:alice",
            "tickets:write",
            id="our own authorization server",
        ),
    ],
)
async def test_a_documented_token_becomes_its_caller(
    tmp_path: Path, name: str, shape: Shape, subjects: str, scopes: str
) -> None:
    found = await who(tmp_path, shape, name)
    assert (found.subjects, found.scopes) == (tuple(subjects.split()), frozenset(scopes.split()))
    assert found.subject == shape[1]["sub"]


MISSING, TYPE, AUD = Reason.TOKEN_CLAIM_MISSING, Reason.TOKEN_TYPE_NOT_ALLOWED, Reason.TOKEN_AUDIENCE_MISMATCH
FOREIGN = Reason.TOKEN_ISSUER_UNKNOWN


def without(shape: Shape, *names: str) -> Shape:
    return shape[0], {name: value for name, value in shape[1].items() if name not in names}


@pytest.mark.parametrize(
    ("name", "shape", "reason", "word"),
    [
        pytest.param("keycloak", shapes.keycloak(typ="ID"), TYPE, "typ", id="keycloak, an ID token"),
        pytest.param("keycloak", shapes.keycloak(typ="Refresh"), TYPE, "typ", id="keycloak, a refresh token"),
        pytest.param("keycloak", shapes.keycloak(aud="account"), AUD, "aud", id="keycloak without an audience mapper"),
        pytest.param(
            "keycloak",
            without(shapes.keycloak(), "realm_access"),
            MISSING,
            "realm_access",
            id="keycloak, a lightweight token without roles",
        ),
        pytest.param(
            "keycloak",
            shapes.keycloak(iss="https://sso.example/realms/dev"),
            FOREIGN,
            "iss",
            id="keycloak, another realm",
        ),
        pytest.param("entra", shapes.entra_id(), MISSING, "azp", id="entra, an ID token of the same app"),
        pytest.param("entra", shapes.entra_v1(), FOREIGN, "iss", id="entra 1.0 where 2.0 is configured"),
        pytest.param(
            "entra",
            shapes.entra_v2(iss="https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0"),
            FOREIGN,
            "iss",
            id="entra, a personal account",
        ),
        pytest.param("entra", shapes.entra_v2(aud=f"api://{API}"), AUD, "aud", id="entra, the audience of 1.0"),
        pytest.param("entra", without(shapes.entra_v2(), "roles"), MISSING, "roles", id="entra, no app role"),
        pytest.param("auth0", shapes.auth0(aud="https://corp.eu.auth0.com/userinfo"), AUD, "aud", id="auth0, no API"),
        pytest.param("auth0", shapes.auth0(at_hash="x"), TYPE, "at_hash", id="auth0, an ID token"),
        pytest.param(
            "okta", shapes.okta(iss="https://corp.okta.com"), FOREIGN, "iss", id="okta, the org authorization server"
        ),
        pytest.param("okta", shapes.okta_id(), TYPE, "at_hash", id="okta, an ID token"),
        pytest.param("okta", without(shapes.okta_id(), "at_hash"), MISSING, "cid", id="okta, an ID token by the code"),
        pytest.param("okta", without(shapes.okta(), "groups"), MISSING, "groups", id="okta without a groups claim"),
        pytest.param("google", without(shapes.google(), "hd"), MISSING, "hd", id="google, a private account"),
        pytest.param("google", shapes.google(hd="evil.example"), MISSING, "hd", id="google, another company"),
        pytest.param("google", shapes.google(hd=True), MISSING, "hd", id="google, a domain that is no string"),
        pytest.param(
            "google", shapes.google(email_verified=False), MISSING, "email", id="google, an unverified address"
        ),
        pytest.param(
            "google", shapes.google(aud="other.apps.googleusercontent.com"), AUD, "aud", id="google, another app"
        ),
        pytest.param("authz", ({"alg": "RS256", "typ": "JWT"}, shapes.authz()[1]), TYPE, "typ", id="ours, typ JWT"),
        pytest.param("authz", without(shapes.authz(), "client_id"), MISSING, "client_id", id="ours without a client"),
    ],
)
async def test_a_trap_of_a_provider_is_refused(
    tmp_path: Path, name: str, shape: Shape, reason: Reason, word: str
) -> None:
    error = await refusal(tmp_path, shape, name)
    assert error.reason is reason
    assert f"`{word}" in str(error)


async def test_groups_that_entra_left_out_are_missed(tmp_path: Path) -> None:
    """ "Groups overage claim": beyond 200 groups the token says where they are, in one of two ways."""
    source = {"src1": {"endpoint": "https://graph.example/v1.0/users/x/getMemberObjects"}}
    for cut in ({"_claim_names": {"groups": "src1"}, "_claim_sources": source}, {"hasgroups": True}):
        error = await refusal(tmp_path, shapes.entra_v2(**cut), "entra", groups_claim="groups")
        assert error.reason is MISSING
    found = await who(tmp_path, shapes.entra_v2(groups=["g-1"]), "entra", groups_claim="groups")
    assert "group:g-1" in found.subjects


async def test_an_optional_claim_may_be_absent_but_not_cut_short(tmp_path: Path) -> None:
    optional = {"optional_claims": ["roles"]}
    found = await who(tmp_path, without(shapes.entra_v2(), "roles"), "entra", **optional)
    assert found.groups == frozenset()
    cut = without(shapes.entra_v2(_claim_names={"roles": "src1"}), "roles")
    assert (await refusal(tmp_path, cut, "entra", **optional)).reason is MISSING
    assert (await refusal(tmp_path, shapes.entra_v2(roles=None), "entra", **optional)).reason is MISSING


@pytest.mark.parametrize(
    ("name", "change", "shape", "role"),
    [
        pytest.param("keycloak", {"roles_claim": 'resource_access."ops.assistant".roles'}, shapes.keycloak(),
                     "role:ticket-writer", id="the roles of a client whose name has a dot"),
        pytest.param("keycloak", {"roles_claim": ["realm_access.roles", "resource_access.account.roles"]},
                     shapes.keycloak(), "role:view-profile", id="the roles of the realm and of a client"),
        pytest.param("auth0", {"roles_claim": "https://corp.example/roles"}, shapes.auth0(), "role:support",
                     id="the namespaced claim of an Action"),
        pytest.param("auth0", {"roles_claim": "permissions"}, shapes.auth0(), "role:tickets:write",
                     id="the permissions of RBAC"),
        pytest.param("okta", {"groups_claim": "", "roles_claim": "groups"}, shapes.okta(), "role:Support",
                     id="groups as roles"),
    ],
)  # fmt: skip
async def test_a_key_that_is_given_wins(
    tmp_path: Path, name: str, change: dict[str, Any], shape: Shape, role: str
) -> None:
    assert role in (await who(tmp_path, shape, name, **change)).groups


async def test_the_user_may_be_a_verified_address_or_another_claim(tmp_path: Path) -> None:
    by_address = {"user_claim": "email"}
    assert (await who(tmp_path, shapes.keycloak(), "keycloak", **by_address)).user == "user:alice@corp.example"
    unverified = await refusal(tmp_path, shapes.keycloak(email_verified=False), "keycloak", **by_address)
    assert unverified.reason is MISSING
    # Entra never says `email_verified`: whoever may edit a profile would be anybody (nOAuth).
    assert (
        await refusal(tmp_path, shapes.entra_v2(email="root@corp.example"), "entra", **by_address)
    ).reason is MISSING
    assert (await who(tmp_path, shapes.okta(), "okta", user_claim="uid")).user == "user:00u1a2b3c4d5e6f7g8h9"


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        pytest.param("keycloak", shapes.keycloak(preferred_username="service-account-mcp-inspector"),
                     id="keycloak, a user who registered the name of a service account"),
        pytest.param("keycloak", shapes.keycloak_service(azp="other", client_id="other"),
                     id="keycloak, a service account at another client"),
        pytest.param("entra", shapes.entra_v2(sub=OID), id="entra, a user whose sub is the oid"),
        pytest.param("entra", shapes.entra_app(idtyp="user"), id="entra, a token that says it has a user"),
        pytest.param("auth0", shapes.auth0(sub="other@clients"), id="auth0, the machine of another client"),
    ],
)  # fmt: skip
async def test_a_token_with_a_user_is_not_taken_for_a_client(tmp_path: Path, name: str, shape: Shape) -> None:
    assert (await who(tmp_path, shape, name)).user is not None


async def test_an_override_replaces_the_audience_for_its_issuer_alone(tmp_path: Path) -> None:
    assert (await who(tmp_path, shapes.google(), "google")).user
    assert (await refusal(tmp_path, shapes.google(aud=AUDIENCE), "google")).reason is AUD
