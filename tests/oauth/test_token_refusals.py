"""What the token endpoint refuses, each with the exact word of the RFC, and what it revokes then."""

from collections.abc import Mapping

import pytest

from authz_sidecar.oauth.pkce import generate_pkce_pair
from tests.oauth.world import BILLING, CALLBACK, SECRET, TICKETS, World, confidential, query


@pytest.mark.parametrize(
    ("changes", "status", "error", "spends"),
    [
        pytest.param({"code_verifier": "x" * 43}, 400, "invalid_grant", True, id="a wrong verifier"),
        pytest.param({"code_verifier": "short"}, 400, "invalid_grant", True, id="a verifier that is none"),
        pytest.param({"code_verifier": None}, 400, "invalid_request", False, id="no verifier"),
        pytest.param({"code": None}, 400, "invalid_request", False, id="no code"),
        pytest.param({"code": "guess"}, 400, "invalid_grant", False, id="a guessed code"),
        pytest.param({"redirect_uri": CALLBACK + "2"}, 400, "invalid_grant", True, id="another redirect URI"),
        pytest.param({"client_id": "other"}, 400, "invalid_grant", True, id="the code of another client"),
        pytest.param({"client_id": "stranger"}, 401, "invalid_client", False, id="an unknown client"),
        pytest.param({"client_id": None}, 401, "invalid_client", False, id="no client"),
        pytest.param({"resource": BILLING}, 400, "invalid_target", True, id="another resource"),
        pytest.param({"resource": "https://evil.example"}, 400, "invalid_target", False, id="an unknown resource"),
        pytest.param({"client_secret": "guess"}, 401, "invalid_client", False, id="a public client with a secret"),
        pytest.param({"grant_type": "password"}, 400, "unsupported_grant_type", False, id="the password grant"),
        pytest.param({"grant_type": None}, 400, "invalid_request", False, id="no grant type"),
        pytest.param({"grant_type": "client_credentials"}, 400, "unauthorized_client", False, id="another grant type"),
    ],
)
async def test_a_wrong_redemption_is_refused(
    server: World, changes: Mapping[str, str | None], status: int, error: str, spends: bool
) -> None:
    await server.add(id="other")
    said, verifier = await server.authorize()
    response = await server.redeem(said["code"], verifier, **changes)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert response.headers["cache-control"] == "no-store"
    again = await server.redeem(said["code"], verifier)
    assert (again.status_code == 400) is spends
    assert bool(server.sidecar.heard) is spends


async def test_a_code_used_twice_revokes_its_family(server: World) -> None:
    said, verifier = await server.authorize()
    first = (await server.redeem(said["code"], verifier)).json()
    assert await server.core.tokens.active(first["access_token"]) is not None
    second = await server.redeem(said["code"], verifier)
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    (heard,) = server.sidecar.heard
    assert (heard.kind, heard.value) == ("family", server.claims(first["access_token"])["grant_id"])
    assert heard.reason == "code_replayed"
    assert await server.core.tokens.active(first["access_token"]) is None
    assert (await server.refresh(first["refresh_token"])).json()["error"] == "invalid_grant"
    await server.redeem(said["code"], verifier)
    assert len(server.sidecar.heard) == 1


async def test_a_code_ends_after_a_minute(server: World) -> None:
    said, verifier = await server.authorize()
    server.now.now += 61
    assert (await server.redeem(said["code"], verifier)).json()["error"] == "invalid_grant"
    assert server.sidecar.heard == []


async def test_a_code_of_a_withdrawn_grant_is_worth_nothing(server: World) -> None:
    said, verifier = await server.authorize()
    (grant,) = await server.core.grants.of("alice")
    await server.core.grants.revoke(grant.id, "withdrawn")
    assert (await server.redeem(said["code"], verifier)).json()["error"] == "invalid_grant"


async def test_a_refresh_token_used_twice_revokes_its_family(server: World) -> None:
    first = await server.granted()
    second = (await server.refresh(first["refresh_token"])).json()
    replay = await server.refresh(first["refresh_token"])
    assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
    assert (await server.refresh(second["refresh_token"])).json()["error"] == "invalid_grant"
    assert await server.core.tokens.active(second["access_token"]) is None
    assert [one.reason for one in server.sidecar.heard] == ["refresh_replayed"]


@pytest.mark.parametrize(
    ("changes", "status", "error", "spends"),
    [
        pytest.param({"scope": "tickets:read tickets:write"}, 400, "invalid_scope", False, id="a wider scope"),
        pytest.param({"scope": "billing:read"}, 400, "invalid_scope", False, id="a scope of another resource"),
        pytest.param({"resource": BILLING}, 400, "invalid_target", False, id="another resource"),
        pytest.param({"resource": "https://evil.example"}, 400, "invalid_target", False, id="an unknown resource"),
        pytest.param({"client_id": "other"}, 400, "invalid_grant", True, id="the token of another client"),
        pytest.param({"refresh_token": "guess"}, 400, "invalid_grant", False, id="a guessed token"),
        pytest.param({"refresh_token": None}, 400, "invalid_request", False, id="no token"),
    ],
)
async def test_a_wrong_refresh_is_refused(
    server: World, changes: Mapping[str, str | None], status: int, error: str, spends: bool
) -> None:
    await server.add(id="other")
    told = await server.granted(scope="tickets:read")
    response = await server.refresh(told["refresh_token"], **changes)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert ((await server.refresh(told["refresh_token"])).status_code == 400) is spends


@pytest.mark.parametrize(
    ("auth", "given", "status", "error"),
    [
        pytest.param(("web", "guess"), {}, 401, "invalid_client", id="a wrong secret in the header"),
        pytest.param(("web", ""), {}, 401, "invalid_client", id="no secret in the header"),
        pytest.param(("stranger", SECRET), {}, 401, "invalid_client", id="an unknown client in the header"),
        pytest.param(None, {"client_id": "web"}, 401, "invalid_client", id="no secret"),
        pytest.param(None, {"client_id": "web", "client_secret": "x"}, 401, "invalid_client", id="a wrong secret"),
        pytest.param(("web", SECRET), {"client_secret": SECRET}, 400, "invalid_request", id="two ways at once"),
        pytest.param(("web", SECRET), {"client_id": "app"}, 400, "invalid_request", id="two clients at once"),
        pytest.param(("web", SECRET), {"client_assertion": "a.b.c"}, 400, "invalid_request", id="a secret and a JWT"),
        pytest.param(None, {"client_assertion": "a.b.c"}, 400, "invalid_request", id="a JWT of no type"),
    ],
)
async def test_a_client_that_cannot_prove_itself_is_refused(
    server: World, auth: tuple[str, str] | None, given: Mapping[str, str], status: int, error: str
) -> None:
    await server.add(id="web", grant_types=frozenset({"client_credentials"}), **confidential())
    response = await server.post("token", auth, grant_type="client_credentials", resource=TICKETS, **given)
    assert (response.status_code, response.json()["error"]) == (status, error)
    assert ("www-authenticate" in response.headers) is (status == 401 and auth is not None)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param("Bearer x", id="another scheme"),
        pytest.param("Basic !!!", id="no base64"),
        pytest.param("Basic /w==", id="no UTF-8"),
        pytest.param("Basic d2Vi", id="no colon"),
    ],
)
async def test_a_header_that_cannot_be_read_proves_nothing(server: World, header: str) -> None:
    response = await server.http.post(
        "/token", data={"grant_type": "client_credentials"}, headers={"authorization": header}
    )
    assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("kind", "content", "hint"),
    [
        pytest.param("application/json", b"{}", "must be", id="JSON"),
        pytest.param("application/x-www-form-urlencoded", b"grant_type=%ff", "UTF-8", id="no UTF-8"),
        pytest.param("application/x-www-form-urlencoded", b"a=1&a=2", "more than once", id="a repeated field"),
        pytest.param("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 99), "too many", id="too many fields"),
        pytest.param("application/x-www-form-urlencoded", b"a=" + b"x" * 70_000, "larger", id="a body without end"),
    ],
)
async def test_a_body_that_is_no_form_is_refused(server: World, kind: str, content: bytes, hint: str) -> None:
    response = await server.http.post("/token", content=content, headers={"content-type": kind})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    assert hint in response.json()["error_description"]


async def test_only_clients_of_the_operator_act_for_themselves(server: World) -> None:
    from authz_sidecar.oauth.client import Origin

    own = frozenset({"client_credentials"})
    await server.add(id="public", grant_types=own)
    await server.add(id="registered", origin=Origin.REGISTERED, grant_types=own, **confidential())
    for response in (
        await server.token(grant_type="client_credentials", client_id="public", resource=TICKETS),
        await server.post("token", ("registered", SECRET), grant_type="client_credentials", resource=TICKETS),
    ):
        assert response.json()["error"] == "unauthorized_client"


async def test_a_person_called_like_the_client_gets_no_token_that_reads_like_the_clients(server: World) -> None:
    from authz_sidecar.oauth.door import Person

    server.door.people["app"] = Person(subject="app")
    await server.authorize()
    request = server.door.seen[-1]
    verifier, challenge = generate_pkce_pair()
    request = await server.core.authorizations.read(server.asking(challenge).items())
    location = await server.core.authorizations.issue_code(request, "app", request.scopes, auth_time=0.0)
    response = await server.redeem(query(location)["code"][0], verifier)
    assert response.json()["error"] == "invalid_grant"
