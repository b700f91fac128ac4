"""The life of the gRPC servers: take the addresses, serve, turn ready, drain, leave nothing behind."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from authz_sidecar.errors import ConfigError
from authz_sidecar.ports import NewId
from authz_sidecar.server.codec import Limits
from authz_sidecar.server.explaining import Explains
from authz_sidecar.server.faults import Faults, Meter
from authz_sidecar.server.interceptors import OutermostCatch
from authz_sidecar.server.listen import Options, Tcp, bind_tcp, bind_unix
from authz_sidecar.server.reports import Admin, PolicyNews, Revoking
from authz_sidecar.server.servicer import AdminServicer, AuthorizationServicer, Decides
from authz_sidecar.server.unixsocket import UnixSocket
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc

AUTHORIZATION: Final[str] = pb.DESCRIPTOR.services_by_name["AuthorizationService"].full_name
_SERVING: Final = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING: Final = health_pb2.HealthCheckResponse.NOT_SERVING


class GrpcServer:
    """The data listener, on a Unix socket, TCP or both, with the admin service on a socket of its own."""

    def __init__(
        self,
        *,
        decider: Decides,
        news: PolicyNews,
        meter: Meter,
        new_id: NewId,
        socket: Path | None,
        tcp: Tcp | None = None,
        admin: Admin | None = None,
        revoking: Revoking | None = None,
        explains: Explains | None = None,
        admin_socket: Path | None = None,
        limits: Limits | None = None,
        options: Options | None = None,
        in_flight: int = 256,
    ) -> None:
        """Take what answers and where; raises `ConfigError` when there is nowhere to listen."""
        if socket is None and tcp is None:
            raise ConfigError("there is nowhere to listen: set a socket or a TCP address")
        if len({admin is None, revoking is None, explains is None, admin_socket is None}) > 1:
            raise ConfigError("the admin service needs all that it asks, and a socket of its own")
        self._decider, self._news, self._admin, self._revoking = decider, news, admin, revoking
        self._explains = explains
        self._meter = meter
        self._faults = Faults(meter=meter, new_id=new_id)
        self._socket, self._tcp, self._admin_socket = socket, tcp, admin_socket
        self._limits = limits
        self._options = options or Options()
        self._in_flight = in_flight
        self._taken: list[UnixSocket] = []
        self._servers: list[grpc.aio.Server] = []
        self._stopping = asyncio.Event()
        self._health = health.aio.HealthServicer()  # pyright: ignore[reportAttributeAccessIssue] - the stubs lack it

    async def start(self) -> tuple[str, ...]:
        """Listen, not ready yet, and tell the addresses as gRPC targets; raises `ConfigError` and leaves nothing."""
        await self.set_ready(False)  # asyncio's HealthServicer begins as SERVING
        targets: list[str] = []
        try:
            self._data(server := self._new_server())
            if self._socket is not None:
                targets.append(self._bind(server, self._socket))
            if self._tcp is not None:
                targets.append(str(bind_tcp(server, self._tcp)))
            self._serve_admin()
            for each in self._servers:
                await each.start()
        except BaseException:
            await self.drain(0)
            raise
        return tuple(targets)

    async def set_ready(self, ready: bool) -> None:
        """Tell health checks whether a policy answers; once draining it stays not ready."""
        for service in ("", AUTHORIZATION):
            await self._health.set(service, _SERVING if ready else _NOT_SERVING)

    async def drain(self, grace: float) -> None:
        """Say not ready, end subscriptions, let calls in flight finish for `grace` seconds, and release the sockets."""
        await self._health.enter_graceful_shutdown()
        self._stopping.set()
        await asyncio.gather(*(server.stop(grace) for server in self._servers))
        for taken in self._taken:
            taken.release()

    def _new_server(self) -> grpc.aio.Server:
        catch = OutermostCatch(faults=self._faults, meter=self._meter, stopping=self._stopping)
        server = grpc.aio.server(
            interceptors=[catch],
            options=self._options.arguments(),
            maximum_concurrent_rpcs=self._options.max_calls,
        )
        self._servers.append(server)
        return server

    def _data(self, server: grpc.aio.Server) -> None:
        servicer = AuthorizationServicer(
            decider=self._decider,
            news=self._news,
            faults=self._faults,
            meter=self._meter,
            stopping=self._stopping,
            limits=self._limits,
            in_flight=self._in_flight,
        )
        _register(rpc.add_AuthorizationServiceServicer_to_server, servicer, server)
        _register(health_pb2_grpc.add_HealthServicer_to_server, self._health, server)
        names: Sequence[str] = (AUTHORIZATION, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, server)

    def _serve_admin(self) -> None:
        if self._admin is None or self._revoking is None or self._explains is None or self._admin_socket is None:
            return
        server = self._new_server()
        servicer = AdminServicer(self._admin, self._revoking, self._explains, self._limits)
        _register(rpc.add_AdminServiceServicer_to_server, servicer, server)
        self._bind(server, self._admin_socket)

    def _bind(self, server: grpc.aio.Server, path: Path) -> str:
        taken = UnixSocket.take(path)
        self._taken.append(taken)
        bind_unix(server, taken)
        return f"unix:{path}"


def _register(add: Any, servicer: object, server: grpc.aio.Server) -> None:
    """Call a generated function; the generator writes no types for them."""
    add(servicer, server)
