"""A real sidecar that is killed, restarted and watched: what it said is revoked stays revoked."""

import asyncio
import os
import signal
import subprocess

import grpc.aio
import pytest

from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire.authz_pb2_grpc import AdminServiceStub, AuthorizationServiceStub
from examples.demo import processes
from tests.process.grounds import lines
from tests.revocation.sidecars import Sidecar, prepared, token

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


async def _revoke_until_killed(sidecar: Sidecar, process: subprocess.Popen[bytes]) -> set[str]:
    """Revoke from many callers at once, kill the sidecar in the middle, and give what it acknowledged."""
    done: set[str] = set()
    enough = asyncio.Event()
    async with grpc.aio.insecure_channel(f"unix:{sidecar.ground.socket.with_name('admin.sock')}") as channel:
        stub = AdminServiceStub(channel)

        async def caller(number: int) -> None:
            for turn in range(10_000):
                name = f"t-{number}-{turn}"
                try:
                    await stub.Revoke(pb.RevokeRequest(token_id=name), timeout=10)
                except grpc.aio.AioRpcError:
                    return
                done.add(name)
                if len(done) >= 150:
                    enough.set()

        callers = [asyncio.create_task(caller(number)) for number in range(8)]
        async with asyncio.timeout(60):
            await enough.wait()
            os.kill(process.pid, signal.SIGKILL)
            await asyncio.gather(*callers)
    return done


async def test_no_acknowledged_revocation_is_lost_by_a_kill() -> None:
    with prepared() as sidecar:
        with processes.sidecar(sidecar.ground) as process:
            done = await _revoke_until_killed(sidecar, process)
        assert len(done) >= 150
        with processes.sidecar(sidecar.ground):
            listed = await asyncio.to_thread(sidecar.listed)
        kept = {one.value for one in listed.revocations}
        assert done <= kept
        assert [one.epoch for one in listed.revocations] == sorted({one.epoch for one in listed.revocations})


async def test_watchers_hear_of_a_revocation() -> None:
    with prepared() as sidecar, processes.sidecar(sidecar.ground):
        async with (
            grpc.aio.insecure_channel(f"unix:{sidecar.ground.socket}") as channel,
            asyncio.timeout(10),
        ):
            news = AuthorizationServiceStub(channel).WatchPolicy(pb.WatchPolicyRequest())
            first = await news.read()
            assert (first.revocation_epoch, first.stale) == (0, False)
            told = await asyncio.to_thread(sidecar.revoke, subject="mallory")
            second = await news.read()
            assert (second.revocation_epoch, second.policy_revision) == (told.epoch, first.policy_revision)
            news.cancel()


def test_a_token_is_refused_on_the_next_question_and_after_a_restart() -> None:
    with prepared(issuer='family_claim = "sid"') as sidecar:
        alice = token(sidecar.ground, "alice", sid="grant-7")
        bob = token(sidecar.ground, "alice", jti="bob", sid="grant-8")
        with processes.sidecar(sidecar.ground):
            assert sidecar.answers(alice) == "ALLOWED_BY_RULE"
            sidecar.revoke(token=alice, by="tester", reason="stolen")
            assert sidecar.answers(alice) == "TOKEN_REVOKED"
            assert sidecar.answers(bob) == "ALLOWED_BY_RULE"
            sidecar.revoke(family="grant-8")
            assert sidecar.answers(bob) == "TOKEN_REVOKED"
            assert (sidecar.metric("authz_revocations"), sidecar.metric("authz_revocation_stale")) == (2, 0)
        with processes.sidecar(sidecar.ground):
            assert [sidecar.answers(one) for one in (alice, bob)] == ["TOKEN_REVOKED", "TOKEN_REVOKED"]
        told = [one for one in lines(sidecar.ground.decisions) if one["type"] == "admin" and one["action"] == "revoke"]
        assert [(one["outcome"], one["target"].split("`")[1], one["revocation_epoch"]) for one in told] == [
            ("revoked", "alice", 1),
            ("revoked", "grant-8", 2),
        ]
        assert (told[0]["by"], told[0]["detail"]) == ("tester", "stolen")
        everything = sidecar.ground.decisions.read_text() + (sidecar.ground.directory / "sidecar.log").read_text()
        assert alice not in everything
        assert alice.split(".")[2] not in everything
