"""The way from an authorization request to tokens, and on."""

import base64
import json

import pytest

from tests.oauth.world import BILLING, CALLBACK, ISSUER, SECRET, TICKETS, World, confidential


async def test_a_code_becomes_a_token_for_one_resource(server: World) -> None:
    said, verifier = await server.authorize(scope="tickets:read")
    assert said["state"] == "s1"
    assert said["iss"] == ISSUER
    response = await server.redeem(said["code"], verifier, resource=TICKETS)
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    told = response.json()
    assert told["token_type"] == "Bearer"
    assert told["expires_in"] == 600
    assert told["scope"] == "tickets:read"
    claims = server.claims(told["access_token"])
    assert claims["iss"] == ISSUER
    assert claims["aud"] == TICKETS
    assert claims["sub"] == "alice"
    assert claims["client_id"] == "app"
    assert claims["roles"] == ["support"]
    assert claims["groups"] == ["emea"]
    assert claims["exp"] == claims["iat"] + 600  # type: ignore[operator]
    assert claims["grant_id"]
    assert claims["jti"]
    assert claims["auth_time"] == int(server.now())
    header = json.loads(base64.urlsafe_b64decode(told["access_token"].split(".")[0] + "=="))
    assert header["typ"] == "at+jwt"
    assert header["kid"] == server.core.keyring.jwks()["keys"][0]["kid"]


async def test_a_request_without_scopes_means_all_of_the_resource(server: World) -> None:
    assert (await server.granted())["scope"] == "tickets:read tickets:write"
    assert (await server.granted(scope="offline_access"))["scope"] == "tickets:read tickets:write"
    assert (await server.granted(resource=BILLING))["scope"] == "billing:read"


async def test_a_request_by_post_is_a_request(server: World) -> None:
    from authz_sidecar.oauth.pkce import generate_pkce_pair

    _verifier, challenge = generate_pkce_pair()
    response = await server.http.post("/authorize", data=server.asking(challenge))
    assert response.status_code == 303
    assert "code=" in response.headers["location"]


async def test_a_resource_is_found_however_its_host_is_spelled(server: World) -> None:
    told = await server.granted(resource="HTTPS://OPS.example/mcp")
    assert server.claims(told["access_token"])["aud"] == TICKETS


async def test_the_door_learns_everything_that_was_asked(server: World) -> None:
    await server.authorize(prompt="login consent", max_age="60", login_hint="al", ui_locales="ko en", nonce="n")
    seen = server.door.seen[-1]
    assert seen.prompt == {"login", "consent"}
    assert (seen.max_age, seen.login_hint, seen.ui_locales) == (60, "al", ("ko", "en"))
    assert seen.where.host == "app.example"
    assert not seen.where.loopback
    again = await server.core.authorizations.read(seen.parameters)
    assert again == seen
    assert "code_challenge=" in seen.query


async def test_who_declines_sends_the_client_away(server: World) -> None:
    server.door.declines = True
    said, _ = await server.authorize()
    assert (said["error"], said["state"], said["iss"]) == ("access_denied", "s1", ISSUER)


async def test_a_grant_never_holds_more_than_was_asked_for(server: World) -> None:
    await server.authorize(scope="tickets:read")
    request = server.door.seen[-1]
    for scopes in ([], ["tickets:write"], ["tickets:read", "tickets:write"]):
        with pytest.raises(ValueError, match="asked for"):
            await server.core.authorizations.issue_code(request, "alice", scopes, auth_time=0.0)


async def test_a_refresh_token_is_good_once_and_gives_its_successor(server: World) -> None:
    first = await server.granted()
    second = (await server.refresh(first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    third = await server.refresh(second["refresh_token"])
    assert third.status_code == 200
    families = {server.claims(told["access_token"])["grant_id"] for told in (first, second, third.json())}
    assert len(families) == 1


async def test_a_refresh_narrows_for_once_and_never_widens(server: World) -> None:
    told = await server.granted()
    narrow = (await server.refresh(told["refresh_token"], scope="tickets:read")).json()
    assert narrow["scope"] == "tickets:read"
    assert (await server.refresh(narrow["refresh_token"])).json()["scope"] == "tickets:read tickets:write"


async def test_the_roles_of_a_person_are_those_of_now(server: World) -> None:
    from authz_sidecar.oauth.door import Person

    told = await server.granted()
    server.door.people["alice"] = Person(subject="alice")
    again = (await server.refresh(told["refresh_token"])).json()
    assert server.claims(again["access_token"])["roles"] == []


async def test_who_is_disabled_gets_nothing_more(server: World) -> None:
    told = await server.granted()
    said, verifier = await server.authorize()
    server.door.people.clear()
    for response in (await server.refresh(told["refresh_token"]), await server.redeem(said["code"], verifier)):
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")
    assert {one.reason for one in server.sidecar.heard} == {"person_disabled"}


async def test_a_client_acts_for_itself_with_its_secret(server: World) -> None:
    await server.add(id="robot", grant_types=frozenset({"client_credentials"}), **confidential())
    given = {"grant_type": "client_credentials", "resource": TICKETS, "scope": "tickets:read"}
    for response in (
        await server.post("token", auth=("robot", SECRET), **given),
        await server.post("token", client_id="robot", client_secret=SECRET, **given),
    ):
        told = response.json()
        assert response.status_code == 200
        assert "refresh_token" not in told
        claims = server.claims(told["access_token"])
        assert (claims["sub"], claims["client_id"], claims["roles"]) == ("robot", "robot", [])


async def test_a_client_is_held_to_the_scopes_that_the_operator_gave_it(server: World) -> None:
    await server.add(
        id="robot", grant_types=frozenset({"client_credentials"}), scope=("tickets:read",), **confidential()
    )
    given = {"grant_type": "client_credentials", "resource": TICKETS}
    assert (await server.post("token", auth=("robot", SECRET), **given)).json()["scope"] == "tickets:read"
    refused = await server.post("token", auth=("robot", SECRET), scope="tickets:write", **given)
    assert refused.json()["error"] == "invalid_scope"


async def test_a_client_without_the_refresh_grant_gets_no_refresh_token(server: World) -> None:
    await server.add(id="short", grant_types=frozenset({"authorization_code"}))
    said, verifier = await server.authorize(client_id="short")
    assert "refresh_token" not in (await server.redeem(said["code"], verifier, client_id="short")).json()


async def test_a_confidential_client_proves_itself_for_a_code(server: World) -> None:
    await server.add(id="web", **confidential())
    said, verifier = await server.authorize(client_id="web")
    response = await server.post(
        "token",
        auth=("web", SECRET),
        grant_type="authorization_code",
        code=said["code"],
        code_verifier=verifier,
        redirect_uri=CALLBACK,
    )
    assert response.status_code == 200


async def test_a_refresh_token_and_its_grant_end(server: World) -> None:
    told = await server.granted()
    server.now.now += server.settings.refresh_seconds + 1
    assert (await server.refresh(told["refresh_token"])).json()["error"] == "invalid_grant"
    told = await server.granted()
    for _ in range(8):
        server.now.now += 13 * 86_400
        response = await server.refresh(told["refresh_token"])
        if response.status_code != 200:
            break
        told = response.json()
    assert response.json()["error"] == "invalid_grant"
    await server.core.tidy()
