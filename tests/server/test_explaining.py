"""Explain over a real gRPC connection: what is asked arrives whole, what is said too, and bounds are kept."""

import grpc
import grpc.aio
import pytest

from authz_sidecar.errors import NotReady
from authz_sidecar.model import RawToken
from authz_sidecar.server.explaining import MOST_ROWS
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire.authz_pb2_grpc import AdminServiceStub
from tests.server.fakes import REVISION, Running

ALICE = pb.Caller(subjects=["user:alice"], scopes=["s"])


async def explain(serving: Running, request: pb.ExplainRequest) -> pb.ExplainResponse:
    answer: pb.ExplainResponse = await AdminServiceStub(serving.admin_channel).Explain(request, timeout=5)
    return answer


async def test_what_is_asked_arrives_and_what_is_said_comes_back(serving: Running) -> None:
    request = pb.ExplainRequest(
        caller=ALICE, method="tools/call", tool="t", arguments_json=b"{}", context={"ip": "::1"}
    )
    got = await explain(serving, request)
    (asked,) = serving.explains.asked
    assert (asked.token, asked.subjects, asked.scopes) == (None, ("user:alice",), ("s",))
    assert (asked.question.method, asked.question.tool, asked.question.arguments) == ("tools/call", "t", b"{}")
    assert asked.context == {"ip": "::1"}
    assert (got.allowed, got.reason, got.policy_revision) == (False, pb.REASON_NO_MATCHING_RULE, REVISION)
    assert [(one.name, [row.line for row in one.by]) for one in got.held] == [("user:alice", []), ("role:x", [9])]
    assert [(one.row.line, one.decides, list(one.missing)) for one in got.considered] == [(3, False, ["subject"])]
    assert (got.miss.missing, got.miss.row.line, got.detail) == ("subject", 3, "why")
    assert got.principal.subject == "alice"


async def test_a_token_is_handed_on_and_its_bearer_may_stay_unknown(serving: Running) -> None:
    got = await explain(serving, pb.ExplainRequest(token="x", method="tools/call"))
    assert serving.explains.asked[0].token == RawToken("x")
    assert not got.HasField("principal")


async def test_no_more_rows_than_a_message_holds_are_told_and_the_others_counted(serving: Running) -> None:
    serving.explains.rows = MOST_ROWS + 7
    got = await explain(serving, pb.ExplainRequest(caller=ALICE, method="tools/call"))
    assert (len(got.considered), got.considered_more) == (MOST_ROWS, 7)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        pytest.param(pb.ExplainRequest(method="m"), "`who` is empty", id="nobody"),
        pytest.param(pb.ExplainRequest(caller=pb.Caller()), "`caller.subjects` is empty", id="a caller without a name"),
        pytest.param(
            pb.ExplainRequest(caller=pb.Caller(subjects=["user:a"] * 1_001)), "has 1001 entries", id="too many names"
        ),
        pytest.param(
            pb.ExplainRequest(caller=pb.Caller(subjects=["user:a"], scopes=["s" * 1_025])),
            "`caller.scopes` has an entry of more than 1024 bytes",
            id="a scope that is too long",
        ),
        pytest.param(
            pb.ExplainRequest(caller=ALICE, arguments_json=b"[]"),
            "`arguments_json` is not a JSON object",
            id="no object",
        ),
    ],
)
async def test_what_is_out_of_bounds_is_refused(serving: Running, request_: pb.ExplainRequest, says: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match=says) as told:
        await explain(serving, request_)
    assert told.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_nothing_is_explained_before_a_policy_is_loaded(serving: Running) -> None:
    serving.explains.error = NotReady("no policy")
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await explain(serving, pb.ExplainRequest(caller=ALICE, method="m"))
    assert told.value.code() is grpc.StatusCode.UNAVAILABLE
