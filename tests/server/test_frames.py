"""Bytes that are no question: each gets a clear gRPC error, and no traceback anywhere."""

import asyncio
import logging
import random
from pathlib import Path

import grpc
import grpc.aio
import pytest

from authz_sidecar.server.listen import Options, Tcp
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire.authz_pb2_grpc import AuthorizationServiceStub
from tests.server.fakes import Running, running

SERVICE = "/authz.v1.AuthorizationService"
BAD = b"\xff\xff\xff"


async def refused(call: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await call  # type: ignore[misc]
    return told.value


@pytest.mark.parametrize("method", ["Check", "CheckBatch"])
async def test_a_frame_that_is_no_message_is_an_invalid_argument(
    serving: Running, method: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    told = await refused(serving.channel.unary_unary(f"{SERVICE}/{method}")(BAD, timeout=5))
    assert told.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "cannot be read" in (told.details() or "")
    assert "Traceback" not in "".join(capfd.readouterr()) + caplog.text
    assert serving.meter.kinds == ["bad_request"]


async def test_a_bad_frame_ends_a_stream_and_a_subscription_clearly(
    serving: Running, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    stream = serving.channel.stream_stream(f"{SERVICE}/CheckStream")(timeout=5)
    await stream.write(BAD)
    assert (await refused(stream.read())).code() is grpc.StatusCode.INVALID_ARGUMENT
    watch = serving.channel.unary_stream(f"{SERVICE}/WatchPolicy")(BAD, timeout=5)
    assert (await refused(watch.read())).code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "Traceback" not in "".join(capfd.readouterr()) + caplog.text


async def test_random_bytes_are_answered_or_refused_and_the_server_lives(
    serving: Running, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(7)  # noqa: S311 - a seeded test
    raw = serving.channel.unary_unary(f"{SERVICE}/Check")
    codes = set()
    for _ in range(300):
        try:
            await raw(chance.randbytes(chance.randrange(1, 40)), timeout=5)
        except grpc.aio.AioRpcError as told:
            codes.add(told.code())
    assert codes == {grpc.StatusCode.INVALID_ARGUMENT}
    assert (await AuthorizationServiceStub(serving.channel).Check(pb.CheckRequest(tool="ok"), timeout=5)).allowed
    assert "Traceback" not in "".join(capfd.readouterr()) + caplog.text


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip], ids=["plain", "gzip"])
async def test_a_message_beyond_the_limit_is_refused_before_it_is_read(
    serving: Running, compression: grpc.Compression
) -> None:
    request = pb.CheckRequest(token="t" * (4 * 1024 * 1024 + 1))
    told = await refused(AuthorizationServiceStub(serving.channel).Check(request, timeout=10, compression=compression))
    assert told.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert serving.decider.queries == []


async def test_a_method_that_does_not_exist_is_unimplemented(serving: Running) -> None:
    told = await refused(serving.channel.unary_unary(f"{SERVICE}/Nothing")(b"", timeout=5))
    assert told.code() is grpc.StatusCode.UNIMPLEMENTED


def http2(path: bytes) -> bytes:
    """Spell an HTTP/2 connection with one request, its header fields as literals without indexing (RFC 7541 6.2.2)."""

    def frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
        return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body

    fields = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", path),
        (b":authority", b"localhost"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    ]
    block = b"".join(b"\x00" + bytes([len(n)]) + n + bytes([len(v)]) + v for n, v in fields)
    message = b"\x00\x00\x00\x00\x04" + pb.CheckRequest(tool="ok").SerializeToString()
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, block) + frame(0, 1, 1, message)


@pytest.mark.parametrize(
    ("path", "judged"),
    [
        pytest.param(b"/authz.v1.AuthorizationService/Check", True, id="as it should be"),
        pytest.param(b"authz.v1.AuthorizationService/Check", False, id="without the leading slash"),
        pytest.param(b"//authz.v1.AuthorizationService/Check", False, id="with two slashes"),
        pytest.param(b"/authz.v1.AuthorizationService/check", False, id="in another case"),
        pytest.param(b"/authz.v1.AuthorizationService/Check?x", False, id="with a query"),
    ],
)
async def test_only_the_exact_path_reaches_a_method(serving: Running, path: bytes, judged: bool) -> None:
    reader, writer = await asyncio.open_unix_connection(f"{serving.directory}/run/authz.sock")
    writer.write(http2(path))
    seen = b""
    async with asyncio.timeout(10):
        while b"grpc-status" not in seen and (data := await reader.read(65_536)):
            seen += data
    writer.close()
    assert bool(serving.decider.queries) is judged
    assert (b"d-1" in seen) is judged


@pytest.mark.parametrize("data", [b"\x00" * 100, b"GET / HTTP/1.1\r\n\r\n", http2(b"/x")[:24] + b"\xff" * 60])
async def test_bytes_that_are_no_http2_close_the_connection_and_the_server_lives(
    serving: Running, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    reader, writer = await asyncio.open_unix_connection(f"{serving.directory}/run/authz.sock")
    writer.write(data)
    async with asyncio.timeout(10):
        await reader.read()
    writer.close()
    assert (await AuthorizationServiceStub(serving.channel).Check(pb.CheckRequest(tool="ok"), timeout=5)).allowed
    assert not [entry for entry in caplog.records if entry.levelno >= logging.ERROR]


async def test_calls_beyond_the_listeners_bound_are_turned_away(short: Path) -> None:
    beside = running(short, socket=None, tcp=Tcp(host="127.0.0.1", port=0), options=Options(max_calls=1))
    async with beside as it:
        gate = asyncio.Event()
        it.decider.hold = lambda query: gate
        stub = AuthorizationServiceStub(it.channel)
        first = asyncio.ensure_future(stub.Check(pb.CheckRequest(tool="ok"), timeout=10))
        await asyncio.wait_for(it.decider.entered.wait(), 5)
        told = await refused(stub.Check(pb.CheckRequest(tool="ok"), timeout=5))
        assert told.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        gate.set()
        assert (await first).allowed
