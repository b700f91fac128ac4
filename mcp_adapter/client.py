"""The gRPC client of the sidecar."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from weakref import WeakKeyDictionary

import grpc
import grpc.aio

from authz_sidecar.wire import authz_pb2 as wire
from authz_sidecar.wire.authz_pb2_grpc import AuthorizationServiceStub
from mcp_adapter.breaker import Breaker
from mcp_adapter.line import Line
from mcp_adapter.pdp import LARGEST_BATCH, NO_CONTEXT, Answer, Fault, Item, News, Unanswered
from mcp_adapter.target import Target
from mcp_adapter.wording import answer, question, questions

FAULTS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: Fault.INVALID,
    grpc.StatusCode.UNAVAILABLE: Fault.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Fault.TIMEOUT,
}
_OPTIONS: Final = (
    # A sidecar that was restarted is found again within a second or so.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 3000),  # how long one attempt may take, also on a busy machine
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_retries", 0),  # a second try could record one decision twice
    ("grpc.enable_http_proxy", 0),  # tokens go to the sidecar and nowhere else, whatever the environment says
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)
_ALIVE: Final = (
    # Across a network a connection can die without a word, and idle streams would not notice.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)
_HEALTH: Final = "/grpc.health.v1.Health/Check"
_MORE: Final = ("authz-stream", "more")
_SOON: Final = 0.25
_LATER: Final = 10.0


class SidecarClient:
    """Asks the sidecar at `unix:PATH` or `HOST:PORT`; one channel for each event loop, made when first needed.

    Every question ends within `timeout` seconds and is never repeated. Questions of all callers share one stream, and
    go by themselves while there is none. Where the transport fails again and again nobody waits for it: there is no
    answer at once, for a second at most. A Unix socket is used only while its directory belongs to us or to root and
    nobody else may write there: whoever can put a socket there receives every token. TCP without TLS is for loopback;
    elsewhere the server proves itself by `ca` (a PEM file; the system's roots when None), and we by `cert` and `key`
    where they are given. Raises `ValueError` for a target that cannot be meant.
    """

    def __init__(
        self,
        target: str,
        *,
        timeout: float = 1.0,
        ca: Path | None = None,
        cert: Path | None = None,
        key: Path | None = None,
    ) -> None:
        """Take the target; nothing is opened yet."""
        self._timeout = timeout
        self._target = Target.read(target)
        plain = self._target.loopback and (self._target.folder is not None or (ca is None and cert is None))
        self._credentials = None if plain else _credentials(ca, cert, key)
        self._desks: WeakKeyDictionary[asyncio.AbstractEventLoop, _Desk] = WeakKeyDictionary()

    async def check(
        self, token: str, item: Item, *, server: str, request_id: str, context: Mapping[str, str] = NO_CONTEXT
    ) -> Answer:
        """Ask about one item; raises `Unanswered` when there is no answer."""
        asked = question(token, item, server=server, request_id=request_id, context=context)
        response = await self._desk().check(asked)
        return answer(response, [response])

    async def check_batch(
        self,
        token: str,
        items: Sequence[Item],
        *,
        server: str,
        request_id: str,
        context: Mapping[str, str] = NO_CONTEXT,
    ) -> Answer:
        """Ask about 1 to 1,000 items; raises `Unanswered` when not every one has an answer."""
        if not 1 <= len(items) <= LARGEST_BATCH:
            raise Unanswered(Fault.INVALID, f"{len(items)} items in one batch, expected 1 to {LARGEST_BATCH}")
        asked = questions(token, items, server=server, request_id=request_id, context=context)
        response = await self._desk().batch(asked)
        if len(response.results) != len(items):
            raise Unanswered(Fault.INTERNAL, f"{len(response.results)} answers to {len(items)} items")
        return answer(response, response.results)

    async def watch(self) -> AsyncGenerator[News, None]:
        """Tell what is in force now, and then each change, until the connection ends: that raises `Unanswered`."""
        async for news in self._desk().watch():
            yield news

    async def close(self) -> None:
        """Close the channel of the running loop; the next question opens it again."""
        desk = self._desks.pop(asyncio.get_running_loop(), None)
        if desk is not None:
            await desk.close()

    def _desk(self) -> "_Desk":
        self._target.look()
        loop = asyncio.get_running_loop()
        desk = self._desks.get(loop)
        if desk is None:
            options = _OPTIONS if self._target.folder is not None else (*_OPTIONS, *_ALIVE)
            if self._credentials is None:
                channel = grpc.aio.insecure_channel(self._target.spelling, options=options)
            else:
                channel = grpc.aio.secure_channel(self._target.spelling, self._credentials, options=options)
            desk = self._desks[loop] = _Desk(channel, self._timeout)
        return desk


class _Desk:
    """Asks on one channel, in one event loop."""

    def __init__(self, channel: grpc.aio.Channel, seconds: float) -> None:
        self.channel = channel
        self._seconds = seconds
        self._stub: Any = AuthorizationServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
        self._breaker = Breaker()
        self._line: Line | None = None
        self._next_line = 0.0
        self._probing: asyncio.Task[None] | None = None

    async def check(self, asked: wire.CheckRequest) -> Any:
        """Ask by the stream where it takes the question, else by itself."""
        line = self._open_line()
        if line is not None and line.takes(asked):
            return await line.ask(asked, self._seconds)
        return await self._alone(self._stub.Check, asked)

    async def batch(self, asked: wire.CheckBatchRequest) -> Any:
        """Ask about many items."""
        return await self._alone(self._stub.CheckBatch, asked)

    async def watch(self) -> AsyncGenerator[News, None]:
        """Subscribe."""
        call = self._stub.WatchPolicy(wire.WatchPolicyRequest())
        try:
            while True:
                with _translated():
                    found = await call.read()
                if found is grpc.aio.EOF:
                    raise Unanswered(Fault.UNAVAILABLE, "the subscription ended")
                self._breaker.heard()
                yield News(revision=found.policy_revision, epoch=found.revocation_epoch)
        finally:
            call.cancel()

    async def close(self) -> None:
        """Close everything."""
        if self._probing is not None:
            self._probing.cancel()
        if self._line is not None:
            await self._line.close()
        await self.channel.close()

    def _open_line(self) -> Line | None:
        """Give the stream, and open one where there is none: not with a question, lest that be lost on the way."""
        line = self._line
        if line is None or line.over:
            now = asyncio.get_running_loop().time()
            if line is not None:
                # A sidecar that never took a stream may be an older one, or have too many of them.
                self._next_line = now + (_SOON if line.was_open else _LATER)
                self._line = line = None
            if now >= self._next_line and not self._breaker.open:
                self._line = line = Line(_Stream(self._stub.CheckStream(metadata=(_MORE,))))
        return line

    async def _alone(self, ask: Any, asked: Any) -> Any:  # the generated stubs are untyped
        if not self._breaker.admits():
            raise Unanswered(Fault.UNAVAILABLE, "the sidecar was not reached lately, so it was not asked")
        try:
            with _translated():
                response = await ask(asked, timeout=self._seconds)
        except Unanswered as error:
            self._weigh(error.fault)
            raise
        self._breaker.heard()
        return response

    def _weigh(self, fault: Fault) -> None:
        """Tell a dead transport from a sidecar that said so, and from one question that took too long."""
        reached = self.channel.get_state() is grpc.ChannelConnectivity.READY
        if fault in (Fault.INVALID, Fault.INTERNAL) or (reached and fault is Fault.UNAVAILABLE):
            self._breaker.heard()
        elif not reached:
            self._breaker.lost()
        elif self._probing is None:
            self._probing = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        """Ask for nothing but a sign of life; any answer is one."""
        try:
            ask: Any = self.channel.unary_unary(_HEALTH)  # raw bytes: an empty message asks about the whole server
            await ask(b"", timeout=self._seconds)
        except grpc.aio.AioRpcError as error:
            dead = error.code() in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
        else:
            dead = False
        finally:
            self._probing = None
        if dead:
            self._breaker.lost()


class _Stream:
    """A CheckStream as `line.Call`."""

    def __init__(self, call: Any) -> None:
        self._call = call

    async def opened(self) -> bool:
        with _translated():
            found = await self._call.initial_metadata()
            return _MORE in tuple(found or ())

    async def write(self, request: wire.CheckStreamRequest) -> None:
        with _translated():
            await self._call.write(request)

    async def read(self) -> wire.CheckStreamResponse | None:
        with _translated():
            found = await self._call.read()
        return None if found is grpc.aio.EOF else found

    def cancel(self) -> None:
        self._call.cancel()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        fault = FAULTS.get(error.code(), Fault.INTERNAL)
        raise Unanswered(fault, error.details() or error.code().name.lower()) from None
    except (grpc.aio.UsageError, asyncio.InvalidStateError) as error:  # the channel was closed while we asked
        raise Unanswered(Fault.UNAVAILABLE, str(error)) from None


def _credentials(ca: Path | None, cert: Path | None, key: Path | None) -> grpc.ChannelCredentials:
    if (cert is None) is not (key is None):
        raise ValueError("`cert` and `key` belong together: give both or neither")
    return grpc.ssl_channel_credentials(*(None if file is None else file.read_bytes() for file in (ca, key, cert)))
