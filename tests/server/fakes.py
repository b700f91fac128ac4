"""Fakes of what the gRPC door asks, each keeping the promise of its port."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio

from authz_sidecar.errors import Problem
from authz_sidecar.model import Answer, Decision, Mode, Principal, Query, Question, Reason, Revision, RuleRef, Server
from authz_sidecar.revocation import Kept, Receipt, Revocation
from authz_sidecar.rules import ANY, Effect, Membership, Pattern, Rule
from authz_sidecar.server.explaining import Asking, Looked, Why
from authz_sidecar.server.lifecycle import GrpcServer
from authz_sidecar.server.reports import News, Outcome, ReloadReport, RevocationsReport, ShadowReport, StatusReport
from authz_sidecar.server.revocations import Order

REVISION = Revision("sha256:" + "a" * 64)


def principal(user: str = "alice", **fields: Any) -> Principal:
    return Principal(
        issuer="https://idp.example", subject=user, user=f"user:{user}", expires_at=1_800_000_000.25, **fields
    )


def answer(query: Query, **fields: Any) -> Answer:
    """Answer as a decider would: the token is the user's name, and tools that begin with `ok` are allowed."""
    given = {
        "decisions": tuple(decision(asked) for asked in query.questions),
        "decision_id": "d-1",
        "revision": REVISION,
        "server": query.server or "ops",
        "principal": principal(query.token.text or "nobody"),
    }
    return Answer(**(given | fields))


def decision(asked: Question) -> Decision:
    if asked.tool.startswith("ok"):
        rule = RuleRef(source="policy.csv", line=3, text="p, role:x, *, *, ok*, allow", allow=True)
        return Decision(allowed=True, reason=Reason.ALLOWED_BY_RULE, rules=(rule,), required_scopes=("tickets:write",))
    return Decision(allowed=False, reason=Reason.NO_MATCHING_RULE)


class FakeDecider:
    """Answers by the name of the tool, or as told."""

    def __init__(self) -> None:
        self.queries: list[Query] = []
        self.error: Exception | None = None
        self.mode = Mode.ENFORCE
        self.hold: Callable[[Query], asyncio.Event | None] = lambda query: None
        self.entered = asyncio.Event()

    async def decide(self, query: Query) -> Answer:
        self.queries.append(query)
        self.entered.set()
        if (gate := self.hold(query)) is not None:
            await gate.wait()
        if self.error is not None:
            raise self.error
        return answer(query, mode=self.mode)


class FakeNews:
    """Tells what it is given: the state at once, then each change."""

    def __init__(self) -> None:
        self.now = News(revision=REVISION)
        self.coming: asyncio.Queue[News] = asyncio.Queue()
        self.open = 0

    async def changes(self) -> AsyncGenerator[News, None]:
        self.open += 1
        try:
            yield self.now
            while True:
                yield await self.coming.get()
        finally:
            self.open -= 1


@dataclass
class FakeMeter:
    """Remembers what was counted."""

    seconds: list[float] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    def answered(self, seconds: float) -> None:
        self.seconds.append(seconds)

    def failed(self, kind: str) -> None:
        self.kinds.append(kind)


class FakeAdmin:
    """A sidecar with one problem in its files."""

    problem = Problem(file="policy.csv", line=7, column=2, code="unknown-effect", message="unknown effect `x`")

    def __init__(self) -> None:
        self.confirmed: list[bool] = []
        self.shadow: ShadowReport | None = None

    async def status(self) -> StatusReport:
        return StatusReport(
            version="1.2.3",
            started_at=1_700_000_000.5,
            ready=True,
            engine="casbin",
            servers=(Server(name="ops", audience="https://ops.example/mcp", mode=Mode.OBSERVE),),
            revision=REVISION,
            loaded_at=1_700_000_001.0,
            origin="files",
            rules=3,
            memberships=2,
            stale=True,
            problems=(self.problem,),
            development_issuers=("dev",),
            confirmation_needed=True,
            shadow=self.shadow,
        )

    async def reload(self, confirm: bool) -> ReloadReport:
        self.confirmed.append(confirm)
        outcome = Outcome.APPLIED if confirm else Outcome.REFUSED
        return ReloadReport(outcome=outcome, revision=REVISION, problems=() if confirm else (self.problem,))


class FakeExplains:
    """Denies for want of a role, or as the test says."""

    def __init__(self) -> None:
        self.asked: list[Asking] = []
        self.error: Exception | None = None
        self.rows = 1

    async def explain(self, asking: Asking) -> Why:
        self.asked.append(asking)
        if self.error is not None:
            raise self.error
        rule = Rule(
            subject=Pattern("role:admin"),
            server=ANY,
            method=ANY,
            tool=ANY,
            effect=Effect.ALLOW,
            source="policy.csv",
            line=3,
            text="p, role:admin, *, *, *, allow",
        )
        held = Membership(member="user:alice", role="role:x", source="policy.csv", line=9, text="g, user:alice, role:x")
        return Why(
            decision=Decision(allowed=False, reason=Reason.NO_MATCHING_RULE, detail="why"),
            revision=REVISION,
            server="ops",
            principal=principal() if asking.token is None else None,
            held={"user:alice": (), "role:x": (held,)},
            considered=(Looked(rule=rule, decides=False, missing=("subject",)),) * self.rows,
            missing="subject",
            advice="the caller does not hold `role:admin`",
            miss=rule.ref,
            detail="why",
        )


class FakeRevoking:
    """Keeps what it is told, for one issuer."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.kept: list[Kept] = []
        self.error: Exception | None = None

    async def revoke(self, order: Order) -> Receipt:
        self.orders.append(order)
        if self.error is not None:
            raise self.error
        what = Revocation(
            issuer="https://idp.example",
            kind=order.kind,
            value=order.value,
            issued_before=order.issued_before,
            reason=order.reason,
            by=order.by,
        )
        epoch = len(self.kept) + 1
        self.kept.append(Kept(id=f"r-{epoch}", epoch=epoch, revocation=what, at=1_700_000_000.0, keep_until=1.8e9))
        return Receipt(kept=self.kept[-1], pending=order.reason == "outage")

    def revocations(self, *, after: int, limit: int) -> RevocationsReport:
        return RevocationsReport(
            kept=[one for one in self.kept if one.epoch > after][:limit], epoch=len(self.kept), total=len(self.kept)
        )


@dataclass(kw_only=True)
class Running:
    """A server with its fakes, and a channel to it."""

    server: GrpcServer
    decider: FakeDecider
    news: FakeNews
    meter: FakeMeter
    admin: FakeAdmin
    revoking: FakeRevoking
    explains: FakeExplains
    targets: tuple[str, ...]
    channel: grpc.aio.Channel
    admin_channel: grpc.aio.Channel
    directory: Path


@asynccontextmanager
async def running(directory: Path, **options: Any) -> AsyncIterator[Running]:
    """Serve on a Unix socket in the directory until the block ends."""
    decider, news, meter, admin = FakeDecider(), FakeNews(), FakeMeter(), FakeAdmin()
    revoking, explains = FakeRevoking(), FakeExplains()
    names = iter(range(1_000_000))
    given: dict[str, Any] = {"socket": directory / "run" / "authz.sock"} | options
    server = GrpcServer(
        decider=decider,
        news=news,
        meter=meter,
        new_id=lambda: f"e-{next(names)}",
        admin=admin,
        revoking=revoking,
        explains=explains,
        admin_socket=directory / "run" / "admin.sock",
        **given,
    )
    targets = await server.start()
    try:
        async with (
            grpc.aio.insecure_channel(targets[0]) as channel,
            grpc.aio.insecure_channel(f"unix:{directory}/run/admin.sock") as admin_channel,
        ):
            yield Running(
                server=server,
                decider=decider,
                news=news,
                meter=meter,
                admin=admin,
                revoking=revoking,
                explains=explains,
                targets=targets,
                channel=channel,
                admin_channel=admin_channel,
                directory=directory,
            )
    finally:
        await server.drain(0)
