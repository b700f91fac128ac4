"""The outermost catch of every call: reads the frame, watches the deadline, maps what was raised to a status."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from typing import Any, Final, TypeAlias

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from authz_sidecar.errors import BadRequest
from authz_sidecar.server.faults import DeadlineGone, Faults, Meter, TooManyStreams
from authz_sidecar.server.until import until

# The stubs and grpcio describe messages and handlers as Any; nothing of that passes the servicers.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"

TIMED: Final = frozenset(
    {"/authz.v1.AuthorizationService/Check", "/authz.v1.AuthorizationService/CheckBatch"},
)
"""The calls whose time is a caller's waiting time; a stream's questions are timed one by one."""


class OutermostCatch(grpc.aio.ServerInterceptor):
    """Wraps the handlers of a server. It must be the only interceptor, since it keeps what it has wrapped."""

    def __init__(self, *, faults: Faults, meter: Meter, stopping: asyncio.Event, streams: int = 512) -> None:
        """Take what names faults, what counts, and the event that ends subscriptions.

        `streams` bounds the streams open at once, whoever holds them: idle ones must never take the room of questions.
        """
        self._faults = faults
        self._meter = meter
        self._stopping = stopping
        self._streams = streams
        self._open = 0
        self._wrapped: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """Wrap by the handler that was found, never by what the path looks like (CVE-2026-33186)."""
        rpc = handler_call_details.method
        wrapped = self._wrapped.get(rpc)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            wrapped = None if handler is None else self._wrap(rpc, handler)
            if wrapped is not None:
                self._wrapped[rpc] = wrapped
        return wrapped

    def _wrap(self, rpc: str, handler: Handler) -> "Handler | None":
        # grpcio would log a traceback and quote the bytes for a frame that it cannot read, so we read it ourselves.
        parse, write = handler.request_deserializer, handler.response_serializer
        if handler.unary_unary is not None:
            return grpc.unary_unary_rpc_method_handler(self._unary(rpc, handler.unary_unary, parse), None, write)
        if handler.unary_stream is not None:
            return grpc.unary_stream_rpc_method_handler(
                self._subscription(rpc, handler.unary_stream, parse), None, write
            )
        if handler.stream_stream is not None:
            return grpc.stream_stream_rpc_method_handler(self._stream(rpc, handler.stream_stream, parse), None, write)
        return None  # we have no such method: UNIMPLEMENTED

    def _unary(self, rpc: str, behaviour: Any, parse: Any) -> Any:
        async def answer(data: bytes, context: Context) -> Any:
            started = time.perf_counter()
            _check_deadline(context)
            response = await behaviour(_parsed(parse, data), context)
            if rpc in TIMED:
                self._meter.answered(time.perf_counter() - started)
            return response

        return self._caught(rpc, answer)

    def _subscription(self, rpc: str, behaviour: Any, parse: Any) -> Any:
        async def answer(data: bytes, context: Context) -> None:
            _check_deadline(context)
            with self._a_stream():
                await until(self._stopping, _pour(behaviour(_parsed(parse, data), context), context))

        return self._caught(rpc, answer)

    def _stream(self, rpc: str, behaviour: Any, parse: Any) -> Any:
        async def answer(frames: AsyncIterator[bytes], context: Context) -> None:
            _check_deadline(context)
            with self._a_stream():
                await _pour(behaviour(_all_parsed(parse, frames), context), context)

        return self._caught(rpc, answer)

    @contextmanager
    def _a_stream(self) -> Iterator[None]:
        if self._open >= self._streams:
            raise TooManyStreams(f"{self._open} streams are open")
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    def _caught(self, rpc: str, answer: Callable[[Any, Context], Awaitable[Any]]) -> Any:
        async def caught(given: Any, context: Context) -> Any:
            try:
                return await answer(given, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:  # noqa: BLE001 - the outermost catch: denies, counts and logs
                refusal = self._faults.refusal(rpc, error)
            return await context.abort(refusal.code, refusal.text)

        return caught


def _check_deadline(context: Context) -> None:
    left: float | None = context.time_remaining()  # None without a deadline, whatever the stubs say
    if left is not None and left <= 0:
        raise DeadlineGone("the deadline passed before the question was read")


def _parsed(parse: Any, data: bytes) -> Any:
    try:
        return parse(data)
    except DecodeError:
        raise BadRequest("the message cannot be read: it is not what this method takes") from None


async def _all_parsed(parse: Any, frames: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    async for data in frames:
        yield _parsed(parse, data)


async def _pour(outcome: Any, context: Context) -> None:
    """Run either kind of streaming behaviour: a generator of messages, or a coroutine that writes them itself."""
    if not hasattr(outcome, "__aiter__"):
        await outcome
        return
    async with aclosing(outcome) as messages:
        async for message in messages:
            await context.write(message)
