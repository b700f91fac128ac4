"""A sidecar that answers from a table, over real gRPC."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import grpc
import grpc.aio

from authz_sidecar.wire import authz_pb2 as wire
from authz_sidecar.wire.authz_pb2_grpc import AuthorizationServiceServicer, add_AuthorizationServiceServicer_to_server

LISTS = {
    "tools/list": "tools/call",
    "prompts/list": "prompts/get",
    "resources/list": "resources/read",
    "resources/templates/list": "resources/read",
    "tasks/list": "tools/call",
}
PASSES = {
    "initialize",
    "ping",
    "server/discover",
    "client/response",
    "session/stream",
    "session/delete",
    "logging/setLevel",
}
REVISION = "sha256:" + "0" * 64
ASK = {"server": "ops", "request_id": "r"}
"""What goes with every question."""


@dataclass
class Table:
    """Whom the fake knows and what they may do. A token is `token-NAME`; `*` allows everything."""

    may: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    scopes: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    observe: bool = False
    asked: list[wire.CheckRequest | wire.CheckBatchRequest] = field(default_factory=list)
    fault: grpc.StatusCode | None = None
    hold: Callable[[], object] | None = None
    """Awaited before each answer, to be slow."""
    streams: bool = True
    """Whether questions may come on a stream, as with every sidecar but an old one."""
    streamed: int = 0
    packs: list[int] = field(default_factory=list)
    """How many questions each message on a stream carried."""
    news: tuple[str, int] | None = (REVISION, 0)
    """The revision and the revocation epoch; None ends every subscription and takes no more."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    watches: int = 0

    async def tell(self, news: tuple[str, int] | None) -> None:
        """Tell everybody who watches."""
        async with self.changed:
            self.news = news
            self.changed.notify_all()

    def judge(self, token: str, method: str, tool: str) -> wire.CheckResponse:
        if not token:
            return wire.CheckResponse(reason=wire.REASON_TOKEN_MISSING, message="an access token is needed")
        if self.name(token) is None or token in self.expired:
            return wire.CheckResponse(reason=wire.REASON_TOKEN_EXPIRED, message="the access token was not accepted")
        may = self.may[token.removeprefix("token-")]
        passes = method in PASSES or method.startswith("notifications/")
        passes = passes or (method in LISTS and not tool) or (method == "subscriptions/listen" and not tool)
        right = (LISTS.get(method, method), tool)
        if method == "subscriptions/listen":
            right = ("resources/read", tool)
        if not (passes or right in may or ("*", "*") in may):
            return wire.CheckResponse(reason=wire.REASON_NO_MATCHING_RULE, message="not permitted")
        if right in self.scopes and method not in LISTS:
            return wire.CheckResponse(
                reason=wire.REASON_INSUFFICIENT_SCOPE,
                message="the access token lacks a scope that this needs",
                required_scopes=self.scopes[right],
            )
        rule = wire.RuleRef(source="policy.csv", line=3, text=f"p, {right[0]}, {right[1]}", allow=True)
        return wire.CheckResponse(allowed=True, reason=wire.REASON_ALLOWED_BY_RULE, message="allowed", rules=[rule])

    def name(self, token: str) -> str | None:
        name = token.removeprefix("token-")
        return name if token.startswith("token-") and name in self.may else None

    def principal(self, token: str) -> wire.Principal | None:
        name = self.name(token)
        if name is None or token in self.expired:
            return None
        return wire.Principal(
            issuer="https://idp.example",
            subject=name,
            client_id="cli",
            subjects=[f"user:{name}"],
            scopes=["read"],
            token_id=f"jti-{name}",
        )


class _Aborted(Exception):
    def __init__(self, code: grpc.StatusCode, detail: str) -> None:
        self.code, self.detail = code, detail


class _Alone:
    """The context of one question on a stream."""

    async def abort(self, code: grpc.StatusCode, detail: str) -> None:
        raise _Aborted(code, detail)


class FakeSidecar(AuthorizationServiceServicer):
    """Serves a table on a Unix socket until it is stopped."""

    def __init__(self, socket: Path, table: Table) -> None:
        self.socket = socket
        self.table = table
        self.server: grpc.aio.Server | None = None

    @property
    def target(self) -> str:
        return f"unix:{self.socket}"  # for the client, which escapes it

    async def start(self) -> "FakeSidecar":
        self.socket.parent.mkdir(mode=0o700, exist_ok=True)
        self.server = grpc.aio.server()
        add_AuthorizationServiceServicer_to_server(self, self.server)
        self.server.add_insecure_port(f"unix:{quote(str(self.socket))}")
        await self.server.start()
        return self

    async def stop(self) -> None:
        if self.server is not None:
            await self.server.stop(0)
            self.server = None

    async def Check(self, request, context):  # noqa: N802 - the name of the RPC
        self.table.asked.append(request)
        await self._trouble(context)
        answer = self.table.judge(request.token, request.method, request.tool)
        if (who := self.table.principal(request.token)) is not None:
            answer.principal.CopyFrom(who)
        answer.policy_revision = REVISION
        answer.decision_id = f"decision-{len(self.table.asked)}"
        answer.mode = wire.MODE_OBSERVE if self.table.observe else wire.MODE_ENFORCE
        answer.token_expires_at.seconds = 4_000_000_000
        return answer

    async def CheckStream(self, requests, context):  # noqa: N802 - the name of the RPC
        if not self.table.streams:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "an older sidecar")
        await context.send_initial_metadata((("authz-stream", "more"),))
        self.table.streamed += 1
        tasks: set[asyncio.Task[None]] = set()
        turn = asyncio.Lock()

        async def answer(asked: wire.CheckRequest) -> None:
            said = wire.CheckStreamResponse(request_id=asked.request_id)
            try:
                said.check.CopyFrom(await self.Check(asked, _Alone()))
            except _Aborted as error:
                said.error.code, said.error.message = error.code.value[0], error.detail
            async with turn:
                await context.write(said)

        async for request in requests:
            self.table.packs.append(1 + len(request.more))
            for asked in (request.check, *request.more):
                tasks.add(task := asyncio.create_task(answer(asked)))
                task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def WatchPolicy(self, request, context):  # noqa: N802 - the name of the RPC
        if self.table.news is None:
            await context.abort(grpc.StatusCode.UNIMPLEMENTED, "an older sidecar")
        self.table.watches += 1
        try:
            told = None
            while True:
                async with self.table.changed:
                    while self.table.news == told:
                        await self.table.changed.wait()
                    told = self.table.news
                if told is None:
                    return
                await context.write(wire.WatchPolicyResponse(policy_revision=told[0], revocation_epoch=told[1]))
        finally:
            self.table.watches -= 1

    async def CheckBatch(self, request, context):  # noqa: N802 - the name of the RPC
        self.table.asked.append(request)
        await self._trouble(context)
        return wire.CheckBatchResponse(
            results=[self.table.judge(request.token, item.method, item.tool) for item in request.items],
            principal=self.table.principal(request.token),
            policy_revision=REVISION,
            decision_id=f"decision-{len(self.table.asked)}",
            mode=wire.MODE_OBSERVE if self.table.observe else wire.MODE_ENFORCE,
        )

    async def _trouble(self, context) -> None:
        if self.table.hold is not None:
            await self.table.hold()
        if self.table.fault is not None:
            await context.abort(self.table.fault, "trouble in `tool`")
