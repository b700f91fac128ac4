"""Revocations shared through a real redis-server, by sidecars in this process."""

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from authz_sidecar.errors import ConfigError, NotReady, TokenError
from authz_sidecar.revocation import Kind
from authz_sidecar.tokens.revocation import Revocations
from authz_sidecar.tokens.revocation_redis import RedisStore
from authz_sidecar.tokens.revocation_share import StoreUnreachable
from tests.redis.servers import RedisServer, needed, redis_server
from tests.tokens.makers import ISSUER, NOW, Clock
from tests.tokens.revoking import opened, revocation, until, who

pytestmark = [pytest.mark.redis, needed]


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


@asynccontextmanager
async def sidecar(path: Path, redis: RedisServer, **options: Any) -> AsyncIterator[Revocations]:
    given: dict[str, Any] = {"shared": RedisStore(redis.url), "monotonic": time.monotonic, "patience": 1.0} | options
    async with opened(path, **given) as it:
        yield it


def revoked(it: Revocations, **changes: Any) -> bool:
    try:
        it.check(who(**changes))
    except TokenError:
        return True
    except NotReady:
        return False
    return False


async def test_one_revokes_and_another_refuses(tmp_path: Path, redis: RedisServer) -> None:
    async with sidecar(tmp_path / "a", redis) as one, sidecar(tmp_path / "b", redis) as other:
        await until(lambda: not one.stale and not other.stale)
        assert not (await one.revoke(revocation(Kind.TOKEN, "t-1"))).pending
        await until(lambda: revoked(other))
        await other.revoke(revocation(Kind.TOKEN, "ü/{}"))
        await until(lambda: len(one) == 2)
        assert other.listed(after=0, limit=9)[0].revocation == revocation(Kind.TOKEN, "t-1")


async def test_who_comes_later_learns_thousands(tmp_path: Path, redis: RedisServer) -> None:
    async with sidecar(tmp_path / "a", redis) as one:
        await until(lambda: not one.stale)
        await asyncio.gather(*(one.revoke(revocation(Kind.TOKEN, f"t-{n}")) for n in range(2_500)))
    async with sidecar(tmp_path / "b", redis) as late:
        await until(lambda: not late.stale)
        assert len(late) == 2_500


@pytest.mark.parametrize("keep", [True, False], ids=["it kept its memory", "it lost its memory"])
async def test_a_server_that_comes_back_is_told_what_it_missed(tmp_path: Path, *, keep: bool) -> None:
    with redis_server(tmp_path, keep=keep) as redis:
        async with sidecar(tmp_path / "a", redis) as one, sidecar(tmp_path / "b", redis) as other:
            await until(lambda: not one.stale and not other.stale)
            await one.revoke(revocation(Kind.TOKEN, "t-0"))
            await until(lambda: len(other) == 1)
            redis.kill()
            await until(lambda: one.unanswerable and other.unanswerable)
            assert (await one.revoke(revocation(Kind.TOKEN, "t-1"))).pending
            redis.start()
            await until(lambda: revoked(other))
            await until(lambda: not one.stale and not other.stale)
        async with sidecar(tmp_path / "c", redis) as late:
            await until(lambda: not late.stale)
            assert len(late) == 2


async def test_a_server_that_falls_silent_is_an_outage_and_its_return_is_noticed(
    tmp_path: Path, redis: RedisServer
) -> None:
    async with sidecar(tmp_path / "a", redis) as one, sidecar(tmp_path / "b", redis, on_unreachable="allow_known") as b:
        await until(lambda: not one.stale and not b.stale)
        redis.freeze(frozen=True)
        await until(lambda: one.stale and b.stale)
        assert (one.unanswerable, b.unanswerable) == (True, False)
        b.check(who())
        redis.freeze(frozen=False)
        await until(lambda: not one.stale and not b.stale)


async def test_an_emptied_server_is_filled_again(tmp_path: Path, redis: RedisServer) -> None:
    async with sidecar(tmp_path / "a", redis) as one:
        await until(lambda: not one.stale)
        await one.revoke(revocation(Kind.TOKEN, "t-1"))
        async with Redis.from_url(redis.url) as by_hand:
            await by_hand.flushall()
        async with sidecar(tmp_path / "b", redis) as late:
            await until(lambda: revoked(late))


async def test_what_is_forgotten_is_dropped_and_leaves_its_horizon(tmp_path: Path, redis: RedisServer) -> None:
    clock = Clock()
    async with sidecar(tmp_path / "a", redis, clock=clock) as one:
        await until(lambda: not one.stale)
        await one.revoke(revocation(Kind.TOKEN, "t-1"))
        clock.now += 86_400
        await one.tidy()
        async with Redis.from_url(redis.url) as by_hand:
            assert await by_hand.hlen("{authz:revocations}:entries") == 0
        store = RedisStore(redis.url)
        await store.drop([], {ISSUER: 5.0})
        assert await store.horizons() == {ISSUER: NOW + 300}
        await store.drop([], {})
        await store.close()


async def test_an_entry_of_a_stranger_is_an_outage(tmp_path: Path, redis: RedisServer) -> None:
    async with sidecar(tmp_path / "a", redis) as one:
        await until(lambda: not one.stale)
        async with Redis.from_url(redis.url) as by_hand:
            await by_hand.hset("{authz:revocations}:entries", b"\xff", b"junk")
            await by_hand.xadd("{authz:revocations}:news", {b"\xff": b"junk"})
        await until(lambda: one.unanswerable)


async def test_the_password_comes_from_outside_of_the_url(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--requirepass", "s3cret") as redis:
        async with sidecar(tmp_path / "a", redis, shared=RedisStore(redis.url, password="s3cret")) as one:
            await until(lambda: not one.stale)
        store = RedisStore(redis.url, password="wrong")
        with pytest.raises(StoreUnreachable) as caught:
            await store.begin()
        assert "wrong" not in str(caught.value)
        await store.close()


async def test_nobody_there_is_unreachable(tmp_path: Path, redis: RedisServer) -> None:
    redis.kill()
    store = RedisStore(redis.url)
    for call in (store.begin(), store.news(), store.add([("x", b"y")]), store.horizons(), store.drop(["x"], {})):
        with pytest.raises(StoreUnreachable):
            await call
    await store.close()


def _certificate(directory: Path, *names: str) -> None:
    alternatives = ",".join(f"DNS:{name}" for name in names)
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-days",
                "2",
            ),
            *("-keyout", str(directory / "key.pem"), "-out", str(directory / "cert.pem")),
            *("-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={alternatives}"),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )


@pytest.mark.parametrize(
    ("name", "trusted", "reached"),
    [
        pytest.param("localhost", True, True, id="our authority"),
        pytest.param("localhost", False, False, id="an authority that nobody knows"),
        pytest.param("elsewhere.example", True, False, id="another host's certificate"),
    ],
)
async def test_tls_checks_authority_and_name(tmp_path: Path, name: str, *, trusted: bool, reached: bool) -> None:
    _certificate(tmp_path, name)
    tls = ["--tls-cert-file", str(tmp_path / "cert.pem"), "--tls-key-file", str(tmp_path / "key.pem")]
    tls += ["--tls-ca-cert-file", str(tmp_path / "cert.pem"), "--tls-auth-clients", "no"]
    with redis_server(tmp_path, *tls, tls=True) as redis:
        store = RedisStore(
            redis.url.replace("127.0.0.1", "localhost"),
            ca_file=tmp_path / "cert.pem" if trusted else None,
        )
        if reached:
            await store.begin()
        else:
            with pytest.raises(StoreUnreachable):
                await store.begin()
        await store.close()


def test_an_address_that_is_none_is_no_start() -> None:
    with pytest.raises(ConfigError, match=r"revocation\.redis"):
        RedisStore("redis://127.0.0.1:port/0")
