"""Runs the sidecar: builds every room, opens the doors, and closes them in order."""

import asyncio
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from itertools import count
from secrets import token_hex
from typing import Any, Final

import structlog

from authz_sidecar import __version__
from authz_sidecar.app import translate
from authz_sidecar.app.conditions import conditions
from authz_sidecar.app.explaining import Explaining
from authz_sidecar.app.issuers import known
from authz_sidecar.app.keytelling import AskTelling, KeyTelling
from authz_sidecar.app.revocations import revocations
from authz_sidecar.app.revoking import Audited, RevocationDesk, learned
from authz_sidecar.app.shadowing import Shadowing
from authz_sidecar.app.sourcing import sourced
from authz_sidecar.app.state import taken
from authz_sidecar.app.telling import Desk, Telling
from authz_sidecar.audit.digest import Digester, load_or_create_key
from authz_sidecar.audit.ledger import Ledger
from authz_sidecar.audit.sinks import ConsoleSink, Fanout, StreamSink
from authz_sidecar.config import Config
from authz_sidecar.decide import Decider
from authz_sidecar.engines import registry
from authz_sidecar.errors import ConfigError
from authz_sidecar.events import SCHEMA_VERSION, AdminEvent
from authz_sidecar.http.app import http_app
from authz_sidecar.http.listen import HttpServer
from authz_sidecar.http.metrics import CountedLog, Metrics
from authz_sidecar.linelog import LineLog, LineSink
from authz_sidecar.policy.store import PolicyStore
from authz_sidecar.policy.watch import watch
from authz_sidecar.ports import NewId
from authz_sidecar.server.lifecycle import GrpcServer
from authz_sidecar.server.listen import Options
from authz_sidecar.tokens.revocation_check import Unrevoked
from authz_sidecar.tokens.verifier import JwtVerifier

GRACE_SECONDS: Final = 5.0
"""How long calls in flight may take after SIGTERM."""

_log = structlog.get_logger("authz_sidecar")


def new_ids() -> NewId:
    """Name decisions: random for the process, counted within it, so that making one costs nothing."""
    boot, numbers = token_hex(8), count(1)
    return lambda: f"{boot}-{next(numbers):x}"


def open_ledger(config: Config) -> Ledger:
    """Open the decision log; raises `ConfigError`."""
    audit = config.audit
    digest_key = config.at(audit.digest_key_file) if audit.digest_key_file else config.state / "audit-digest.key"
    digest = Digester(load_or_create_key(digest_key))
    console = [ConsoleSink(sys.stderr, colors=sys.stderr.isatty())] if audit.console else []
    if audit.path == "-":
        out: LineSink = StreamSink(sys.stdout.buffer)
        return Ledger(sink=Fanout(out, *console), digest=digest, clock=time.time, when_full=audit.when_full)
    path = (config.at(audit.path) if audit.path else config.state / "audit") / "decisions.jsonl"
    try:
        file = LineLog(path, limit=audit.queue_lines)
    except OSError as error:
        raise ConfigError(f"the decision log {path} cannot be opened: {error.strerror}") from None
    return Ledger(
        sink=Fanout(file, *console),
        digest=digest,
        clock=time.time,
        when_full=audit.when_full,
        written=lambda: file.written,
        room=audit.queue_lines,
    )


async def serve(config: Config, *, stop: asyncio.Event | None = None, started: asyncio.Event | None = None) -> None:
    """Answer until SIGTERM, SIGINT or `stop`; raises `ConfigError` when it cannot begin.

    `started` is set when the doors are open. Calls in flight are finished, the log is flushed, sockets are removed.
    """
    stop = stop or asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError):  # not the main thread: whoever runs us stops us by `stop`
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with taken(config.state):
        sidecar = Sidecar(config)
        try:
            await sidecar.open()
            if started is not None:
                started.set()
            await stop.wait()
        finally:
            await sidecar.close()


class Sidecar:
    """Every room, connected."""

    def __init__(self, config: Config) -> None:
        """Build; raises `ConfigError`. Nothing is opened but the decision log."""
        servers = translate.servers(config)
        hierarchy = translate.hierarchy(config)
        engine = registry.load(config.policy.engine)
        tcp = translate.tcp(config)
        extra = frozenset().union(*(server.methods for server in servers.values()))
        self.metrics = Metrics(servers=servers, methods=extra)
        self._known = known(config, tell=KeyTelling(self.metrics), asked=AskTelling(self.metrics.introspected))
        issuers = self._known.issuers
        self.new_id = new_id = new_ids()
        self._ledger = open_ledger(config)
        self._sourced = sourced(config)
        self.store = PolicyStore(
            directory=config.at(config.policy.path),
            source=self._sourced.source,
            state_dir=config.state,
            engine=engine,
            servers=servers,
            qualified_by=translate.qualified_by(config),
            claim_mapping=translate.claim_mapping(config),
            plain_subjects=translate.plain_subjects(config),
            conditions=conditions(config),
            hierarchy=hierarchy,
            carried=translate.carried(config),
            clock=time.time,
            tell=Telling(ledger=self._ledger, counts=self.metrics),
        )
        self.revocations = revocations(config, learned(self._ledger.admin))
        self.revokes = Audited(self.revocations, self._ledger.admin)
        self._shadow = self._tried_out(config)
        verifier = Unrevoked(JwtVerifier(issuers, clock=time.time, opaque=self._known.opaque), self.revocations)
        self.decider = Decider(
            policies=self.store,
            verifier=verifier,
            log=CountedLog(self._ledger, self.metrics),
            servers=servers,
            new_id=new_id,
            scopes=hierarchy,
            shadow=self._shadow.policy if self._shadow else None,
            clock=time.time,
        )
        self._engine = engine.name
        self._development = tuple(one.alias for one in issuers if one.development)
        self.desk = desk = Desk(
            store=self.store,
            epochs=self.revocations.changes,
            engine=engine.name,
            servers=tuple(servers.values()),
            development=self._development,
            shadow=self._shadow.store if self._shadow else None,
            troubles=self._known.problems,
        )
        self._grpc = GrpcServer(
            decider=self.decider,
            news=desk,
            meter=self.metrics,
            new_id=new_id,
            socket=config.data_socket,
            tcp=tcp,
            admin=desk,
            revoking=RevocationDesk(revokes=self.revokes, known=self.revocations, issuers=issuers, clock=time.time),
            explains=Explaining(
                policies=self.store, verifier=verifier, servers=servers, hierarchy=hierarchy, clock=time.time
            ),
            admin_socket=config.admin_socket,
            options=Options(max_message=config.listen.max_message_bytes),
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._http: HttpServer | None = None
        if config.http.bind:
            host, _, port = config.http.bind.rpartition(":")
            app = http_app(metrics=self.metrics, not_ready=self._not_ready, hosts=config.http.allowed_hosts)
            self._http = HttpServer(app, host=host.strip("[]"), port=int(port))
        self.metrics.keys(self._known.ages)
        self.metrics.audit(lines=lambda: self._ledger.lines, dropped=lambda: self._ledger.dropped)
        self.metrics.revocations(kept=lambda: len(self.revocations), stale=lambda: self.revocations.stale)
        self._closing = False
        self._begun = False

    async def open(self) -> None:
        """Open the doors, then load the policy; not ready in between. Raises `ConfigError`."""
        _log.info("starting", version=__version__, engine=self._engine)
        for alias in self._development:
            _log.warning("development_issuer", issuer=alias, note="its keys are for development; replace them")
        for keys in self._known.changing.values():  # before the doors open: the first questions find a fetch under way
            self._keep(keys.run())
        targets = await self._grpc.start()
        http = await self._http.start() if self._http else None
        self._keep(self._follow())
        self._keep(self._ledger.tend())
        self._begun = True
        self._admin("start", "listening")
        await self.revocations.open()
        self._keep(self.revocations.tend())
        self._keep(self.revocations.follow())
        await self.store.load()
        look = self._sourced
        self._keep(watch(self.store, interval=look.interval, quiet=look.quiet, wake=look.wake))
        if look.hear is not None:
            self._keep(look.hear())
        if self._shadow:
            self._keep(self._shadow.run())
        _log.info("listening", grpc=list(targets), http=http, ready=self._not_ready() is None)

    async def close(self) -> None:
        """Turn not ready, finish what is in flight, stop, flush the log."""
        self._closing = True
        _log.info("stopping", grace_seconds=GRACE_SECONDS)
        await self._grpc.drain(GRACE_SECONDS)
        if self._http:
            await self._http.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._known.close()
        await self._sourced.close()
        await self.revocations.close()
        if self._begun:  # one that never answered leaves no word in a log that may be another one's
            self._admin("stop", "stopped")
        await asyncio.to_thread(self._ledger.close)
        _log.info("stopped")

    def _tried_out(self, config: Config) -> Shadowing | None:
        """Make ready the policy that is tried out beside the live one, when there is one."""
        if not config.policy.shadow:
            return None
        return Shadowing(config, admin=self._ledger.admin, failed=self.metrics.shadow_failed)

    def _not_ready(self) -> str | None:
        if self._closing:
            return "stopping"
        if self.revocations.unanswerable:
            return "revocations cannot be checked; the shared store is not reached"
        return None if self.store.status.revision else "no policy is loaded; see `authz-sidecar policy status`"

    async def _follow(self) -> None:
        """Show each state of the policy in metrics and health."""
        async for state in self.store.changes():
            self.metrics.stale(state.stale)
            self.metrics.ready(state.revision is not None)
            if state.revision is not None and state.loaded_at is not None:
                self.metrics.policy(revision=state.revision, loaded_at=state.loaded_at)
            await self._grpc.set_ready(state.revision is not None)

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Say that a task of ours died; it never should, and nothing is lost silently."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self.metrics.failed("task")
            _log.error("task_died", task=task.get_name(), error=type(error).__name__)

    def _admin(self, action: str, outcome: str) -> None:
        revision = self.store.status.revision or ""
        self._ledger.admin(AdminEvent(v=SCHEMA_VERSION, time="", action=action, outcome=outcome, revision=revision))
