"""A policy that is tried out in the whole sidecar: logged, counted, followed, never enforced."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import httpx
import pytest
import structlog

from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc
from tests.app.running import POLICY, House, ask, house, running, until


@pytest.fixture
def home() -> Iterator[House]:
    with house() as found:
        found.configure(issuers=found.issuer(), extra='[policy]\nshadow = "next"\n')
        shutil.copytree(found.policy.parent, found.home / "next")
        yield found


@pytest.fixture
def tried(home: House) -> Path:
    return home.home / "next" / "policy.csv"


def edit(tried: Path, rows: str) -> None:
    tried.write_text(rows)


async def metrics(home: House) -> str:
    async with httpx.AsyncClient() as client:
        return (await client.get(f"http://127.0.0.1:{home.http_port}/metrics")).text


def reloads(home: House) -> list[str]:
    return [event["outcome"] for event in home.decisions if event.get("action") == "shadow_reload"]


def decisions(home: House) -> list[dict[str, object]]:
    return [event for event in home.decisions if event["type"] == "decision"]


async def test_differences_are_logged_and_counted_and_the_live_policy_answers(home: House, tried: Path) -> None:
    edit(tried, "p, role:user, ops, tools/call, other, allow\ng, user:alice, role:user\n")
    async with running(home) as stub:
        await until(lambda: reloads(home) == ["applied"])
        assert (await ask(stub, home.token(), "echo")).allowed
        assert not (await ask(stub, home.token(), "other")).allowed
        assert not (await ask(stub, home.token(), "third")).allowed
        told = await metrics(home)
        assert 'authz_shadow_differences_total{change="loses",method="tools/call",server="ops"} 1.0' in told
        assert 'authz_shadow_differences_total{change="gains",method="tools/call",server="ops"} 1.0' in told
        assert "authz_shadow_failures_total 0.0" in told
    lost, gained, alike = decisions(home)
    assert lost["shadow"]["reason"] == "no_matching_rule"  # type: ignore[index] # JSON
    assert gained["shadow"]["allowed"] is True  # type: ignore[index]
    assert "shadow" not in alike


async def test_edits_are_followed_also_those_that_lose_most_and_refused_ones_keep_the_last(
    home: House, tried: Path
) -> None:
    edit(tried, POLICY + "".join(f"g, user:u{number}, role:user\n" for number in range(20)))
    with structlog.testing.capture_logs() as said:
        async with running(home) as stub:
            await until(lambda: reloads(home) == ["applied"])
            edit(tried, "p, role:user, ops, tools/call, other, allow\n")
            await until(lambda: reloads(home) == ["applied", "applied"])
            edit(tried, "q\n")
            await until(lambda: reloads(home) == ["applied", "applied", "refused"])
            assert (await ask(stub, home.token(), "echo")).allowed
    assert decisions(home)[0]["shadow"]["reason"] == "no_matching_rule"  # type: ignore[index]
    assert any("policy.csv:1:1: unknown row kind `q`" in line.get("problem", "") for line in said)


async def status(home: House) -> pb.GetStatusResponse:
    async with grpc.aio.insecure_channel(f"unix:{home.socket.with_name('admin.sock')}") as channel:
        stub: Any = rpc.AdminServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        found: pb.GetStatusResponse = await stub.GetStatus(pb.GetStatusRequest(), timeout=10)
        return found


async def test_the_status_tells_what_is_tried_out_and_what_is_wrong_with_an_edit_of_it(
    home: House, tried: Path
) -> None:
    edit(tried, "p, role:user, ops, tools/call, other, allow\ng, user:alice, role:user\n")
    async with running(home):
        await until(lambda: reloads(home) == ["applied"])
        found = await status(home)
        assert found.shadow.policy_revision.startswith("sha256:")
        assert found.shadow.policy_revision != found.policy_revision
        assert (found.shadow.rules, found.shadow.memberships, found.shadow.stale) == (1, 1, False)
        assert found.shadow.policy_loaded_at.seconds >= found.started_at.seconds
        edit(tried, "q\n")
        await until(lambda: reloads(home) == ["applied", "refused"])
        edited = await status(home)
        assert (edited.shadow.stale, edited.stale, edited.ready) == (True, False, True)
        assert edited.shadow.policy_revision == found.shadow.policy_revision
        assert [problem.line for problem in edited.shadow.problems] == [1]


async def test_the_status_has_no_shadow_where_none_is_configured(home: House) -> None:
    home.configure(issuers=home.issuer())
    async with running(home):
        assert not (await status(home)).HasField("shadow")


async def test_a_policy_to_try_out_that_is_missing_stops_nothing(home: House) -> None:
    shutil.rmtree(home.home / "next")
    async with running(home) as stub:
        assert (await ask(stub, home.token(), "echo")).allowed
        await until(lambda: reloads(home) == ["refused"])


async def test_without_one_nothing_is_tried_out(home: House) -> None:
    home.configure(issuers=home.issuer())
    async with running(home) as stub:
        assert (await ask(stub, home.token(), "echo")).allowed
    assert reloads(home) == []
