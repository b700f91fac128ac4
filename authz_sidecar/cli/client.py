"""Calls a running sidecar for the command line: one call, one deadline, one sentence when it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc

from authz_sidecar import configfile
from authz_sidecar.errors import AuthzError
from authz_sidecar.wire import authz_pb2_grpc as rpc

DEADLINE_SECONDS: Final = 5.0


class Unreachable(AuthzError):
    """The sidecar gave no answer."""

    code = "unreachable"


def data_target(config_path: Path, target: str | None) -> str:
    """Give the gRPC target of the data service: as named, or as configured."""
    if target:
        return target
    config = configfile.load(config_path)
    return f"unix:{config.data_socket.resolve()}" if config.data_socket else config.listen.tcp


def admin_target(config_path: Path) -> str:
    """Give the gRPC target of the administration service."""
    return f"unix:{configfile.load(config_path).admin_socket.resolve()}"


@contextmanager
def data(target: str) -> Iterator["rpc.AuthorizationServiceStub"]:
    """Connect to the data service."""
    with _channel(target) as channel:
        yield rpc.AuthorizationServiceStub(channel)  # type: ignore[no-untyped-call] # generated


@contextmanager
def admin(target: str) -> Iterator["rpc.AdminServiceStub"]:
    """Connect to the administration service."""
    with _channel(target) as channel:
        yield rpc.AdminServiceStub(channel)  # type: ignore[no-untyped-call] # generated


@contextmanager
def _channel(target: str) -> Iterator[grpc.Channel]:
    try:
        with grpc.insecure_channel(target, options=[("grpc.enable_retries", 0)]) as channel:
            yield channel
    except grpc.RpcError as error:
        failed: Any = error  # what a channel raises is a Call too; the type stubs deny it
        code, detail = failed.code(), failed.details()
        hint = "; is `authz-sidecar serve` running?" if code is grpc.StatusCode.UNAVAILABLE else ""
        raise Unreachable(f"no answer from {target}: {code.name.lower()}: {detail}{hint}") from None
