"""Every RPC over a real gRPC connection."""

import asyncio
from pathlib import Path

import grpc
import grpc.aio
import pytest

from authz_sidecar.errors import BadRequest, EngineError, LedgerFull, NotReady
from authz_sidecar.model import Mode
from authz_sidecar.server.listen import Tcp
from authz_sidecar.server.reports import News, ShadowReport
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire.authz_pb2_grpc import AdminServiceStub, AuthorizationServiceStub
from tests.server.fakes import REVISION, Running, running


def question(tool: str = "ok", **fields) -> pb.CheckRequest:
    return pb.CheckRequest(**({"token": "alice", "method": "tools/call", "tool": tool} | fields))


async def test_check_allows_with_rules_principal_and_expiry(serving: Running) -> None:
    got = await AuthorizationServiceStub(serving.channel).Check(question(request_id="r 1"), timeout=5)
    assert (got.allowed, got.reason, got.mode) == (True, pb.REASON_ALLOWED_BY_RULE, pb.MODE_ENFORCE)
    assert (got.message, got.request_id, got.decision_id, got.policy_revision) == ("allowed", "r 1", "d-1", REVISION)
    assert (got.principal.subject, list(got.principal.subjects)) == ("alice", ["user:alice"])
    assert (got.rules[0].source, got.rules[0].line, got.rules[0].allow) == ("policy.csv", 3, True)
    assert list(got.required_scopes) == ["tickets:write"]
    assert got.token_expires_at.ToNanoseconds() == 1_800_000_000_250_000_000
    assert len(serving.meter.seconds) == 1


async def test_a_no_is_an_answer_and_not_an_error(serving: Running) -> None:
    serving.decider.mode = Mode.OBSERVE
    got = await AuthorizationServiceStub(serving.channel).Check(question("bad"), timeout=5)
    assert (got.allowed, got.reason, got.mode) == (False, pb.REASON_NO_MATCHING_RULE, pb.MODE_OBSERVE)


async def test_batch_answers_in_order_and_says_shared_fields_once(serving: Running) -> None:
    items = [pb.CheckBatchItem(method="tools/call", tool=tool) for tool in ("ok1", "no", "ok2")]
    request = pb.CheckBatchRequest(token="bob", server="ops", items=items, request_id="r")
    got = await AuthorizationServiceStub(serving.channel).CheckBatch(request, timeout=5)
    assert [result.allowed for result in got.results] == [True, False, True]
    assert (got.principal.subject, got.decision_id, got.mode) == ("bob", "d-1", pb.MODE_ENFORCE)
    assert not any(each.HasField("principal") or each.decision_id or each.mode for each in got.results)
    assert serving.decider.queries[0].batch


async def test_check_works_over_tcp_on_a_port_that_was_free(short: Path) -> None:
    async with running(short, socket=None, tcp=Tcp(host="localhost", port=0)) as it:
        assert not it.targets[0].endswith(":0")
        got = await AuthorizationServiceStub(it.channel).Check(question(), timeout=5)
        assert got.allowed


async def test_a_hundred_callers_on_one_stream_never_get_each_others_answers(serving: Running) -> None:
    gates = [asyncio.Event() for _ in range(100)]
    serving.decider.hold = lambda query: gates[int(query.token.text)]
    call = AuthorizationServiceStub(serving.channel).CheckStream(timeout=10)
    for at in range(100):
        ask = question(("ok" if at % 2 else "no"), token=str(at), request_id=f"r{at}")
        await call.write(pb.CheckStreamRequest(check=ask))
    seen: list[str] = []
    for at in reversed(range(100)):
        gates[at].set()
        got = await call.read()
        name = got.request_id.removeprefix("r")
        seen.append(name)
        assert got.check.principal.subject == name
        assert got.check.request_id == got.request_id
        assert got.check.allowed is bool(int(name) % 2)
    assert seen == [str(at) for at in reversed(range(100))]
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF
    assert len(serving.meter.seconds) == 100


async def test_questions_still_open_when_the_caller_ends_the_stream_are_answered(serving: Running) -> None:
    call = AuthorizationServiceStub(serving.channel).CheckStream(timeout=5)
    for at in range(20):
        await call.write(pb.CheckStreamRequest(check=question(request_id=str(at))))
    await call.done_writing()
    assert sorted([got.request_id async for got in call], key=int) == [str(at) for at in range(20)]


async def test_a_failing_question_gets_an_error_and_the_stream_lives(serving: Running) -> None:
    gate = asyncio.Event()
    serving.decider.hold = lambda query: gate if query.request_id == "slow" else None
    call = AuthorizationServiceStub(serving.channel).CheckStream(timeout=5)

    async def told(ask: pb.CheckRequest) -> tuple[str, int, str]:
        await call.write(pb.CheckStreamRequest(check=ask))
        got = await call.read()
        return got.request_id, got.error.code, got.error.message

    await call.write(pb.CheckStreamRequest(check=question(request_id="slow")))
    invalid = grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert await told(question()) == ("", invalid, "`request_id` is empty, expected one for each question on a stream")
    assert (await told(question(request_id="slow")))[:2] == ("slow", invalid)
    assert (await told(question(request_id="a", method="m" * 257)))[:2] == ("a", invalid)
    serving.decider.error = ValueError("with a secret")
    assert await told(question(request_id="b")) == (
        "b",
        grpc.StatusCode.INTERNAL.value[0],
        "internal error (error id e-0)",
    )
    serving.decider.error = None
    gate.set()
    assert (await call.read()).check.allowed
    await call.write(pb.CheckStreamRequest(check=question(request_id="slow")))
    assert (await call.read()).check.allowed
    call.cancel()


async def test_no_more_questions_are_under_way_on_a_stream_than_it_may(short: Path) -> None:
    async with running(short, in_flight=3) as it:
        gate = asyncio.Event()
        it.decider.hold = lambda query: gate
        call = AuthorizationServiceStub(it.channel).CheckStream(timeout=5)
        for at in range(10):
            await call.write(pb.CheckStreamRequest(check=question(request_id=str(at))))
        await call.done_writing()
        await AuthorizationServiceStub(it.channel).WatchPolicy(pb.WatchPolicyRequest()).read()  # lets the server work
        assert len(it.decider.queries) <= 3
        gate.set()
        assert len([got async for got in call]) == 10


async def test_a_stream_that_is_cancelled_leaves_no_question_behind(serving: Running) -> None:
    cancelled = asyncio.Event()

    class Gate(asyncio.Event):
        async def wait(self) -> bool:
            try:
                return await super().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise

    serving.decider.hold = lambda query: Gate()
    call = AuthorizationServiceStub(serving.channel).CheckStream()
    await call.write(pb.CheckStreamRequest(check=question(request_id="1")))
    await asyncio.wait_for(serving.decider.entered.wait(), 5)
    call.cancel()
    await asyncio.wait_for(cancelled.wait(), 5)


async def test_watch_tells_the_state_at_once_and_then_each_change(serving: Running) -> None:
    call = AuthorizationServiceStub(serving.channel).WatchPolicy(pb.WatchPolicyRequest(), timeout=5)
    assert (await call.read()).policy_revision == REVISION
    serving.news.coming.put_nowait(News(revision="sha256:b", revocation_epoch=2, stale=True))
    assert await call.read() == pb.WatchPolicyResponse(policy_revision="sha256:b", revocation_epoch=2, stale=True)
    call.cancel()


@pytest.mark.parametrize(
    ("error", "code", "text", "kind"),
    [
        pytest.param(NotReady("x"), grpc.StatusCode.UNAVAILABLE, NotReady.public, "not_ready", id="no policy yet"),
        pytest.param(LedgerFull("x"), grpc.StatusCode.UNAVAILABLE, LedgerFull.public, "ledger_full", id="log full"),
        pytest.param(BadRequest("`x` is bad"), grpc.StatusCode.INVALID_ARGUMENT, "`x` is bad", "bad_request", id="bad"),
        pytest.param(
            EngineError("s3cret"), grpc.StatusCode.INTERNAL, "internal error (error id e-0)", "engine", id="engine"
        ),
        pytest.param(
            ZeroDivisionError("s3cret"), grpc.StatusCode.INTERNAL, "internal error (error id e-0)", "internal", id="bug"
        ),
    ],
)
async def test_what_was_raised_becomes_a_status_and_is_counted(
    serving: Running, capfd: pytest.CaptureFixture[str], error: Exception, code: grpc.StatusCode, text: str, kind: str
) -> None:
    serving.decider.error = error
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await AuthorizationServiceStub(serving.channel).Check(question(), timeout=5)
    assert (told.value.code(), told.value.details()) == (code, text)
    assert serving.meter.kinds == [kind]
    noted = "".join(capfd.readouterr())
    assert "Traceback" not in noted
    assert ("e-0" in noted) is (code is grpc.StatusCode.INTERNAL)
    assert ("s3cret" in noted) is (kind == "engine")


async def test_an_answer_that_takes_too_long_ends_with_the_deadline(serving: Running) -> None:
    serving.decider.hold = lambda query: asyncio.Event()
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await AuthorizationServiceStub(serving.channel).Check(question(), timeout=0.05)
    assert told.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_admin_tells_the_status(serving: Running) -> None:
    got = await AdminServiceStub(serving.admin_channel).GetStatus(pb.GetStatusRequest(), timeout=5)
    assert (got.version, got.ready, got.engine, got.rules, got.memberships) == ("1.2.3", True, "casbin", 3, 2)
    assert (got.servers[0].name, got.servers[0].mode) == ("ops", pb.MODE_OBSERVE)
    assert (got.problems[0].line, got.problems[0].column, got.problems[0].code) == (7, 2, "unknown-effect")
    assert (got.stale, got.confirmation_needed, list(got.development_issuers)) == (True, True, ["dev"])
    assert got.started_at.seconds == 1_700_000_000
    assert got.policy_loaded_at.seconds == 1_700_000_001


async def test_admin_tells_of_the_policy_that_is_tried_out(serving: Running) -> None:
    stub = AdminServiceStub(serving.admin_channel)
    assert not (await stub.GetStatus(pb.GetStatusRequest(), timeout=5)).HasField("shadow")
    serving.admin.shadow = ShadowReport(stale=True, problems=(serving.admin.problem,))
    got = (await stub.GetStatus(pb.GetStatusRequest(), timeout=5)).shadow
    assert (got.policy_revision, got.stale, got.problems[0].code) == ("", True, "unknown-effect")
    assert not got.HasField("policy_loaded_at")
    serving.admin.shadow = ShadowReport(revision="sha256:next", loaded_at=1_700_000_002.0, rules=4, memberships=1)
    got = (await stub.GetStatus(pb.GetStatusRequest(), timeout=5)).shadow
    assert (got.policy_revision, got.rules, got.memberships, got.stale) == ("sha256:next", 4, 1, False)
    assert got.policy_loaded_at.seconds == 1_700_000_002


async def test_admin_reloads_and_a_refused_edit_is_an_answer(serving: Running) -> None:
    stub = AdminServiceStub(serving.admin_channel)
    refused = await stub.ReloadPolicy(pb.ReloadPolicyRequest(), timeout=5)
    applied = await stub.ReloadPolicy(pb.ReloadPolicyRequest(confirm=True), timeout=5)
    assert refused.outcome == pb.ReloadPolicyResponse.OUTCOME_REFUSED
    assert len(refused.problems) == 1
    assert applied.outcome == pb.ReloadPolicyResponse.OUTCOME_APPLIED
    assert serving.admin.confirmed == [False, True]


async def test_the_data_listener_does_not_serve_the_admin_service(serving: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await AdminServiceStub(serving.channel).ReloadPolicy(pb.ReloadPolicyRequest(), timeout=5)
    assert told.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_the_admin_socket_does_not_serve_checks(serving: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await AuthorizationServiceStub(serving.admin_channel).Check(question(), timeout=5)
    assert told.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_idle_streams_never_take_the_room_of_questions(serving: Running) -> None:
    stub = AuthorizationServiceStub(serving.channel)
    held = [stub.WatchPolicy(pb.WatchPolicyRequest(), timeout=10) for _ in range(512)]
    for watch in held:
        await watch.read()
    one_more = stub.WatchPolicy(pb.WatchPolicyRequest(), timeout=10)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await one_more.read()
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    answer = await stub.Check(pb.CheckRequest(token="t", method="tools/call", tool="x"), timeout=10)
    assert answer.decision_id
    for watch in held:
        watch.cancel()
