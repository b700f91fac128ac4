"""Metadata, registration, revocation and introspection."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from authz_sidecar.oauth.client import Origin
from tests.oauth.world import CALLBACK, ISSUER, SECRET, TICKETS, World, confidential, world


async def test_metadata_stands_at_every_place_where_clients_look(tmp_path: Path) -> None:
    async with world(tmp_path, issuer="https://as.example/tenant") as made:
        for place in (
            "/.well-known/oauth-authorization-server/tenant",
            "/.well-known/openid-configuration/tenant",
            "/tenant/.well-known/openid-configuration",
        ):
            response = await made.http.get(f"https://as.example{place}")
            told = response.json()
            assert response.headers["access-control-allow-origin"] == "*"
            assert told["issuer"] == "https://as.example/tenant"
            assert told["authorization_endpoint"] == "https://as.example/tenant/authorize"
        keys = (await made.http.get(told["jwks_uri"])).json()["keys"]
        assert not {"d", "p", "q"} & set(keys[0])


async def test_metadata_says_what_is_true(server: World) -> None:
    told = (await server.http.get("/.well-known/oauth-authorization-server")).json()
    assert told["issuer"] == ISSUER
    assert told["response_types_supported"] == ["code"]
    assert told["code_challenge_methods_supported"] == ["S256"]
    assert told["authorization_response_iss_parameter_supported"] is True
    assert told["client_id_metadata_document_supported"] is True
    assert "none" in told["token_endpoint_auth_methods_supported"]
    assert told["grant_types_supported"] == ["authorization_code", "refresh_token", "client_credentials"]
    assert "authorization_grant_profiles_supported" not in told
    assert "offline_access" not in told["scopes_supported"]
    for name in ("token", "register", "revoke", "introspect"):
        key = {"register": "registration", "revoke": "revocation", "introspect": "introspection"}.get(name, name)
        assert told[f"{key}_endpoint"] == f"{ISSUER}/{name}"
        assert (await server.http.options(f"/{name}")).headers["access-control-allow-methods"] == "GET, POST, OPTIONS"


async def test_what_is_switched_off_is_not_there(tmp_path: Path) -> None:
    async with world(tmp_path, registration=False, client_documents=False) as made:
        told = (await made.http.get("/.well-known/oauth-authorization-server")).json()
        assert "registration_endpoint" not in told
        assert told["client_id_metadata_document_supported"] is False
        assert (await made.http.post("/register", json={"redirect_uris": [CALLBACK]})).status_code == 404


async def _register(server: World, **said: object) -> tuple[int, dict[str, object]]:
    response = await server.http.post("/register", json={"redirect_uris": [CALLBACK]} | said)
    assert response.headers["cache-control"] == "no-store"
    return response.status_code, response.json()


async def test_who_registers_can_ask_and_step_up(server: World) -> None:
    status, told = await _register(
        server,
        client_name="Inspector",
        client_uri="https://inspector.example",
        token_endpoint_auth_method="none",
        grant_types=["authorization_code", "refresh_token", "implicit"],
        scope="tickets:read",
        application_type="native",
    )
    assert status == 201
    assert told["grant_types"] == ["authorization_code", "refresh_token"]
    assert (told["client_name"], told["application_type"]) == ("Inspector", "native")
    assert "scope" not in told
    assert "client_secret" not in told
    client_id = str(told["client_id"])
    said, verifier = await server.authorize(client_id=client_id, scope="tickets:read tickets:write")
    granted = (await server.redeem(said["code"], verifier, client_id=client_id)).json()
    assert granted["scope"] == "tickets:read tickets:write"
    seen = server.door.seen[-1].client
    assert (seen.origin, seen.title) == (Origin.REGISTERED, "Inspector")


async def test_a_secret_is_told_once_and_works(server: World) -> None:
    status, told = await _register(server)
    assert (status, told["token_endpoint_auth_method"]) == (201, "client_secret_basic")
    client_id, secret = str(told["client_id"]), str(told["client_secret"])
    said, verifier = await server.authorize(client_id=client_id)
    response = await server.redeem(said["code"], verifier, client_id=client_id, client_secret=secret)
    assert response.status_code == 200
    assert "refresh_token" not in response.json()
    assert secret not in (server.store._url.database or "")
    assert await _nowhere(server, secret)


async def _nowhere(server: World, secret: str) -> bool:
    database = Path(str(server.store._url.database))
    return all(secret.encode() not in path.read_bytes() for path in database.parent.glob(f"{database.name}*"))


@pytest.mark.parametrize(
    ("said", "error"),
    [
        pytest.param({"redirect_uris": []}, "invalid_redirect_uri", id="none"),
        pytest.param({"redirect_uris": "x"}, "invalid_redirect_uri", id="no list"),
        pytest.param({"redirect_uris": [1]}, "invalid_redirect_uri", id="a number"),
        pytest.param(
            {"redirect_uris": ["http://app.example/cb"]}, "invalid_redirect_uri", id="http beyond the loopback"
        ),
        pytest.param({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri", id="a script"),
        pytest.param({"redirect_uris": ["https://app.example/cb#x"]}, "invalid_redirect_uri", id="a fragment"),
        pytest.param({"redirect_uris": ["https://u@app.example/"]}, "invalid_redirect_uri", id="a user"),
        pytest.param({"redirect_uris": [CALLBACK] * 17}, "invalid_redirect_uri", id="too many"),
        pytest.param({"token_endpoint_auth_method": "tls"}, "invalid_client_metadata", id="an unknown proof"),
        pytest.param({"token_endpoint_auth_method": ["none"]}, "invalid_client_metadata", id="a proof that is a list"),
        pytest.param({"jwks_uri": "https://x.example"}, "invalid_client_metadata", id="keys behind a URL"),
        pytest.param({"grant_types": ["client_credentials"]}, "invalid_client_metadata", id="acting for itself"),
        pytest.param({"grant_types": "x"}, "invalid_client_metadata", id="grant types that are no list"),
        pytest.param({"response_types": ["token"]}, "invalid_client_metadata", id="the implicit flow"),
        pytest.param({"client_name": "x" * 101}, "invalid_client_metadata", id="a name without end"),
        pytest.param({"client_name": "a\u202eb"}, "invalid_client_metadata", id="a name that turns round"),
        pytest.param({"client_name": 7}, "invalid_client_metadata", id="a name that is a number"),
        pytest.param({"client_uri": 7}, "invalid_client_metadata", id="a page that is a number"),
        pytest.param({"client_uri": "https://[x"}, "invalid_client_metadata", id="a page that is no URL"),
        pytest.param({"contacts": [["x"]], "software_id": 7}, "invalid_client_metadata", id="an id that is a number"),
        pytest.param({"tos_uri": "x" * 3000}, "invalid_client_metadata", id="a text without end"),
    ],
)
async def test_a_wrong_registration_is_refused(server: World, said: Mapping[str, object], error: str) -> None:
    status, told = await _register(server, **said)
    assert (status, told["error"]) == (400, error)
    assert await server.core.registry.registered() == 0


@pytest.mark.parametrize("content", [b"[]", b"{", b'{"a":1,"a":2}', b"\xff"])
async def test_a_registration_is_one_json_object(server: World, content: bytes) -> None:
    response = await server.http.post("/register", content=content, headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
    response = await server.http.post("/register", data={"redirect_uris": CALLBACK})
    assert response.json()["error"] == "invalid_request"


async def test_nobody_registers_without_end(tmp_path: Path) -> None:
    async with world(tmp_path, registrations_per_hour=3, max_clients=4) as made:
        assert [(await _register(made))[0] for _ in range(4)] == [201, 201, 201, 429]
    async with world(tmp_path, max_clients=2) as made:
        assert [(await _register(made))[0] for _ in range(3)] == [201, 201, 429]
        made.now.now += made.settings.registration_seconds + 1
        assert (await _register(made))[0] == 201


async def test_a_client_that_nobody_uses_ends_and_one_in_use_lives(server: World) -> None:
    _, idle = await _register(server, token_endpoint_auth_method="none")
    _, busy = await _register(
        server, token_endpoint_auth_method="none", grant_types=["authorization_code", "refresh_token"]
    )
    for _ in range(3):
        server.now.now += server.settings.registration_seconds * 0.6
        said, verifier = await server.authorize(client_id=str(busy["client_id"]))
        assert (await server.redeem(said["code"], verifier, client_id=str(busy["client_id"]))).status_code == 200
    assert await server.core.registry.find(str(idle["client_id"])) is None
    await server.core.tidy()
    kept = {client.id for client, _ in await server.core.registry.list()}
    assert kept == {"app", busy["client_id"]}


async def test_a_public_client_revokes_with_its_name_alone(server: World) -> None:
    told = await server.granted()
    response = await server.post("revoke", client_id="app", token=told["refresh_token"])
    assert (response.status_code, response.content) == (200, b"")
    assert (await server.refresh(told["refresh_token"])).json()["error"] == "invalid_grant"
    assert await server.core.tokens.active(told["access_token"]) is None
    assert [(one.kind.value, one.reason) for one in server.sidecar.heard] == [("family", "revoked_by_client")]


async def test_an_access_token_is_revoked_alone(server: World) -> None:
    told = await server.granted()
    for _ in range(2):
        await server.post("revoke", client_id="app", token=told["access_token"], token_type_hint="refresh_token")
    (heard,) = server.sidecar.heard
    assert (heard.kind.value, heard.value) == ("token", server.claims(told["access_token"])["jti"])
    assert await server.core.tokens.active(told["access_token"]) is None
    assert (await server.refresh(told["refresh_token"])).status_code == 200


async def test_a_token_of_another_client_is_not_touched(server: World) -> None:
    await server.add(id="other")
    told = await server.granted()
    for token in (told["refresh_token"], told["access_token"], "unknown", "a.b.c", "x" * 20_000):
        response = await server.post("revoke", client_id="other", token=token)
        assert (response.status_code, response.content) == (200, b"")
    assert server.sidecar.heard == []
    assert await server.core.tokens.active(told["access_token"]) is not None
    assert (await server.refresh(told["refresh_token"])).status_code == 200


async def test_who_revokes_is_known(server: World) -> None:
    await server.add(id="web", **confidential())
    for auth, given, error in (
        (None, {"client_id": "stranger", "token": "x"}, "invalid_client"),
        (None, {"client_id": "web", "token": "x"}, "invalid_client"),
        (("web", "guess"), {"token": "x"}, "invalid_client"),
        (None, {"client_id": "app"}, "invalid_request"),
    ):
        assert (await server.post("revoke", auth, **given)).json()["error"] == error
    for auth, given in ((("web", SECRET), {}), (None, {"client_id": "web", "client_secret": SECRET})):
        assert (await server.post("revoke", auth, token="x", **given)).status_code == 200


async def test_introspection_says_what_a_token_is_worth_now(server: World) -> None:
    await server.add(id="api", grant_types=frozenset(), **confidential())
    told = await server.granted()
    found = (await server.post("introspect", ("api", SECRET), token=told["access_token"])).json()
    assert found["active"] is True
    assert (found["sub"], found["aud"], found["scope"]) == ("alice", TICKETS, "tickets:read tickets:write")
    for dead in (told["refresh_token"], "unknown", told["access_token"][:-3] + "abc"):
        assert (await server.post("introspect", ("api", SECRET), token=dead)).json() == {"active": False}
    server.now.now += 601
    assert (await server.post("introspect", ("api", SECRET), token=told["access_token"])).json() == {"active": False}


async def test_a_token_without_a_grant_dies_with_its_client_and_its_person(server: World) -> None:
    await server.add(id="api", grant_types=frozenset(), **confidential())
    await server.add(id="robot", grant_types=frozenset({"client_credentials"}), **confidential())
    given = {"grant_type": "client_credentials", "resource": TICKETS}
    own = (await server.post("token", ("robot", SECRET), **given)).json()["access_token"]
    alice = server.core.tokens.issue(
        client_id="robot", resource=TICKETS, scopes=(), person=server.door.people["alice"]
    ).token
    foreign = server.core.tokens.issue(
        client_id="https://client.example/d", resource=TICKETS, scopes=(), person=server.door.people["alice"]
    ).token

    async def alive() -> list[bool]:
        answers = [await server.post("introspect", ("api", SECRET), token=one) for one in (own, alice, foreign)]
        return [one.json()["active"] for one in answers]

    assert await alive() == [True, True, True]
    person = server.door.people.pop("alice")
    assert await alive() == [True, False, False]
    server.door.people["alice"] = person
    await server.core.registry.disable("robot")
    assert await alive() == [False, False, True]


async def test_who_asks_about_tokens_is_one_of_the_operators(server: World) -> None:
    await server.add(id="stranger", origin=Origin.REGISTERED, **confidential())
    for auth, given in ((None, {"client_id": "app"}), (("stranger", SECRET), {}), (("stranger", "x"), {})):
        response = await server.post("introspect", auth, token="x", **given)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client")


async def test_who_is_withdrawn_or_disabled_loses_every_token(server: World) -> None:
    await server.add(id="other")
    first = await server.granted()
    said, verifier = await server.authorize(client_id="other")
    second = (await server.redeem(said["code"], verifier, client_id="other")).json()
    assert len(await server.core.grants.of("alice")) == 2
    assert await server.core.grants.revoke_all("alice", "withdrawn", client_id="app") == 1
    assert await server.core.tokens.active(first["access_token"]) is None
    assert await server.core.tokens.active(second["access_token"]) is not None
    assert await server.core.grants.revoke_all("alice", "person_disabled") == 1
    assert await server.core.tokens.active(second["access_token"]) is None
    assert ("subject", "alice", server.now()) in [
        (one.kind.value, one.value, one.issued_before) for one in server.sidecar.heard
    ]


async def test_a_disabled_client_loses_every_token(server: World) -> None:
    told = await server.granted()
    grant_id = str(server.claims(told["access_token"])["grant_id"])
    assert (await server.core.grants.find(grant_id)) is not None
    assert await server.core.registry.disable("app")
    assert not await server.core.registry.disable("stranger")
    assert await server.core.grants.revoke_client("app", "client_disabled") == 1
    assert (await server.core.grants.find(grant_id)) is None
    assert (await server.refresh(told["refresh_token"])).json()["error"] == "invalid_client"
    assert sorted(one.kind.value for one in server.sidecar.heard) == ["client", "family"]
    assert await server.core.registry.remove("app")
    assert not await server.core.registry.remove("app")
