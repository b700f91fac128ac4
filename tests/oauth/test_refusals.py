"""What is refused, each with the exact word of the RFC."""

from collections.abc import Mapping

import pytest

from authz_sidecar.oauth.pkce import generate_pkce_pair
from tests.oauth.world import BILLING, CALLBACK, ISSUER, SECRET, TICKETS, World, confidential, query

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
