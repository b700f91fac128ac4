"""`Revoke` and `ListRevocations` over real gRPC: what is asked reaches the token room, and every refusal its status."""

from typing import Any

import grpc
import pytest

from authz_sidecar.errors import (
    BadRequest,
    NotReady,
    RevocationsFull,
    RevocationsUnknown,
    RevocationUnsaved,
)
from authz_sidecar.model import RawToken
from authz_sidecar.revocation import Kind
from authz_sidecar.server.revocations import Order
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire.authz_pb2_grpc import AdminServiceStub, AuthorizationServiceStub
from tests.server.fakes import Running


@pytest.mark.parametrize(
    ("request_", "order"),
    [
        pytest.param({"token": "x"}, Order(issuer="", token=RawToken("x")), id="a token"),
        pytest.param({"token_id": "x"}, Order(issuer="", kind=Kind.TOKEN, value="x"), id="a jti"),
        pytest.param({"subject": "x"}, Order(issuer="", kind=Kind.SUBJECT, value="x"), id="a subject"),
        pytest.param({"client_id": "x"}, Order(issuer="", kind=Kind.CLIENT, value="x"), id="a client"),
        pytest.param({"family": "x"}, Order(issuer="", kind=Kind.FAMILY, value="x"), id="a family"),
        pytest.param({"subject": ""}, Order(issuer="", kind=Kind.SUBJECT), id="a subject without a name"),
        pytest.param(
            {"issuer": "main", "reason": "why", "by": "me"}, Order(issuer="main", reason="why", by="me"), id="an issuer"
        ),
    ],
)
async def test_what_is_asked_is_what_is_ordered(serving: Running, request_: dict[str, Any], order: Order) -> None:
    serving.revoking.error = NotReady("enough")
    with pytest.raises(grpc.aio.AioRpcError):
        await AdminServiceStub(serving.admin_channel).Revoke(pb.RevokeRequest(**request_), timeout=5)
    assert serving.revoking.orders == [order]


async def test_a_moment_keeps_its_fraction_and_the_answer_tells_what_is_kept(serving: Running) -> None:
    request = pb.RevokeRequest(subject="alice", reason="outage", by="me")
    request.issued_before.FromNanoseconds(1_700_000_000_250_000_000)
    got = await AdminServiceStub(serving.admin_channel).Revoke(request, timeout=5)
    assert (got.epoch, got.pending) == (1, True)
    kept = got.revocation
    assert (kept.epoch, kept.kind, kept.value) == (1, pb.REVOCATION_KIND_SUBJECT, "alice")
    assert (kept.issuer, kept.reason, kept.by) == ("https://idp.example", "outage", "me")
    assert kept.issued_before.ToNanoseconds() == 1_700_000_000_250_000_000
    assert (kept.revoked_at.seconds, kept.keep_until.seconds) == (1_700_000_000, 1_800_000_000)


async def test_a_list_comes_in_pages(serving: Running) -> None:
    stub = AdminServiceStub(serving.admin_channel)
    for name in "abc":
        await stub.Revoke(pb.RevokeRequest(token_id=name), timeout=5)
    page = await stub.ListRevocations(pb.ListRevocationsRequest(limit=2), timeout=5)
    assert ([one.value for one in page.revocations], page.total, page.epoch) == (["a", "b"], 3, 3)
    assert not page.revocations[0].HasField("issued_before")
    rest = await stub.ListRevocations(pb.ListRevocationsRequest(after_epoch=2), timeout=5)
    assert [one.value for one in rest.revocations] == ["c"]


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BadRequest("`issuer` is wrong"), grpc.StatusCode.INVALID_ARGUMENT, "`issuer` is wrong"),
        (NotReady("x"), grpc.StatusCode.UNAVAILABLE, "not ready"),
        (RevocationUnsaved("x"), grpc.StatusCode.UNAVAILABLE, "would not outlive a restart"),
        (RevocationsFull("x"), grpc.StatusCode.RESOURCE_EXHAUSTED, "max_entries"),
    ],
    ids=["a mistake", "too early", "not written", "full"],
)
async def test_every_refusal_has_its_status(
    serving: Running,
    error: Exception,
    status: grpc.StatusCode,
    said: str,
) -> None:
    serving.revoking.error = error
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await AdminServiceStub(serving.admin_channel).Revoke(pb.RevokeRequest(subject="a"), timeout=5)
    assert caught.value.code() is status
    assert said in (caught.value.details() or "")


async def test_a_question_that_cannot_be_held_against_revocations_is_not_answered(serving: Running) -> None:
    serving.decider.error = RevocationsUnknown("x")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await AuthorizationServiceStub(serving.channel).Check(
            pb.CheckRequest(token="t", method="tools/call", tool="ok"), timeout=5
        )
    assert (caught.value.code(), caught.value.details()) == (
        grpc.StatusCode.UNAVAILABLE,
        "revocations cannot be checked",
    )
    assert serving.meter.kinds == ["revocations_unknown"]


async def test_nobody_revokes_through_the_data_listener(serving: Running) -> None:
    for call, request in (("Revoke", pb.RevokeRequest(subject="a")), ("ListRevocations", pb.ListRevocationsRequest())):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await getattr(AdminServiceStub(serving.channel), call)(request, timeout=5)
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert serving.revoking.orders == []
