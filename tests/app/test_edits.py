"""Edits and reloads in the whole sidecar: each outcome is answered, logged, counted and recorded."""

from collections.abc import Iterator
from typing import Any

import grpc.aio
import httpx
import pytest
import structlog

from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc
from tests.app.running import POLICY, House, ask, house, running

R = pb.ReloadPolicyResponse
LONG = POLICY + "".join(f"g, user:u{number}, role:user\n" for number in range(10))


@pytest.fixture
def home() -> Iterator[House]:
    with house() as found:
        found.policy.write_text(LONG)
        yield found


async def reload(home: House, *, confirm: bool = False) -> pb.ReloadPolicyResponse:
    async with grpc.aio.insecure_channel(f"unix:{home.socket.with_name('admin.sock')}") as channel:
        stub: Any = rpc.AdminServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        answer: pb.ReloadPolicyResponse = await stub.ReloadPolicy(pb.ReloadPolicyRequest(confirm=confirm), timeout=5)
        return answer


async def test_every_outcome_of_an_edit_is_told_everywhere(home: House) -> None:
    with structlog.testing.capture_logs() as said:
        async with running(home) as stub:
            assert (await reload(home)).outcome == R.OUTCOME_UNCHANGED
            home.policy.write_text(f"{LONG}q, x\n")
            refused = await reload(home)
            assert (refused.outcome, [one.file for one in refused.problems]) == (R.OUTCOME_REFUSED, ["policy.csv"])
            home.policy.write_text(POLICY)
            asked = await reload(home)
            assert asked.outcome == R.OUTCOME_CONFIRMATION_NEEDED
            assert (await ask(stub, home.token("u5"))).allowed
            taken = await reload(home, confirm=True)
            assert taken.outcome == R.OUTCOME_APPLIED
            assert taken.policy_revision != asked.policy_revision
            assert not (await ask(stub, home.token("u5"))).allowed
            async with httpx.AsyncClient(trust_env=False, timeout=5) as http:
                page = (await http.get(f"http://127.0.0.1:{home.http_port}/metrics")).text
    for outcome in ("unchanged", "refused", "confirmation_needed", "applied"):
        assert f'authz_policy_reloads_total{{outcome="{outcome}"}}' in page
    told = {one["event"] for one in said}
    assert {"policy_live", "policy_unchanged", "policy_problem", "policy_refused", "policy_waits"} <= told
    place = next(one["at"] for one in said if one["event"] == "policy_problem")
    assert place == f"policy.csv:{LONG.count(chr(10)) + 1}:1"
    reloads = [one for one in home.decisions if one.get("action") == "reload"]
    assert {one["outcome"] for one in reloads} == {"applied", "unchanged", "refused", "confirmation_needed"}
    last = [one for one in reloads if one["outcome"] == "applied"][-1]
    assert (last["revision"], last["previous_revision"]) == (taken.policy_revision, asked.policy_revision)


async def test_an_empty_policy_denies_everybody_and_is_warned_of(home: House) -> None:
    home.policy.write_text("# nobody\n")
    with structlog.testing.capture_logs() as said:
        async with running(home) as stub:
            assert not (await ask(stub, home.token())).allowed
    assert "policy_warning" in {one["event"] for one in said}
