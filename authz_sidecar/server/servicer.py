"""The RPC methods: each translates in, asks one question, translates out."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any, Protocol, TypeAlias

import grpc.aio

from authz_sidecar.errors import Problem
from authz_sidecar.model import Answer, Query
from authz_sidecar.server import codec
from authz_sidecar.server.codec import Limits
from authz_sidecar.server.explaining import Explains, to_asking, to_explanation
from authz_sidecar.server.faults import Faults, Meter
from authz_sidecar.server.reports import Admin, PolicyNews, Revoking, ShadowReport
from authz_sidecar.server.revocations import MOST_LISTED, to_message, to_order
from authz_sidecar.server.stream import MORE, Interleave
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class Decides(Protocol):
    """Answers queries, as `decide.Decider` does."""

    async def decide(self, query: Query) -> Answer:
        """Answer, or raise an `AuthzError` when there is no answer."""
        ...


class AuthorizationServicer(rpc.AuthorizationServiceServicer):
    """Served on the data listener. An RPC error means that *we* could not answer."""

    def __init__(
        self,
        *,
        decider: Decides,
        news: PolicyNews,
        faults: Faults,
        meter: Meter,
        stopping: asyncio.Event,
        limits: Limits | None = None,
        in_flight: int = 256,
    ) -> None:
        """Take what decides and what tells news; `in_flight` bounds the questions under way on one stream."""
        self._decider = decider
        self._news = news
        self._faults = faults
        self._meter = meter
        self._stopping = stopping
        self._limits = limits or Limits()
        self._in_flight = in_flight

    async def Check(self, request: pb.CheckRequest, context: "Context | None") -> pb.CheckResponse:
        """Answer one question."""
        query = codec.to_query(request, self._limits)
        return codec.to_response(query, await self._decider.decide(query))

    async def CheckBatch(self, request: pb.CheckBatchRequest, context: "Context | None") -> pb.CheckBatchResponse:
        """Answer many questions about one token by one revision."""
        query = codec.to_batch(request, self._limits)
        return codec.to_batch_response(query, await self._decider.decide(query))

    async def CheckStream(self, request_iterator: AsyncIterator[pb.CheckStreamRequest], context: Context) -> None:
        """Answer many callers' questions as they come."""
        await context.send_initial_metadata((MORE,))
        stream = Interleave(
            lambda request: self.Check(request, None),
            faults=self._faults,
            meter=self._meter,
            stopping=self._stopping,
            in_flight=self._in_flight,
            packs=MORE in tuple(context.invocation_metadata() or ()),
        )
        await stream.run(request_iterator, context.write)

    async def WatchPolicy(self, request: pb.WatchPolicyRequest, context: Context) -> None:
        """Tell the revision at once, then at each change; the interceptor ends it when we stop."""
        async with aclosing(self._news.changes()) as changes:
            async for news in changes:
                await context.write(
                    pb.WatchPolicyResponse(
                        policy_revision=news.revision, revocation_epoch=news.revocation_epoch, stale=news.stale
                    )
                )


class AdminServicer(rpc.AdminServiceServicer):
    """Served on the admin socket alone."""

    def __init__(self, admin: Admin, revoking: Revoking, explains: Explains, limits: Limits | None = None) -> None:
        """Take what looks after the sidecar, what revokes, and what knows why."""
        self._admin = admin
        self._revoking = revoking
        self._explains = explains
        self._limits = limits or Limits()

    async def GetStatus(self, request: pb.GetStatusRequest, context: Context) -> pb.GetStatusResponse:
        """Tell what is loaded and what is wrong with the last edit."""
        report = await self._admin.status()
        response = pb.GetStatusResponse(
            version=report.version,
            started_at=codec.timestamp(report.started_at),
            ready=report.ready,
            policy_revision=report.revision,
            policy_origin=report.origin,
            rules=report.rules,
            memberships=report.memberships,
            engine=report.engine,
            stale=report.stale,
            problems=_problems(report.problems),
            warnings=_problems(report.warnings),
            servers=[
                pb.ServerStatus(name=server.name, audience=server.audience, mode=codec.MODES[server.mode])
                for server in report.servers
            ],
            development_issuers=report.development_issuers,
            confirmation_needed=report.confirmation_needed,
        )
        if report.loaded_at is not None:
            response.policy_loaded_at.CopyFrom(codec.timestamp(report.loaded_at))
        if report.shadow is not None:
            response.shadow.CopyFrom(_shadow(report.shadow))
        return response

    async def ReloadPolicy(self, request: pb.ReloadPolicyRequest, context: Context) -> pb.ReloadPolicyResponse:
        """Read the files now; a refused edit is an answer."""
        report = await self._admin.reload(request.confirm)
        return pb.ReloadPolicyResponse(
            outcome=f"OUTCOME_{report.outcome.name}",
            policy_revision=report.revision,
            problems=_problems(report.problems),
            warnings=_problems(report.warnings),
        )

    async def Explain(self, request: pb.ExplainRequest, context: Context) -> pb.ExplainResponse:
        """Say why the policy in force answers so; a token that does not hold is an answer."""
        return to_explanation(await self._explains.explain(to_asking(request, self._limits)))

    async def Revoke(self, request: pb.RevokeRequest, context: Context) -> pb.RevokeResponse:
        """Revoke; the answer comes when a restart cannot lose it."""
        receipt = await self._revoking.revoke(to_order(request))
        return pb.RevokeResponse(epoch=receipt.kept.epoch, revocation=to_message(receipt.kept), pending=receipt.pending)

    async def ListRevocations(self, request: pb.ListRevocationsRequest, context: Context) -> pb.ListRevocationsResponse:
        """Give a page of what is in force."""
        limit = min(request.limit or MOST_LISTED, MOST_LISTED)
        report = self._revoking.revocations(after=request.after_epoch, limit=limit)
        return pb.ListRevocationsResponse(
            revocations=map(to_message, report.kept), epoch=report.epoch, total=report.total, stale=report.stale
        )


def _shadow(report: ShadowReport) -> pb.ShadowStatus:
    found = pb.ShadowStatus(
        policy_revision=report.revision,
        rules=report.rules,
        memberships=report.memberships,
        stale=report.stale,
        problems=_problems(report.problems),
    )
    if report.loaded_at is not None:
        found.policy_loaded_at.CopyFrom(codec.timestamp(report.loaded_at))
    return found


def _problems(problems: Iterable[Problem]) -> list[pb.Problem]:
    return [
        pb.Problem(file=found.file, line=found.line, column=found.column, message=found.message, code=found.code)
        for found in problems
    ]
