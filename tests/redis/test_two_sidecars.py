"""Two real sidecars and a real redis-server: one revokes, the other refuses; the server dies and comes back."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from examples.demo import processes
from tests.redis.servers import RedisServer, needed, redis_server
from tests.revocation.sidecars import Sidecar, prepared, token, twin, until

pytestmark = [pytest.mark.redis, pytest.mark.timeout(120), needed]

CONFIG = '[revocation]\nredis = "{url}"\non_unreachable = "{policy}"\nunreachable_after_seconds = 1\n'


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as server:
        yield server


@pytest.fixture
def pair(redis: RedisServer, request: pytest.FixtureRequest) -> Iterator[tuple[Sidecar, Sidecar]]:
    """Lay out two sidecars that share the server, with the policy that the test names."""
    with prepared(CONFIG.format(url=redis.url, policy=getattr(request, "param", "deny"))) as one:
        yield one, twin(one, "h")


def test_one_revokes_and_the_other_refuses(pair: tuple[Sidecar, Sidecar]) -> None:
    one, other = pair
    alice = token(one.ground, "alice")
    with processes.sidecar(one.ground), processes.sidecar(other.ground):
        assert [side.answers(alice) for side in pair] == ["ALLOWED_BY_RULE", "ALLOWED_BY_RULE"]
        assert not one.revoke(token=alice).pending
        assert one.answers(alice) == "TOKEN_REVOKED"
        until(lambda: other.answers(alice) == "TOKEN_REVOKED")
        assert other.listed().revocations[0].value == "alice"


@pytest.mark.parametrize(
    ("pair", "unknown", "ready"),
    [
        pytest.param("deny", "UNAVAILABLE", 503, id="deny"),
        pytest.param("allow_known", "ALLOWED_BY_RULE", 200, id="allow what is known"),
    ],
    indirect=["pair"],
)
def test_an_outage_follows_the_configured_policy_and_nothing_is_lost_by_it(
    redis: RedisServer, pair: tuple[Sidecar, Sidecar], unknown: str, ready: int
) -> None:
    one, other = pair
    alice, bob, carol = (token(one.ground, "alice", jti=name) for name in ("alice", "bob", "carol"))
    with processes.sidecar(one.ground):
        with processes.sidecar(other.ground):
            assert other.answers(bob) == "ALLOWED_BY_RULE"
            one.revoke(token=alice)
            until(lambda: other.answers(alice) == "TOKEN_REVOKED")
            redis.kill()
            until(lambda: [side.metric("authz_revocation_stale") for side in pair] == [1, 1])
            assert (other.answers(bob), other.ready()) == (unknown, ready)
            assert other.answers(alice) == "TOKEN_REVOKED"
            assert one.revoke(token=bob).pending
            assert one.answers(bob) == "TOKEN_REVOKED"
            assert other.answers(bob) == unknown
            redis.start()
            until(lambda: other.answers(bob) == "TOKEN_REVOKED")
            until(lambda: [side.metric("authz_revocation_stale") for side in pair] == [0, 0])
        until(lambda: one.answers(carol) != "UNAVAILABLE")
        one.revoke(token=carol)
        with processes.sidecar(other.ground):
            assert [other.answers(bearer) for bearer in (alice, bob, carol)] == ["TOKEN_REVOKED"] * 3


@pytest.mark.parametrize("pair", ["allow_known"], indirect=True)
def test_a_restart_during_an_outage_still_refuses(redis: RedisServer, pair: tuple[Sidecar, Sidecar]) -> None:
    one, other = pair
    alice, bob = token(one.ground, "alice"), token(one.ground, "alice", jti="bob")
    with processes.sidecar(one.ground):
        with processes.sidecar(other.ground):
            one.revoke(token=alice)
            until(lambda: other.answers(alice) == "TOKEN_REVOKED")
        redis.kill()
        with processes.sidecar(other.ground):
            assert other.answers(alice) == "TOKEN_REVOKED"
            assert other.answers(bob) == "ALLOWED_BY_RULE"
            assert other.listed().stale
            assert command(other, "revocations").returncode == 1
            late = command(other, "revoke", "--jti", "late")
            assert (late.returncode, "other sidecars learn it when it is back" in late.stderr) == (1, True)


def command(side: Sidecar, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of `authz-sidecar` for this sidecar."""
    return subprocess.run(
        [sys.executable, "-m", "authz_sidecar", *words, "--config", str(side.ground.config)],
        cwd=processes.ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )
