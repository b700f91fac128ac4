"""A real Keycloak issues the tokens; the preset `keycloak` reads them, and a rotation fails no valid request."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from authz_sidecar.wire import authz_pb2 as pb
from tests.app import running as sidecar
from tests.app.running import House
from tests.providers import keycloak
from tests.providers.keycloak import Keycloak

pytestmark = [pytest.mark.providers, pytest.mark.timeout(1_200)]

POLICY = "p, role:support, ops, tools/call, echo, allow\np, client:nightly, ops, tools/call, report, allow\n"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keycloak]:
    with keycloak.running(keycloak.install(tmp_path_factory.mktemp("keycloak"))) as found:
        yield found


@pytest.fixture
def house(provider: Keycloak) -> Iterator[House]:
    with sidecar.house() as found:
        found.policy.write_text(POLICY)
        found.configure(
            issuers=f'[[issuers]]\nalias = "corp"\npreset = "keycloak"\nissuer = "{provider.issuer}"\n'
            'roles_claim = ["realm_access.roles", "resource_access.ops-api.roles"]\noptional_claims = '
            '["resource_access.ops-api.roles"]\n'
        )
        yield found


async def test_a_person_is_known_by_name_and_roles(provider: Keycloak, house: House) -> None:
    async with sidecar.running(house) as stub:
        answer = await sidecar.ask(stub, provider.alice()["access_token"])
        assert answer.allowed, pb.Reason.Name(answer.reason)
        subjects = set(answer.principal.subjects)
        assert {"user:alice", "client:inspector", "role:support", "role:ticket-writer"} <= subjects
        assert not (await sidecar.ask(stub, provider.alice()["access_token"], "report")).allowed


async def test_a_service_is_a_client_and_no_user(provider: Keycloak, house: House) -> None:
    async with sidecar.running(house) as stub:
        answer = await sidecar.ask(stub, provider.nightly(), "report")
        assert answer.allowed, pb.Reason.Name(answer.reason)
        assert not [one for one in answer.principal.subjects if one.startswith("user:")]
        assert not (await sidecar.ask(stub, provider.nightly())).allowed


async def test_its_other_tokens_are_refused(provider: Keycloak, house: House) -> None:
    tokens = provider.alice()
    async with sidecar.running(house) as stub:
        for kind, reason in (
            ("id_token", pb.REASON_TOKEN_TYPE_NOT_ALLOWED),
            ("refresh_token", pb.REASON_TOKEN_TYPE_NOT_ALLOWED),
        ):
            answer = await sidecar.ask(stub, tokens[kind])
            assert (answer.allowed, answer.reason) == (False, reason), kind
        other = provider.tokens(
            "master", grant_type="password", client_id="admin-cli", username="root", password=keycloak._SECRET
        )
        assert (await sidecar.ask(stub, other["access_token"])).reason == pb.REASON_TOKEN_ISSUER_UNKNOWN


async def test_a_rotation_under_load_fails_no_valid_request(provider: Keycloak, house: House) -> None:
    async with sidecar.running(house) as stub:
        tokens, done, answered = [provider.nightly()], asyncio.Event(), 0

        async def allowed(token: str) -> None:
            answer: Any = await sidecar.ask(stub, token, "report")
            assert answer.allowed, pb.Reason.Name(answer.reason)

        async def load() -> None:
            nonlocal answered
            while not done.is_set():
                for token in tuple(tokens):
                    await allowed(token)
                    answered += 1

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(load())
            await asyncio.to_thread(provider.rotate)
            tokens.append(await asyncio.to_thread(provider.nightly))
            assert tokens[0].partition(".")[0] != tokens[1].partition(".")[0]
            at = answered
            await sidecar.until(lambda: answered > at + 100)
            done.set()
