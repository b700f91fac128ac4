"""What is refused at the authorization endpoint and at every endpoint, each with the exact word of the RFC."""

from collections.abc import Mapping

import pytest

from authz_sidecar.oauth.pkce import generate_pkce_pair
from tests.oauth.world import BILLING, CALLBACK, ISSUER, TICKETS, World, confidential, query

_CHALLENGE = generate_pkce_pair()[1]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"code_challenge": None}, "invalid_request", id="no challenge"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="a plain challenge"),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="a challenge that would mean plain"),
        pytest.param({"code_challenge": "short"}, "invalid_request", id="a challenge that is none"),
        pytest.param({"code_challenge": "A" * 42 + "B"}, "invalid_request", id="a challenge with stray bits"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="the implicit flow"),
        pytest.param({"response_type": "code id_token"}, "unsupported_response_type", id="the hybrid flow"),
        pytest.param({"response_type": None}, "invalid_request", id="no response type"),
        pytest.param({"response_mode": "fragment"}, "invalid_request", id="an answer in the fragment"),
        pytest.param({"scope": "tickets:read admin"}, "invalid_scope", id="an unknown scope"),
        pytest.param({"scope": "billing:read"}, "invalid_scope", id="a scope of another resource"),
        pytest.param({"scope": 'tickets:"read'}, "invalid_scope", id="a scope that is none"),
        pytest.param({"scope": "tickets:read  tickets:write"}, "invalid_scope", id="two spaces between scopes"),
        pytest.param({"resource": "https://evil.example/mcp"}, "invalid_target", id="an unknown resource"),
        pytest.param({"resource": TICKETS + "/"}, "invalid_target", id="a resource with one more slash"),
        pytest.param({"resource": TICKETS + "?x"}, "invalid_target", id="a resource with a query"),
        pytest.param({"resource": "https://[oops"}, "invalid_target", id="a resource that is no URI"),
        pytest.param({"resource": None}, "invalid_target", id="no resource where there are two"),
        pytest.param({"request": "eyJ"}, "invalid_request", id="a request object"),
        pytest.param({"request_uri": "https://x.example"}, "invalid_request", id="a request object by reference"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="a prompt that contradicts itself"),
        pytest.param({"prompt": "create"}, "invalid_request", id="an unknown prompt"),
        pytest.param({"max_age": "-1"}, "invalid_request", id="an age that is none"),
        pytest.param({"nonce": "n" * 3000}, "invalid_request", id="a parameter without end"),
    ],
)
async def test_a_wrong_request_goes_back_to_its_client(
    server: World, changes: Mapping[str, str | None], error: str
) -> None:
    response = await server.http.get("/authorize", params=server.asking(_CHALLENGE, **changes))
    assert response.status_code == 303
    assert response.headers["cache-control"] == "no-store"
    assert response.headers["location"].startswith(f"{CALLBACK}?")
    said = query(response.headers["location"])
    assert (said["error"], said["state"], said["iss"]) == ([error], ["s1"], [ISSUER])
    assert "code" not in said


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"client_id": None}, id="no client"),
        pytest.param({"client_id": "stranger"}, id="an unknown client"),
        pytest.param({"client_id": "x" * 3000}, id="a client without end"),
        pytest.param({"client_id": "app\0"}, id="a client with a NUL"),
        pytest.param({"client_id": "https://client.example/doc"}, id="a document where none are read"),
        pytest.param({"redirect_uri": "https://evil.example/callback"}, id="another host"),
        pytest.param({"redirect_uri": CALLBACK + "/"}, id="one more slash"),
        pytest.param({"redirect_uri": CALLBACK + "?x=1"}, id="a query"),
        pytest.param({"redirect_uri": CALLBACK + "#x"}, id="a fragment"),
        pytest.param({"redirect_uri": CALLBACK.upper()}, id="another case"),
        pytest.param({"redirect_uri": CALLBACK.replace("https", "http")}, id="without TLS"),
        pytest.param({"redirect_uri": "https://app.example:444/callback"}, id="another port"),
        pytest.param({"redirect_uri": "https://app.example:443/callback"}, id="the usual port spelled out"),
        pytest.param({"redirect_uri": "https://app.example./callback"}, id="a root dot"),
        pytest.param({"redirect_uri": "https://app.example/callback/../evil"}, id="a path that climbs"),
        pytest.param({"redirect_uri": "https://app.example/callback/%2e%2e/evil"}, id="a path that climbs in disguise"),
        pytest.param({"redirect_uri": "https://app.example%2f@evil.example/callback"}, id="an escaped slash"),
        pytest.param({"redirect_uri": "https://app.example@evil.example/callback"}, id="a user before the host"),
        pytest.param({"redirect_uri": "https://evil.example\\@app.example/callback"}, id="a backslash"),
        pytest.param({"redirect_uri": "https://app.example.evil.example/callback"}, id="a longer host"),
        pytest.param({"redirect_uri": "https://sub.app.example/callback"}, id="a host below"),
        pytest.param({"redirect_uri": "//app.example/callback"}, id="no scheme"),
        pytest.param({"redirect_uri": "javascript:alert(1)"}, id="a script"),
        pytest.param({"redirect_uri": "data:text/html,hi"}, id="data"),
        pytest.param({"redirect_uri": CALLBACK + "\n"}, id="a line end"),
        pytest.param({"redirect_uri": "https://app.example/call\tback"}, id="a tab that parsers drop"),
        pytest.param({"redirect_uri": "https://аpp.example/callback"}, id="a letter of another alphabet"),
        pytest.param({"redirect_uri": "http://127.0.0.1/callback"}, id="the loopback"),
    ],
)
async def test_an_unsafe_request_is_shown_and_never_redirected(
    server: World, changes: Mapping[str, str | None]
) -> None:
    response = await server.http.get("/authorize", params=server.asking(_CHALLENGE, **changes))
    assert response.status_code == 400
    assert "location" not in response.headers


async def test_a_body_that_is_no_form_is_unsafe(server: World) -> None:
    for content, kind in ((b"{}", "application/json"), (b"a=%ff", "application/x-www-form-urlencoded")):
        response = await server.http.post("/authorize", content=content, headers={"content-type": kind})
        assert response.status_code == 400


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
async def test_two_answers_to_where_it_goes_are_none(server: World, name: str) -> None:
    given = server.asking(_CHALLENGE)
    response = await server.http.get("/authorize", params=[*given.items(), (name, given[name])])
    assert response.status_code == 400


@pytest.mark.parametrize("name", ["scope", "state", "code_challenge", "response_type"])
async def test_a_parameter_stands_there_once(server: World, name: str) -> None:
    given = server.asking(_CHALLENGE, scope="tickets:read")
    response = await server.http.get("/authorize", params=[*given.items(), (name, "other")])
    said = query(response.headers["location"])
    assert said["error"] == ["invalid_request"]
    assert ("state" in said) is (name != "state")


async def test_a_token_is_for_one_resource(server: World) -> None:
    given = server.asking(_CHALLENGE)
    response = await server.http.get("/authorize", params=[*given.items(), ("resource", BILLING)])
    assert query(response.headers["location"])["error"] == ["invalid_target"]


async def test_a_client_that_acts_for_itself_may_not_ask_people(server: World) -> None:
    await server.add(id="robot", grant_types=frozenset({"client_credentials"}), **confidential())
    response = await server.http.get("/authorize", params=server.asking(_CHALLENGE, client_id="robot"))
    assert query(response.headers["location"])["error"] == ["unauthorized_client"]


async def test_another_name_for_us_is_not_served(server: World) -> None:
    for host in ("evil.example", "as.example:444", ""):
        response = await server.http.get("/jwks", headers={"host": host})
        assert response.status_code == 421
    assert (await server.http.get("/jwks", headers={"host": "AS.example"})).status_code == 200


async def test_a_database_that_fails_is_no_answer(server: World) -> None:
    async with server.store.write() as db:
        await db.exec_driver_sql("DROP TABLE oauth_codes")
    response = await server.redeem("guess", "v" * 43)
    assert (response.status_code, response.json()["error"]) == (503, "temporarily_unavailable")
    assert response.headers["retry-after"] == "5"
    response = await server.http.get("/authorize", params=server.asking(_CHALLENGE))
    assert response.status_code == 503


@pytest.mark.parametrize("endpoint", ["token", "revoke", "introspect", "register"])
async def test_endpoints_take_posts_alone(server: World, endpoint: str) -> None:
    assert (await server.http.get(f"/{endpoint}")).status_code == 405
    assert (await server.http.get(f"/{endpoint}/")).status_code == 404
