"""Telling a running sidecar: what goes over the wire, and what comes back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
import pytest_asyncio

from authz_sidecar.errors import BadRequest, NotReady
from authz_sidecar.revocation import Kind, Revocation
from authz_sidecar.server.telling import RemoteRevokes
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc

ISSUER = "https://as.example"


class Admin(rpc.AdminServiceServicer):
    """Remembers what it was asked to revoke, or refuses."""

    def __init__(self) -> None:
        self.asked: list[pb.RevokeRequest] = []
        self.refusal: grpc.StatusCode | None = None

    async def Revoke(self, request: pb.RevokeRequest, context: Any) -> pb.RevokeResponse:  # noqa: N802 - as in the .proto
        if self.refusal is not None:
            await context.abort(self.refusal, "the issuer has no `family_claim`")
        self.asked.append(request)
        return pb.RevokeResponse(epoch=7, pending=True)


@pytest_asyncio.fixture(name="pair")
async def _pair(tmp_path: Path) -> AsyncIterator[tuple[Admin, RemoteRevokes]]:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    admin, server = Admin(), grpc.aio.server()
    rpc.add_AdminServiceServicer_to_server(admin, server)  # type: ignore[no-untyped-call] # generated
    server.add_insecure_port(f"unix:{folder}/admin.sock")
    await server.start()
    remote = RemoteRevokes(folder / "admin.sock")
    try:
        yield admin, remote
    finally:
        await remote.close()
        await server.stop(None)


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        (Kind.FAMILY, "family"),
        (Kind.TOKEN, "token_id"),
        (Kind.SUBJECT, "subject"),
        (Kind.CLIENT, "client_id"),
    ],
)
async def test_each_kind_has_its_field(pair: tuple[Admin, RemoteRevokes], kind: Kind, field: str) -> None:
    admin, remote = pair
    before = 1_800_000_000.5 if kind in (Kind.SUBJECT, Kind.CLIENT) else None
    entry = Revocation(issuer=ISSUER, kind=kind, value="x1", issued_before=before, reason="why", by="who")
    receipt = await remote.revoke(entry)
    assert (receipt.kept.epoch, receipt.kept.revocation, receipt.pending) == (7, entry, True)
    (asked,) = admin.asked
    assert (asked.issuer, asked.WhichOneof("what"), getattr(asked, field)) == (ISSUER, field, "x1")
    assert (asked.reason, asked.by, asked.HasField("issued_before")) == ("why", "who", before is not None)


async def test_a_whole_issuer_has_no_name(pair: tuple[Admin, RemoteRevokes]) -> None:
    admin, remote = pair
    await remote.revoke(Revocation(issuer=ISSUER, kind=Kind.ISSUER, issued_before=1.0))
    assert admin.asked[0].WhichOneof("what") is None


@pytest.mark.parametrize(
    ("status", "error"),
    [(grpc.StatusCode.INVALID_ARGUMENT, BadRequest), (grpc.StatusCode.INTERNAL, NotReady)],
)
async def test_a_refusal_is_told_apart_from_silence(
    pair: tuple[Admin, RemoteRevokes], status: grpc.StatusCode, error: type[Exception]
) -> None:
    admin, remote = pair
    admin.refusal = status
    with pytest.raises(error, match="family_claim"):
        await remote.revoke(Revocation(issuer=ISSUER, kind=Kind.FAMILY, value="g"))
