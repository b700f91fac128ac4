"""The MCP SDK's own client, against our endpoints and against the SDK's routes over our database."""

from pathlib import Path

import httpx2
import pytest
from mcp.server.auth.provider import AccessToken, RefreshToken, TokenError
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyUrl

from authz_sidecar.oauth.sdk import Callers, SdkProvider
from tests.oauth.place import BASE, CALLBACK, MCP, Place, place
from tests.oauth.world import SECRET, confidential, world


@pytest.mark.parametrize("sdk", [pytest.param(False, id="our endpoints"), pytest.param(True, id="the SDK's routes")])
async def test_the_sdks_client_logs_in_steps_up_and_refreshes(tmp_path: Path, sdk: bool) -> None:
    async with place(tmp_path, sdk=sdk) as found, found.client() as http:
        assert (await http.get("/mcp")).json() == {"sub": "alice", "scope": "tickets:read", "aud": MCP}
        found.needs = "tickets:read tickets:write"
        assert (await http.get("/mcp")).json()["scope"] == "tickets:read tickets:write"
        before = found.storage.tokens
        assert before is not None
        assert before.refresh_token
        (latest, *_) = await found.made.core.grants.of("alice")
        await found.made.core.tokens.revoke(found.made.claims(before.access_token))
        async with found.client() as again:
            assert (await again.get("/mcp")).status_code == 200
        assert latest.client_name == "Test"


@pytest.mark.parametrize("sdk", [pytest.param(False, id="our endpoints"), pytest.param(True, id="the SDK's routes")])
async def test_an_old_token_is_refreshed_by_the_sdks_client(tmp_path: Path, sdk: bool) -> None:
    async with place(tmp_path, sdk=sdk) as found, found.client(token_endpoint_auth_method="none") as http:
        assert (await http.get("/mcp")).status_code == 200
        assert found.storage.client is not None
        assert found.storage.client.token_endpoint_auth_method == "none"
        first = found.storage.tokens
        assert first is not None
        assert first.refresh_token is not None
        token_endpoint = f"{BASE}/token"
        form = {
            "grant_type": "refresh_token",
            "refresh_token": first.refresh_token,
            "client_id": str(found.storage.client.client_id),
        }
        transport = httpx2.ASGITransport(app=found.app)
        async with httpx2.AsyncClient(transport=transport) as plain:
            second = await plain.post(token_endpoint, data=form)
            assert second.status_code == 200
            replay = await plain.post(token_endpoint, data=form)
            assert (replay.status_code, replay.json()["error"]) == (400, "invalid_grant")
            successor = await plain.post(token_endpoint, data=form | {"refresh_token": second.json()["refresh_token"]})
            assert successor.json()["error"] == "invalid_grant"
        assert [one.reason for one in found.made.sidecar.heard] == ["refresh_replayed"]


async def test_the_sdk_never_sees_a_client_that_it_could_not_check(tmp_path: Path) -> None:
    async with place(tmp_path, sdk=True) as found:
        provider = SdkProvider(found.made.core, found.made.door, clock=found.made.now)
        await found.made.add(id="web", **confidential())
        assert await provider.get_client("web") is None
        assert await provider.get_client("stranger") is None
        assert SECRET not in repr(await provider.get_client("web"))


@pytest.mark.parametrize(
    "said",
    [
        {"redirect_uris": ["http://evil.example/cb"]},
        {"redirect_uris": ["javascript:alert(1)"]},
        {"redirect_uris": [f"{CALLBACK}/{number}" for number in range(17)]},
        {"client_name": "x" * 101},
    ],
)
async def test_the_sdks_registration_is_bounded_too(tmp_path: Path, said: dict[str, object]) -> None:
    async with place(tmp_path, sdk=True) as found:
        transport = httpx2.ASGITransport(app=found.app)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE) as http:
            response = await http.post("/register", json={"redirect_uris": [CALLBACK]} | said)
            assert response.status_code == 400
            assert response.json()["error"].startswith("invalid_")


async def _register(found: Place, *, address: str, header: str | None = None, **forwarded: str) -> int:
    app = found.app if header is None else Callers(found.app, header=header)
    transport = httpx2.ASGITransport(app=app, client=(address, 1))
    async with httpx2.AsyncClient(transport=transport, base_url=BASE) as http:
        return (await http.post("/register", json={"redirect_uris": [CALLBACK]}, headers=forwarded)).status_code


async def test_the_sdks_registration_has_the_limit_of_ours(tmp_path: Path) -> None:
    async with place(tmp_path, sdk=True, registrations_per_hour=2) as found:
        for address in ("192.0.2.1", "192.0.2.2"):
            assert [await _register(found, address=address, header="") for _ in range(3)] == [201, 201, 400]
        own = httpx2.ASGITransport(app=found.app, client=("192.0.2.1", 1))
        async with httpx2.AsyncClient(transport=own, base_url=BASE) as http:
            ours = await http.post("/own/register", json={"redirect_uris": [CALLBACK]})
            assert (ours.status_code, ours.json()["error"]) == (429, "temporarily_unavailable")


async def test_behind_a_proxy_the_sdks_registration_counts_who_is_before_it(tmp_path: Path) -> None:
    async with place(tmp_path, sdk=True, registrations_per_hour=1) as found:
        for address in ("192.0.2.1", "192.0.2.2"):
            named = {"x-real-ip": address}
            statuses = [await _register(found, address="127.0.0.1", header="x-real-ip", **named) for _ in range(2)]
            assert statuses == [201, 400]


async def test_callers_that_nobody_names_are_one_to_the_sdks_registration(tmp_path: Path) -> None:
    async with place(tmp_path, sdk=True, registrations_per_hour=2) as found:
        statuses = [await _register(found, address=f"192.0.2.{number}") for number in range(4)]
        assert statuses == [201, 201, 400, 400]


async def test_the_sdks_registration_makes_room_like_ours(tmp_path: Path) -> None:
    async with place(tmp_path, sdk=True, max_clients=2) as found:
        statuses = [await _register(found, address="192.0.2.1") for _ in range(3)]
        found.made.now.now += 3_700
        assert [*statuses, await _register(found, address="192.0.2.1")] == [201, 201, 400, 201]


async def test_the_provider_spends_and_revokes_like_our_own_endpoints(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.add()
        await made.add(id="other")
        provider = SdkProvider(made.core, made.door, clock=made.now)
        app, other = await provider.get_client("app"), await provider.get_client("other")
        assert app is not None
        assert other is not None
        said, _ = await made.authorize()
        assert await provider.load_authorization_code(other, said["code"]) is None
        assert await provider.load_authorization_code(app, "guess") is None
        code = await provider.load_authorization_code(app, said["code"])
        assert code is not None
        with pytest.raises(TokenError, match="invalid_grant"):
            await provider.exchange_authorization_code(other, code)
        said, _ = await made.authorize()
        code = await provider.load_authorization_code(app, said["code"])
        assert code is not None
        told = await provider.exchange_authorization_code(app, code)
        access = await provider.load_access_token(told.access_token)
        assert access is not None
        assert (access.subject, access.resource, access.client_id) == ("alice", "https://ops.example/mcp", "app")
        assert told.refresh_token is not None
        refresh = await provider.load_refresh_token(app, told.refresh_token)
        assert refresh is not None
        for client, scopes in ((other, ["tickets:read"]), (app, ["admin"])):
            with pytest.raises(TokenError, match="invalid_grant"):
                await provider.exchange_refresh_token(client, refresh, scopes)
        second = await provider.exchange_refresh_token(app, refresh, ["tickets:read"])
        assert second.scope == "tickets:read"
        assert await provider.load_refresh_token(app, "guess") is None
        assert await provider.load_authorization_code(app, said["code"]) is None
        assert await provider.load_access_token(told.access_token) is None


async def test_the_provider_revokes_the_family_of_either_token(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        await made.add()
        provider = SdkProvider(made.core, made.door, clock=made.now)
        for kind in ("access", "refresh"):
            told = await made.granted()
            token = (
                AccessToken(token=told["access_token"], client_id="app", scopes=[])
                if kind == "access"
                else RefreshToken(token=told["refresh_token"], client_id="app", scopes=[])
            )
            await provider.revoke_token(token)
            await provider.revoke_token(token)
            assert await provider.load_access_token(told["access_token"]) is None
            app = await provider.get_client("app")
            assert app is not None
            assert await provider.load_refresh_token(app, told["refresh_token"]) is None
        await provider.revoke_token(AccessToken(token="guess", client_id="app", scopes=[]))


async def test_who_is_disabled_is_so_for_the_sdk(tmp_path: Path) -> None:
    async with world(tmp_path, max_clients=0) as made:
        await made.add()
        provider = SdkProvider(made.core, made.door, clock=made.now)
        app = await provider.get_client("app")
        assert app is not None
        told = await made.granted()
        said, _ = await made.authorize()
        code = await provider.load_authorization_code(app, said["code"])
        assert code is not None
        made.door.people.clear()
        assert await provider.load_access_token(told["access_token"]) is None
        with pytest.raises(TokenError, match="invalid_grant"):
            await provider.exchange_authorization_code(app, code)
        from mcp.server.auth.provider import RegistrationError

        info = OAuthClientInformationFull(client_id="x", redirect_uris=[AnyUrl(CALLBACK)])
        with pytest.raises(RegistrationError):
            await provider.register_client(info)
