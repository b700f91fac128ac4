"""Revocations through a real Redis: sidecars on other machines learn of them there."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from authz_sidecar.app.authparts import SharedRevokes
from authz_sidecar.errors import TokenError
from authz_sidecar.model import Principal
from authz_sidecar.tokens.revocation import Revocations
from authz_sidecar.tokens.revocation_redis import RedisStore
from tests.oauth.world import world
from tests.redis.servers import RedisServer, needed, redis_server

pytestmark = [pytest.mark.redis, needed]


@pytest.fixture(name="shared")
def _shared(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as found:
        yield found


async def test_a_replay_here_is_refused_by_a_sidecar_elsewhere(tmp_path: Path, shared: RedisServer) -> None:
    elsewhere = Revocations(
        path=tmp_path / "revocations.db",
        clock=time.time,
        keep_seconds=3_600,
        max_entries=1_000,
        shared=RedisStore(shared.url),
        on_unreachable="deny",
        patience=5,
        monotonic=time.monotonic,
        learned=lambda count, epoch: None,
    )
    await elsewhere.open()
    following = asyncio.create_task(elsewhere.follow())
    told = SharedRevokes(RedisStore(shared.url))
    try:
        async with world(tmp_path, targets={"redis": told}) as made:
            made.now.now = time.time()
            await made.add()
            said, verifier = await made.authorize()
            claims = made.claims((await made.redeem(said["code"], verifier)).json()["access_token"])
            await made.redeem(said["code"], verifier)
            assert await made.core.outbox.waiting() == {"redis": 0}
        bearer = Principal(
            issuer=str(claims["iss"]),
            subject="alice",
            user="user:alice",
            family=str(claims["grant_id"]),
            expires_at=time.time() + 600,
            issued_at=time.time(),
        )
        async with asyncio.timeout(10):
            async for epoch in elsewhere.changes():
                if epoch:
                    break
        with pytest.raises(TokenError, match="revoked"):
            elsewhere.check(bearer)
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        await told.close()
        await elsewhere.close()
