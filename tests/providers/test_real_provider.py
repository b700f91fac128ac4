"""A real OpenID provider issues the tokens, publishes its keys and rotates them; the whole sidecar verifies."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from authz_sidecar import configfile
from authz_sidecar.app.checkup_issuers import look
from authz_sidecar.wire import authz_pb2 as pb
from tests.app import running as sidecar
from tests.app.running import AUDIENCE, House
from tests.providers import real

pytestmark = [pytest.mark.providers, pytest.mark.timeout(300)]


def configure(house: House, issuer: str, algorithm: str, source: str) -> None:
    house.configure(
        issuers=f'[[issuers]]\nalias = "idp"\nissuer = "{issuer}"\n{source}\nalgorithms = ["{algorithm}"]\n'
        'token_types = ["at+jwt"]\nrequired_claims = ["client_id", "jti", "iat"]\n'
    )


async def allowed(stub: Any, token: str) -> bool:
    answer = await sidecar.ask(stub, token)
    assert answer.allowed, pb.Reason.Name(answer.reason)
    return True


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
@pytest.mark.parametrize("source", ["discovery = true", 'jwks_uri = "{issuer}/jwks"'], ids=["discovery", "jwks_uri"])
async def test_its_tokens_are_verified(program: Path, house: House, algorithm: str, source: str) -> None:
    async with real.running(program, audience=AUDIENCE, algorithm=algorithm) as provider:
        configure(house, provider.issuer, algorithm, source.format(issuer=provider.issuer))
        async with sidecar.running(house) as stub:
            token = await provider.token("tickets:read tickets:write")
            answer = await sidecar.ask(stub, token)
            assert answer.allowed, pb.Reason.Name(answer.reason)
            assert list(answer.principal.subjects) == ["client:nightly"]
            assert sorted(answer.principal.scopes) == ["tickets:read", "tickets:write"]
            assert answer.principal.issuer == provider.issuer
            head, payload, signature = token.split(".")
            for spoiled in (f"{head}.{payload}.{signature[::-1]}", f"{head}.{signature}.{payload}", head):
                assert not (await sidecar.ask(stub, spoiled)).allowed


async def test_a_rotation_with_overlap_fails_no_valid_request_under_load(program: Path, house: House) -> None:
    async with real.running(program, audience=AUDIENCE, algorithm="ES256") as provider:
        configure(house, provider.issuer, "ES256", "discovery = true")
        async with sidecar.running(house) as stub:
            tokens = [await provider.token()]
            assert await allowed(stub, tokens[0])
            done, answered = asyncio.Event(), 0

            async def load() -> None:
                nonlocal answered
                while not done.is_set():
                    for token in tuple(tokens):
                        assert await allowed(stub, token)
                        answered += 1

            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                for _ in range(8):
                    group.create_task(load())
                # The new key signs at once; the old one is published beside it for as long as its tokens live.
                await provider.keys(sign=1, publish=[0, 1])
                tokens += [await provider.token() for _ in range(3)]
                await asyncio.gather(*(allowed(stub, token) for token in tokens for _ in range(20)))
                at = answered
                await sidecar.until(lambda: answered > at + 200)
                done.set()
            assert answered > 200


async def test_invented_kids_do_not_hold_up_good_tokens(program: Path, house: House) -> None:
    async with real.running(program, audience=AUDIENCE, algorithm="ES256") as provider:
        configure(house, provider.issuer, "ES256", "discovery = true")
        async with sidecar.running(house) as stub:
            good = await provider.token()
            assert await allowed(stub, good)
            await provider.keys(sign=7, publish=[7])
            gone = await provider.token()
            await provider.keys(sign=0, publish=[0])
            answers = await asyncio.gather(*(sidecar.ask(stub, gone) for _ in range(50)))
            assert {answer.reason for answer in answers} == {pb.REASON_TOKEN_KEY_UNKNOWN}
            assert await allowed(stub, good)


async def test_the_doctor_finds_it_well(program: Path, house: House) -> None:
    async with real.running(program, audience=AUDIENCE, algorithm="ES256") as provider:
        configure(house, provider.issuer, "ES256", "discovery = true")
        config = configfile.load(house.config, {})
        assert (await provider.metadata())["issuer"] == provider.issuer
        found = await look(config, config.issuers[0], time.time)
        assert [one.health for one in found] == ["ok", "ok"], found
        assert "1 key (ES256)" in found[0].sentence
        assert "agrees" in found[1].sentence
