"""A sidecar that believes every token: the token is the caller's name, and only `admin` may delete."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc


class Believer(rpc.AuthorizationServiceServicer):
    """Allows everybody everything but `delete_ticket`, which is for `admin`."""

    async def Check(self, request: pb.CheckRequest, context: Any) -> pb.CheckResponse:  # noqa: N802 - the name in the .proto
        return self._answer(request.token, request.tool)

    async def CheckBatch(self, request: pb.CheckBatchRequest, context: Any) -> pb.CheckBatchResponse:  # noqa: N802 - likewise
        return pb.CheckBatchResponse(
            results=[self._answer(request.token, item.tool) for item in request.items],
            principal=_principal(request.token),
            decision_id="d-batch",
            mode=pb.MODE_ENFORCE,
        )

    def _answer(self, token: str, tool: str) -> pb.CheckResponse:
        if not token:
            return pb.CheckResponse(
                reason=pb.REASON_TOKEN_MISSING, message="an access token is needed", decision_id="d-0"
            )
        allowed = tool != "delete_ticket" or token == "admin"
        return pb.CheckResponse(
            allowed=allowed,
            reason=pb.REASON_ALLOWED_BY_RULE if allowed else pb.REASON_NO_MATCHING_RULE,
            message="allowed" if allowed else "not permitted",
            principal=_principal(token),
            decision_id="d-1",
            mode=pb.MODE_ENFORCE,
        )


def _principal(token: str) -> pb.Principal:
    return pb.Principal(issuer="https://idp.example", subject=token, subjects=[f"user:{token}"])


@asynccontextmanager
async def believing(path: str) -> AsyncIterator[str]:
    """Serve on a Unix socket; give its target."""
    server = grpc.aio.server()
    rpc.add_AuthorizationServiceServicer_to_server(Believer(), server)  # type: ignore[no-untyped-call] # generated
    server.add_insecure_port(f"unix:{path}")
    await server.start()
    try:
        yield f"unix:{path}"
    finally:
        await server.stop(0)
