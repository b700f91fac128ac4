"""Calls a running sidecar for the command line: one call, one deadline, one sentence when it fails."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import grpc

from authz_sidecar import configfile
from authz_sidecar.config import is_loopback
from authz_sidecar.errors import AuthzError, ConfigError
from authz_sidecar.wire import authz_pb2_grpc as rpc

DEADLINE_SECONDS: Final = 5.0
_OPTIONS: Final = (
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),  # tokens go to the sidecar and nowhere else, whatever the environment says
    ("grpc.service_config_disable_resolution", 1),
)


class Unreachable(AuthzError):
    """The sidecar gave no answer."""

    code = "unreachable"


class Unanswering(Unreachable):
    """Something is there, and gave no answer in time."""

    code = "unanswering"


class Refused(Unreachable):
    """The sidecar says that the question itself is wrong."""

    code = "refused"

    def __init__(self, message: str, detail: str) -> None:
        """Take the whole sentence, and what the sidecar said."""
        super().__init__(message)
        self.detail = detail


def data_target(config_path: Path, target: str | None) -> str:
    """Give the gRPC target of the data service, as named or as configured; raises `ConfigError`."""
    if target is not None:
        return _named(target)
    config = configfile.load(config_path)
    if config.data_socket is not None:
        return _unix(config.data_socket)
    if config.listen.tls_cert_file:
        raise ConfigError(f"{config_path}: it listens with TLS alone; set `[listen] socket` beside it to ask from here")
    return _named(config.listen.tcp)


def admin_target(config_path: Path) -> str:
    """Give the gRPC target of the administration service."""
    return _unix(configfile.load(config_path).admin_socket)


def _named(target: str) -> str:
    scheme, _, path = target.partition(":")
    if scheme == "unix" and path and not path.startswith("//"):
        return _unix(Path(path))
    # The token goes in clear: on this machine alone, and to nobody whom a name may lead to.
    if not is_loopback(target):
        raise ConfigError(f"`{target}` is neither `unix:PATH` nor `HOST:PORT` on the loopback, such as 127.0.0.1:50051")
    return target


def _unix(socket: Path) -> str:
    """Spell a socket, once it is known that nobody else can have put it there to receive tokens."""
    folder = socket.absolute().parent
    try:
        found = folder.stat()
    except OSError:
        return f"unix:{quote(str(socket.absolute()))}"  # nothing is there, and the call will say so
    if found.st_uid not in (os.geteuid(), 0):
        raise ConfigError(f"{folder}: belongs to user {found.st_uid}, not to us or root; no token is sent there")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        shared = found.st_mode & stat.S_ISVTX  # closing `/tmp` would stop everybody who lives there
        what = "use a socket in a directory of its own" if shared else f"run `chmod 700 {folder}`"
        raise ConfigError(f"{folder}: others may write there, so no token is sent there; {what}")
    return f"unix:{quote(str(socket.absolute()))}"


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
        with grpc.insecure_channel(target, options=_OPTIONS) as channel:
            yield channel
    except grpc.RpcError as error:
        failed: Any = error  # what a channel raises is a Call too; the type stubs deny it
        code, detail = failed.code(), failed.details() or ""
        if code is grpc.StatusCode.UNAVAILABLE and "connect" in detail:
            raise Unreachable(f"nobody answers at {target}; is `authz-sidecar serve` running?") from None
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            raise Unanswering(f"no answer from {target} in time; the process there may hang") from None
        sentence = f"no answer from {target}: {code.name.lower().replace('_', ' ')}: {detail}"
        raise (
            Refused(sentence, detail) if code is grpc.StatusCode.INVALID_ARGUMENT else Unreachable(sentence)
        ) from None
