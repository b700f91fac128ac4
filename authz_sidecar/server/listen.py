"""Where the sidecar listens, taken so that nobody else can answer in its place."""

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import grpc
import grpc.aio

from authz_sidecar.errors import ConfigError
from authz_sidecar.server.unixsocket import UnixSocket

_SO_REUSEPORT_OFF: Final = ("grpc.so_reuseport", 0)
"""THREAT: grpcio's default lets a second process of the same user take the live port and receive every token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The certificate that the sidecar shows; with `client_ca_file` callers must show one, too (mTLS)."""

    cert_file: Path
    key_file: Path
    client_ca_file: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """Read the files, or raise `ConfigError` naming the one that cannot be read."""
        pair = (_read(self.key_file), _read(self.cert_file))
        authority = None if self.client_ca_file is None else _read(self.client_ca_file)
        return grpc.ssl_server_credentials([pair], authority, require_client_auth=authority is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcp:
    """A TCP address: loopback only, unless TLS is on. Port 0 takes a free one."""

    host: str
    port: int
    tls: Tls | None = None

    def __post_init__(self) -> None:
        """Refuse to receive tokens in clear from a network."""
        if self.tls is None and not is_loopback(self.host):
            raise ConfigError(
                f"cannot listen on `{self.host}` without TLS: every bearer token would cross the network in clear; "
                "use 127.0.0.1 or a Unix socket, or set tls_cert_file and tls_key_file"
            )
        if not 0 <= self.port <= 65_535:
            raise ConfigError(f"port {self.port} is out of range, expected 0 to 65535")

    def __str__(self) -> str:
        """Spell it as gRPC does."""
        host = _numeric(self.host)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Bounds of a listener."""

    max_message: int = 4 * 1024 * 1024
    """Bytes of one message; more is RESOURCE_EXHAUSTED."""
    max_streams: int = 1_000
    """Calls at once on one connection; more wait."""
    max_calls: int = 2_000
    """Calls at once on the whole listener; more are RESOURCE_EXHAUSTED."""

    def arguments(self) -> list[tuple[str, int]]:
        """Spell them for grpcio."""
        return [
            _SO_REUSEPORT_OFF,
            ("grpc.max_receive_message_length", self.max_message),
            ("grpc.max_send_message_length", -1),  # what we say is bounded by what was asked
            ("grpc.max_concurrent_streams", self.max_streams),
            ("grpc.max_metadata_size", 16 * 1024),
            ("grpc.keepalive_time_ms", 60_000),
            ("grpc.keepalive_timeout_ms", 20_000),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ]


def is_loopback(host: str) -> bool:
    """Say whether only this machine can reach the address; a name other than `localhost` is not looked up."""
    try:
        return ipaddress.ip_address(_numeric(host)).is_loopback
    except ValueError:
        return False


def bind_tcp(server: grpc.aio.Server, at: Tcp) -> Tcp:
    """Listen, and tell the address with the port that was taken; raises `ConfigError`."""
    try:
        if at.tls is None:
            port = server.add_insecure_port(str(at))
        else:
            port = server.add_secure_port(str(at), at.tls.credentials())
    except RuntimeError:
        raise ConfigError(f"cannot listen on {at}: another process has the port, or there is no such address") from None
    return Tcp(host=at.host, port=port, tls=at.tls)


def bind_unix(server: grpc.aio.Server, at: UnixSocket) -> None:
    """Listen on a socket that was taken; raises `ConfigError`."""
    try:
        server.add_insecure_port(f"unix:{quote(str(at.path))}")  # gRPC reads it as a URI
        at.path.chmod(0o600)
    except (RuntimeError, OSError):
        raise ConfigError(f"cannot listen on `{at.path}`: the socket cannot be made there") from None


def _numeric(host: str) -> str:
    return "127.0.0.1" if host == "localhost" else host


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read `{path}`: {error.strerror}") from None
