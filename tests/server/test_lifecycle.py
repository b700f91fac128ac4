"""Start, ready, drain: what callers and the file system see."""

import asyncio
import gc
import stat
from pathlib import Path

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from authz_sidecar.errors import ConfigError
from authz_sidecar.server.lifecycle import AUTHORIZATION, GrpcServer
from authz_sidecar.server.listen import Tcp
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire.authz_pb2_grpc import AuthorizationServiceStub
from tests.server.fakes import FakeDecider, FakeMeter, FakeNews, Running, running

OK = pb.CheckRequest(token="alice", method="tools/call", tool="ok")
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def plain(**options) -> GrpcServer:
    return GrpcServer(decider=FakeDecider(), news=FakeNews(), meter=FakeMeter(), new_id=lambda: "e", **options)


@pytest.mark.parametrize("service", ["", AUTHORIZATION], ids=["the whole", "the service"])
async def test_health_is_not_serving_until_ready_and_again_when_draining(serving: Running, service: str) -> None:
    stub = HealthStub(serving.channel)
    ask = health_pb2.HealthCheckRequest(service=service)
    watch = stub.Watch(ask, timeout=10)
    assert (await stub.Check(ask, timeout=5)).status == NOT_SERVING
    assert (await watch.read()).status == NOT_SERVING
    await serving.server.set_ready(True)
    assert (await stub.Check(ask, timeout=5)).status == SERVING
    assert (await watch.read()).status == SERVING
    await serving.server.set_ready(False)
    assert (await watch.read()).status == NOT_SERVING


async def test_health_of_an_unknown_service_is_not_found(serving: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await HealthStub(serving.channel).Check(health_pb2.HealthCheckRequest(service="x"), timeout=5)
    assert told.value.code() is grpc.StatusCode.NOT_FOUND
    assert serving.meter.kinds == []


async def test_once_draining_it_never_turns_ready_again(serving: Running) -> None:
    await serving.server.set_ready(True)
    await serving.server.drain(0)
    await serving.server.set_ready(True)
    assert await serving.server._health.Check(health_pb2.HealthCheckRequest(), None) == (
        health_pb2.HealthCheckResponse(status=NOT_SERVING)
    )


async def test_reflection_lists_the_services_of_the_data_listener_only(serving: Running) -> None:
    call = ServerReflectionStub(serving.channel).ServerReflectionInfo(
        iter([ServerReflectionRequest(list_services="")]), timeout=5
    )
    got = await call.read()
    assert {service.name for service in got.list_services_response.service} == {
        "authz.v1.AuthorizationService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_both_sockets_are_for_us_alone_and_gone_afterwards(short: Path) -> None:
    async with running(short) as it:
        run = it.directory / "run"
        assert stat.S_IMODE(run.stat().st_mode) == 0o700
        for name in ("authz.sock", "admin.sock"):
            assert stat.S_IMODE((run / name).stat().st_mode) == 0o600
    assert list(run.iterdir()) == []


@pytest.mark.parametrize("name", ["a b", "a%20b", "a#b?c", "ü"])
async def test_a_socket_may_have_any_name(short: Path, name: str) -> None:
    server = plain(socket=short / name / "s")
    await server.start()
    assert (short / name / "s").is_socket()
    await server.drain(0)


async def test_a_second_server_on_the_same_socket_is_refused_and_the_first_lives(serving: Running) -> None:
    with pytest.raises(ConfigError, match="another process is listening"):
        await plain(socket=serving.directory / "run" / "authz.sock").start()
    assert (await AuthorizationServiceStub(serving.channel).Check(OK, timeout=5)).allowed


async def test_a_second_server_on_the_same_port_is_refused_and_leaves_no_socket(short: Path) -> None:
    async with running(short, tcp=Tcp(host="127.0.0.1", port=0)) as it:
        port = int(it.targets[1].rsplit(":", 1)[1])
        with pytest.raises(ConfigError, match="another process has the port"):
            await plain(socket=short / "b" / "s", tcp=Tcp(host="127.0.0.1", port=port)).start()
        assert list((short / "b").iterdir()) == []


async def test_the_next_server_takes_over_at_once_and_keeps_its_socket(short: Path) -> None:
    path = short / "run" / "s"
    for _ in range(5):
        server = plain(socket=path)
        await server.start()
        await server.drain(0)
        del server
    last = plain(socket=path)
    await last.start()
    gc.collect()
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        assert (await AuthorizationServiceStub(channel).Check(OK, timeout=5)).allowed
    await last.drain(0)


async def test_calls_in_flight_finish_while_draining_and_new_ones_are_turned_away(serving: Running) -> None:
    gate = asyncio.Event()
    serving.decider.hold = lambda query: gate
    stub = AuthorizationServiceStub(serving.channel)
    unary = asyncio.ensure_future(stub.Check(OK, timeout=10))
    await asyncio.wait_for(serving.decider.entered.wait(), 5)
    serving.decider.entered.clear()
    stream = stub.CheckStream(timeout=10)
    await stream.write(pb.CheckStreamRequest(check=pb.CheckRequest(tool="ok", request_id="1")))
    await asyncio.wait_for(serving.decider.entered.wait(), 5)
    draining = asyncio.create_task(serving.server.drain(8))
    await asyncio.wait_for(serving.server._stopping.wait(), 5)
    gate.set()
    assert (await stream.read()).check.allowed
    assert await stream.read() is grpc.aio.EOF
    assert await stream.code() is grpc.StatusCode.OK
    assert (await unary).allowed
    await asyncio.wait_for(draining, 10)
    with pytest.raises(grpc.aio.AioRpcError) as told:
        await stub.Check(OK, timeout=2)
    assert told.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_subscriptions_end_when_draining_and_do_not_hold_it_up(serving: Running) -> None:
    watch = AuthorizationServiceStub(serving.channel).WatchPolicy(pb.WatchPolicyRequest(), timeout=20)
    health = HealthStub(serving.channel).Watch(health_pb2.HealthCheckRequest(), timeout=20)
    await watch.read()
    await health.read()
    await asyncio.wait_for(serving.server.drain(60), 10)
    assert await watch.read() is grpc.aio.EOF
    assert await watch.code() is grpc.StatusCode.OK
    assert serving.news.open == 0
    last = await health.read()
    assert last is grpc.aio.EOF or last.status == NOT_SERVING


async def test_an_idle_stream_ends_when_draining(serving: Running) -> None:
    stream = AuthorizationServiceStub(serving.channel).CheckStream(timeout=20)
    await stream.write(pb.CheckStreamRequest(check=pb.CheckRequest(tool="ok", request_id="1")))
    await stream.read()
    await asyncio.wait_for(serving.server.drain(60), 10)
    assert await stream.read() is grpc.aio.EOF
    assert await stream.code() is grpc.StatusCode.OK


async def test_a_call_that_outlasts_the_grace_is_ended(serving: Running) -> None:
    serving.decider.hold = lambda query: asyncio.Event()
    call = AuthorizationServiceStub(serving.channel).Check(OK, timeout=20)
    await asyncio.wait_for(serving.decider.entered.wait(), 5)
    await asyncio.wait_for(serving.server.drain(0.01), 10)
    with pytest.raises((grpc.aio.AioRpcError, asyncio.CancelledError)):
        await call


def test_a_server_with_nowhere_to_listen_is_refused() -> None:
    with pytest.raises(ConfigError, match="nowhere to listen"):
        plain(socket=None)


def test_the_admin_service_never_shares_a_listener(short: Path) -> None:
    with pytest.raises(ConfigError, match="socket of its own"):
        plain(socket=short / "s", admin_socket=short / "a")
