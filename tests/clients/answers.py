"""A sidecar with a table of answers, for clients in any language."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import grpc
from google.protobuf.message import Message

from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc

REVISION: Final = "sha256:" + "0" * 64
TOKEN: Final = "canary.token.value"

ANSWERS: Final = {
    "create_ticket": pb.CheckResponse(
        allowed=True,
        reason=pb.REASON_ALLOWED_BY_RULE,
        message="allowed",
        policy_revision=REVISION,
        decision_id="d-1",
    ),
    "delete_ticket": pb.CheckResponse(
        reason=pb.REASON_DENIED_BY_RULE, message="not permitted", policy_revision=REVISION, decision_id="d-2"
    ),
    "nothing": pb.CheckResponse(),
}


class Table(rpc.AuthorizationServiceServicer):
    """Answers by the tool's name, never answers `slow`, and refuses any other tool; keeps every question."""

    def __init__(self) -> None:
        self.asked: list[pb.CheckRequest] = []

    async def Check(self, request: pb.CheckRequest, context: Any) -> Message:  # noqa: N802 - the name in the .proto
        self.asked.append(request)
        if request.tool == "slow":
            await asyncio.Event().wait()
        if request.tool not in ANSWERS:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "tool is longer than 2048 bytes")
        return ANSWERS[request.tool]


@asynccontextmanager
async def serving(address: str) -> AsyncIterator[tuple[Table, str]]:
    """Serve the table on `unix:PATH` or `127.0.0.1:0`; give it and the address to call."""
    server, table = grpc.aio.server(), Table()
    rpc.add_AuthorizationServiceServicer_to_server(table, server)  # type: ignore[no-untyped-call] # generated
    port = server.add_insecure_port(address)
    await server.start()
    try:
        yield table, address if address.startswith("unix:") else f"127.0.0.1:{port}"
    finally:
        await server.stop(0)
