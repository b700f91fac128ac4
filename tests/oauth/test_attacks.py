"""What somebody with bad intentions sends: nothing of it breaks the server, or opens more than it should."""

import asyncio
import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import httpx2
import jwt
import pytest
from alembic import command
from alembic.config import Config
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from sqlalchemy import create_engine

from authz_sidecar.errors import ConfigError
from authz_sidecar.oauth.clientauth import ASSERTION
from authz_sidecar.oauth.documents import DocumentClients, Fetched
from authz_sidecar.oauth.flow_assertion import JWT_BEARER, IdentityProvider
from authz_sidecar.oauth.people.passwords import Cost, Passwords
from authz_sidecar.oauth.people.seed import seed
from authz_sidecar.oauth.seed import sow
from tests.oauth.world import CALLBACK, ISSUER, SECRET, Time, World, confidential, world

URL = "https://client.example/meta.json"
EC = ec.generate_private_key(ec.SECP256R1())
PUBLIC: dict[str, object] = ECAlgorithm.to_jwk(EC.public_key(), as_dict=True) | {"kid": "k1"}
PRIVATE: dict[str, object] = ECAlgorithm.to_jwk(EC, as_dict=True) | {"kid": "k1"}
RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def _part(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


_HEADER = _part(b'{"alg":"ES256","typ":"at+jwt","kid":"k1"}')
_BOTTOMLESS = [
    pytest.param(f"{_part(b'[' * 11_000)}.{_part(b'{}')}.AA", id="a header without bottom"),
    pytest.param(f"{_HEADER}.{_part(b'[' * 11_000)}.AA", id="claims without bottom"),
    pytest.param(f"{_HEADER}.{_part(b'[' * 11_000 + b']' * 900)}.AA", id="claims that nearly close"),
    pytest.param(f"{_HEADER}.{_part(b'7' * 9_000)}.AA", id="a number without end"),
    pytest.param(f"{_part(b'7' * 9_000)}.{_part(b'{}')}.AA", id="a header that is a number"),
    pytest.param(f"{_HEADER}.{_part(bytes([255] * 40))}.AA", id="no text"),
    pytest.param(f"{_HEADER}.{_part(b'null')}.AA", id="nothing"),
    pytest.param("é.é.é", id="letters beyond ASCII"),
    pytest.param("\U0001f600.a.b", id="pictures"),
]


@pytest.mark.parametrize("token", _BOTTOMLESS)
async def test_a_token_without_bottom_is_one_that_nobody_knows(server: World, token: str) -> None:
    assert (await server.post("revoke", client_id="app", token=token)).status_code == 200
    await server.add(id="reader", redirect_uris=(), **confidential())
    response = await server.post("introspect", auth=("reader", SECRET), token=token)
    assert (response.status_code, response.json()) == (200, {"active": False})


@pytest.mark.parametrize("assertion", _BOTTOMLESS)
async def test_an_assertion_without_bottom_proves_nothing(tmp_path: Path, assertion: str) -> None:
    async with world(tmp_path, providers=(IdentityProvider(issuer="https://idp.example", keys=_keys),)) as made:
        await made.add(id="desk", grant_types=frozenset({JWT_BEARER}), **confidential())
        given = {"client_assertion_type": ASSERTION, "client_assertion": assertion}
        response = await made.token(grant_type="client_credentials", **given)
        assert (response.status_code, response.json()["error"]) == (401, "invalid_client")
        response = await made.post("token", auth=("desk", SECRET), grant_type=JWT_BEARER, assertion=assertion)
        assert (response.status_code, response.json()["error"]) == (400, "invalid_grant")


async def _keys() -> Sequence[Mapping[str, object]]:
    return (PUBLIC,)


def _of(now: float, **changes: object) -> dict[str, object]:
    return {"iss": URL, "sub": URL, "aud": ISSUER, "exp": now + 60, "iat": now, "jti": "j1"} | changes


def _web(**said: object) -> DocumentClients:
    """One document of a stranger, who signs."""
    document = {
        "client_id": URL,
        "redirect_uris": ["https://client.example/back"],
        "token_endpoint_auth_method": "private_key_jwt",
    }

    async def fetch(url: str) -> Fetched:
        return Fetched(headers={}, body=json.dumps(document | said).encode())

    return DocumentClients(fetch=fetch, clock=Time())


async def _signs(made: World, assertion: str) -> tuple[int, str]:
    given = {"client_assertion_type": ASSERTION, "client_assertion": assertion}
    response = await made.token(grant_type="refresh_token", refresh_token="x", **given)
    return response.status_code, response.json()["error"]


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
async def test_a_time_beyond_all_times_proves_nothing(tmp_path: Path, name: str) -> None:
    async with world(tmp_path, documents=_web(jwks={"keys": [PUBLIC]})) as made:
        claims = _of(made.now(), **{name: 10**400})
        assertion = jwt.encode(claims, EC, algorithm="ES256", headers={"kid": "k1"})
        assert await _signs(made, assertion) == (401, "invalid_client")


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(PRIVATE, id="a private key of a curve"),
        pytest.param(RSAAlgorithm.to_jwk(RSA, as_dict=True), id="a private key of RSA"),
        pytest.param(
            {"kty": "RSA", "n": _part(b"\xff" * 15_000), "e": "AQAB", "d": _part(b"\xfd" * 15_000)},
            id="sums that never end",
        ),
        pytest.param({"kty": "RSA", "n": _part(b"\xff" * 20_000), "e": "AQAB"}, id="a modulus without end"),
        pytest.param({"kty": "RSA", "n": _part(b"\xff" * 64), "e": "AQAB"}, id="a modulus that anybody factors"),
        pytest.param({"kty": "RSA", "n": 7, "e": []}, id="numbers that are none"),
        pytest.param({"kty": "EC", "crv": "P-256", "x": [], "y": {}}, id="a point that is none"),
    ],
)
async def test_a_key_that_a_stranger_publishes_costs_nothing(tmp_path: Path, key: Mapping[str, object]) -> None:
    async with world(tmp_path, documents=_web(jwks={"keys": [key]})) as made:
        private, algorithm = (RSA, "RS256") if key["kty"] == "RSA" else (EC, "ES256")
        assertion = jwt.encode(_of(made.now()), private, algorithm=algorithm)
        assert await _signs(made, assertion) == (401, "invalid_client")


async def test_a_wider_neighbourhood_is_one_address(tmp_path: Path) -> None:
    async with world(tmp_path, registrations_per_hour=3) as made:
        app = made.core.application(made.door)
        said, statuses = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}, []
        for number in range(6):
            transport = httpx2.ASGITransport(app=app, client=(f"2001:db8:1:2::{number:x}", 1))
            async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
                answer = await http.post("/register", json=said)
                statuses.append(answer.status_code)
        assert statuses == [201, 201, 201, 429, 429, 429]


async def _register(made: World) -> int:
    said = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
    return (await made.http.post("/register", json=said)).status_code


async def test_whoever_registers_without_end_drives_out_their_own(tmp_path: Path) -> None:
    async with world(tmp_path, max_clients=3, registrations_per_hour=100) as made:
        said = {"redirect_uris": [CALLBACK], "token_endpoint_auth_method": "none"}
        used = (await made.http.post("/register", json=said)).json()["client_id"]
        await made.authorize(client_id=used)
        assert [await _register(made) for _ in range(3)] == [201, 201, 429]
        made.now.now += 3_700
        assert [await _register(made) for _ in range(3)] == [201, 201, 429]
        assert await made.core.registry.find(used) is not None


async def test_what_the_operator_took_away_is_refreshed_for_nobody(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/same.db"
    async with world(tmp_path, url=url) as made:
        await made.add()
        told = await made.granted()
        token, fewer = (
            told["refresh_token"],
            replace(made.settings.resources[0], scopes=made.settings.resources[0].scopes[:1]),
        )
    async with world(tmp_path, url=url, resources=(fewer,)) as made:
        assert (await made.refresh(token, scope="tickets:write")).json()["error"] == "invalid_scope"
        again = (await made.refresh(token)).json()
        assert again["scope"] == "tickets:read"
    async with world(tmp_path, url=url, resources=(replace(fewer, uri="https://new.example/mcp"),)) as made:
        assert (await made.refresh(again["refresh_token"])).json()["error"] == "invalid_target"


async def test_a_database_that_is_away_for_a_moment_ends_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        made.core.outbox._pauses = (0.01, 0.01, 0.01, 0.01)
        async with made.store.write() as db:
            await db.exec_driver_sql("ALTER TABLE oauth_outbox RENAME TO away")
            await db.exec_driver_sql("ALTER TABLE oauth_grants RENAME TO away_too")
        running = asyncio.create_task(made.core.run())
        assert await made.core.outbox.flush() is False
        async with made.store.write() as db:
            await db.exec_driver_sql("ALTER TABLE away RENAME TO oauth_outbox")
            await db.exec_driver_sql("ALTER TABLE away_too RENAME TO oauth_grants")
        await made.add()
        await made.core.grants.revoke_client("app", "client_disabled")
        async with asyncio.timeout(10):
            await made.sidecar.hears.wait()
        assert not running.done()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


async def test_a_database_of_a_newer_version_is_said(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        async with made.store.write() as db:
            await db.exec_driver_sql("UPDATE oauth_version SET version_num = 'r9999'")
        with pytest.raises(ConfigError, match="newer version"):
            await made.store.migrate()


async def test_servers_that_begin_at_once_sow_once(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        clients = [{"id": "seeded", "redirect_uris": [CALLBACK]}]
        users = [{"name": "bob", "password": "correct horse battery"}]
        given = replace(made.settings, development=True)
        cheap = Passwords(Cost(rounds=1, memory_kib=64, lanes=1))
        await asyncio.gather(*(sow(made.core.registry, made.settings, clients) for _ in range(8)))
        await asyncio.gather(*(seed(made.store, given, users, passwords=cheap) for _ in range(8)))
        assert await made.core.registry.find("seeded") is not None


async def test_a_database_of_the_first_version_is_brought_up_to_date_with_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with create_engine(f"sqlite:///{path}").begin() as connection:
        config = Config()
        config.set_main_option("script_location", "authz_sidecar.oauth:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    async with world(tmp_path, url=f"sqlite:///{path}") as made:
        await made.add()
        token = (await made.granted())["refresh_token"]
        async with made.store.write() as db:
            for table in ("people_consents", "people_sessions", "people_accounts"):
                await db.exec_driver_sql(f"DROP TABLE {table}")
            await db.exec_driver_sql("UPDATE oauth_version SET version_num = '0001'")
        await asyncio.gather(made.store.migrate(), made.store.migrate())
        assert (await made.refresh(token)).status_code == 200
        async with made.store.read() as db:
            assert (await db.exec_driver_sql("SELECT count(*) FROM people_accounts")).scalar_one() == 0
