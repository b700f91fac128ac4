"""Many at once, on both databases: a code or refresh token is good once, whoever comes in whatever order."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from tests.database.stores import Cluster, cluster
from tests.oauth.world import World, world

_numbers = count(1)
_MANY = 200


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest_asyncio.fixture(name="racing", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def _racing(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    url = None
    if request.param == "postgresql":
        postgresql: Cluster = request.getfixturevalue("postgresql")
        url = postgresql.fresh(f"oauth{next(_numbers)}")
    async with world(tmp_path, url=url) as made:
        await made.add()
        made.core.outbox._patience = 10.0  # on a busy machine two seconds end before 200 requests do
        yield made


def _heard(racing: World) -> set[tuple[str, str]]:
    """Give what the sidecar heard, however often: a revocation is told at least once."""
    return {(one.reason, one.value) for one in racing.sidecar.heard}


async def test_of_two_hundred_redemptions_at_once_one_succeeds_at_most(racing: World) -> None:
    said, verifier = await racing.authorize()
    responses = await asyncio.gather(*(racing.redeem(said["code"], verifier) for _ in range(_MANY)))
    won = [one for one in responses if one.status_code == 200]
    assert len(won) == 1
    assert {one.json()["error"] for one in responses if one.status_code != 200} == {"invalid_grant"}
    told = won[0].json()
    assert await racing.core.tokens.active(told["access_token"]) is None
    assert (await racing.refresh(told["refresh_token"])).json()["error"] == "invalid_grant"
    assert await racing.core.outbox.flush()
    assert _heard(racing) == {("code_replayed", str(racing.claims(told["access_token"])["grant_id"]))}
    assert await racing.core.outbox.waiting() == {"sidecar": 0}


async def test_of_many_refreshes_at_once_one_succeeds_at_most(racing: World) -> None:
    first = await racing.granted()
    responses = await asyncio.gather(*(racing.refresh(first["refresh_token"]) for _ in range(50)))
    won = [one.json() for one in responses if one.status_code == 200]
    assert len(won) <= 1
    for told in won:
        assert await racing.core.tokens.active(told["access_token"]) is None
        assert (await racing.refresh(told["refresh_token"])).json()["error"] == "invalid_grant"
    assert await racing.core.outbox.flush()
    assert _heard(racing) == {("refresh_replayed", str(racing.claims(first["access_token"])["grant_id"]))}


async def test_different_codes_do_not_stand_in_each_others_way(racing: World) -> None:
    asked = [await racing.authorize() for _ in range(20)]
    responses = await asyncio.gather(*(racing.redeem(said["code"], verifier) for said, verifier in asked))
    assert {one.status_code for one in responses} == {200}


async def test_the_tables_are_made_once_and_again(racing: World) -> None:
    await asyncio.gather(*(racing.store.migrate() for _ in range(3)))
    assert (await racing.granted())["token_type"] == "Bearer"


async def test_what_is_over_is_forgotten(racing: World) -> None:
    told = await racing.granted()
    await racing.core.tokens.revoke(racing.claims(told["access_token"]))
    racing.now.now += racing.settings.grant_seconds + 10_000
    await racing.core.tidy()
    assert await racing.core.grants.of("alice") == ()
    assert await racing.core.grants.of_refresh(told["refresh_token"]) is None
