"""The control: a bare grpc.aio server that answers Check with a fixed message of ours; it verifies nothing."""

import asyncio
import sys

import grpc.aio

from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc

_ROW = "p, role:viewer, ops-assistant, tools/call, lookup_inventory, allow"
ANSWER = pb.CheckResponse(
    allowed=True,
    reason=pb.REASON_ALLOWED_BY_RULE,
    message="allowed",
    principal=pb.Principal(
        issuer="https://issuer.demo.invalid", subject="alice", subjects=["user:alice"], scopes=["tickets:write"]
    ),
    rules=[pb.RuleRef(source="policy.csv", line=20, text=_ROW, allow=True)],
    policy_revision="sha256:" + "0" * 64,
    decision_id="0123456789abcdef-1",
    mode=pb.MODE_ENFORCE,
)


class Echo(rpc.AuthorizationServiceServicer):
    async def Check(self, request, context):  # noqa: N802
        return ANSWER


async def main(target: str) -> None:
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    rpc.add_AuthorizationServiceServicer_to_server(Echo(), server)
    server.add_insecure_port(target)
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
