"""Explaining what is in force: by token or by name, also while the files on disk are refused."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest

from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc
from tests.app.running import WAIT, House, ask, running, until


async def explained(home: House, tool: str, **who: Any) -> pb.ExplainResponse:
    async with grpc.aio.insecure_channel(f"unix:{home.home}/run/admin.sock") as channel:
        stub: Any = rpc.AdminServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        request = pb.ExplainRequest(method="tools/call", tool=tool, **who)
        answer: pb.ExplainResponse = await stub.Explain(request, timeout=WAIT)
        return answer


def alice() -> pb.Caller:
    return pb.Caller(subjects=["user:alice"])


async def test_it_says_what_a_check_says_and_names_the_rows(home: House) -> None:
    async with running(home) as stub:
        token = home.token()
        for tool in ("echo", "other"):
            said, why = await ask(stub, token, tool), await explained(home, tool, token=token)
            assert (why.allowed, why.reason, why.policy_revision) == (said.allowed, said.reason, said.policy_revision)
            assert why.principal == said.principal
        assert [list(one.missing) for one in why.considered] == [["tool"]]
        assert why.miss.advice == "the row is for the tool `echo`"


async def test_it_is_the_policy_in_force_that_is_explained(home: House) -> None:
    async with running(home):
        before = await explained(home, "echo", caller=alice())
        home.policy.write_text("p, nobody\n")
        admin = grpc.aio.insecure_channel(f"unix:{home.home}/run/admin.sock")
        async with admin as channel:
            stub: Any = rpc.AdminServiceStub(channel)  # type: ignore[no-untyped-call] # generated
            await until(lambda: _stale(stub))
        assert await explained(home, "echo", caller=alice()) == before
        home.policy.write_text("p, user:alice, ops, tools/call, other, allow\np, user:bob, ops, *, *, allow\n")
        after = await until(lambda: _other(home, before.policy_revision))
        assert (after.allowed, after.miss.missing) == (False, "subject")


async def _stale(stub: Any) -> bool:
    return bool((await stub.GetStatus(pb.GetStatusRequest(), timeout=WAIT)).stale)


async def _other(home: House, revision: str) -> pb.ExplainResponse | None:
    found = await explained(home, "echo", caller=alice())
    return found if found.policy_revision != revision else None


async def test_a_token_that_does_not_hold_is_an_answer_with_what_is_wrong(home: House) -> None:
    async with running(home):
        why = await explained(home, "echo", token=home.token(aud="https://other.example"))
    assert (why.allowed, why.reason, why.miss.missing) == (False, pb.REASON_TOKEN_AUDIENCE_MISMATCH, "token")
    assert not why.HasField("principal")
    assert why.detail


@pytest.mark.parametrize(
    ("subjects", "says"),
    [
        pytest.param(["alice"], "`alice` is no name, write for example `user:alice`", id="no prefix"),
        pytest.param(["user:"], "`user:` is no name", id="nothing behind the prefix"),
        pytest.param(["user:a", "user:b"], "`user:a` and `user:b` are two callers", id="two users"),
    ],
)
async def test_names_that_are_no_caller_are_refused(home: House, subjects: list[str], says: str) -> None:
    async with running(home):
        with pytest.raises(grpc.aio.AioRpcError, match=says) as told:
            await explained(home, "echo", caller=pb.Caller(subjects=subjects))
    assert told.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_token_for_a_server_that_is_not_there_is_refused_and_a_caller_is_told(home: House) -> None:
    async with running(home):
        with pytest.raises(grpc.aio.AioRpcError, match="no server is called `gone`"):
            await explained(home, "echo", token=home.token(), server="gone")
        why = await explained(home, "echo", caller=alice(), server="opss")
    assert (why.reason, why.miss.advice) == (
        pb.REASON_SERVER_UNKNOWN,
        "no configured server is called `opss`, did you mean `ops`",
    )


async def test_explaining_leaves_no_decision_in_the_log(home: House) -> None:
    async with running(home) as stub:
        await explained(home, "echo", caller=alice())
        await ask(stub, home.token())
    assert [event["type"] for event in home.decisions if event["type"] == "decision"] == ["decision"]


async def test_many_may_ask_at_once(home: House) -> None:
    async with running(home):
        found = await asyncio.gather(*(explained(home, "echo", caller=alice()) for _ in range(20)))
    assert all(one.allowed for one in found)
