"""The gRPC client of the sidecar."""

import asyncio
import stat
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from os import geteuid
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from weakref import WeakKeyDictionary

import grpc
import grpc.aio

from authz_sidecar.wire.authz_pb2_grpc import AuthorizationServiceStub
from mcp_adapter.pdp import LARGEST_BATCH, NO_CONTEXT, Answer, Fault, Item, Unanswered
from mcp_adapter.wording import answer, question, questions

_LONGEST_UNIX_PATH: Final = 107
FAULTS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: Fault.INVALID,
    grpc.StatusCode.UNAVAILABLE: Fault.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Fault.TIMEOUT,
}
_OPTIONS: Final = (
    # A sidecar that was restarted is found again within a second or so.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_retries", 0),  # a second try could record one decision twice
    ("grpc.enable_http_proxy", 0),  # tokens go to the sidecar and nowhere else, whatever the environment says
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)

_Line = tuple[grpc.aio.Channel, AuthorizationServiceStub]


class SidecarClient:
    """Asks the sidecar at `unix:PATH` or `HOST:PORT`; one channel for each event loop, made when first needed.

    Every call ends within `timeout` seconds and is never repeated. A Unix socket is used only while its directory
    belongs to us or to root and nobody else may write there: whoever can put a socket there receives every token.
    TCP without TLS is for loopback; elsewhere the server proves itself by `ca` (a PEM file; the system's roots when
    None), and we by `cert` and `key` where they are given. Raises `ValueError` for a target that cannot be meant.
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
        self._folder, self._target, loopback = _parse(target)
        plain = self._folder is not None or (loopback and ca is None and cert is None)
        self._credentials = None if plain else _credentials(ca, cert, key)
        self._lines: WeakKeyDictionary[asyncio.AbstractEventLoop, _Line] = WeakKeyDictionary()

    async def check(
        self, token: str, item: Item, *, server: str, request_id: str, context: Mapping[str, str] = NO_CONTEXT
    ) -> Answer:
        """Ask about one item; raises `Unanswered` when there is no answer."""
        response = await self._call(
            "Check", question(token, item, server=server, request_id=request_id, context=context)
        )
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
        response = await self._call(
            "CheckBatch", questions(token, items, server=server, request_id=request_id, context=context)
        )
        if len(response.results) != len(items):
            raise Unanswered(Fault.INTERNAL, f"{len(response.results)} answers to {len(items)} items")
        return answer(response, response.results)

    async def close(self) -> None:
        """Close the channel of the running loop; the next question opens it again."""
        line = self._lines.pop(asyncio.get_running_loop(), None)
        if line is not None:
            await line[0].close()

    async def _call(self, rpc: str, request: Any) -> Any:  # the generated messages and stubs are untyped
        self._check_folder()
        stub = self._line()[1]
        try:
            return await getattr(stub, rpc)(request, timeout=self._timeout)
        except grpc.aio.AioRpcError as error:
            fault = FAULTS.get(error.code(), Fault.INTERNAL)
            raise Unanswered(fault, error.details() or error.code().name.lower()) from None
        except grpc.aio.UsageError as error:  # the channel was closed while we asked
            raise Unanswered(Fault.UNAVAILABLE, str(error)) from None

    def _line(self) -> _Line:
        loop = asyncio.get_running_loop()
        line = self._lines.get(loop)
        if line is None:
            if self._credentials is None:
                channel = grpc.aio.insecure_channel(self._target, options=_OPTIONS)
            else:
                channel = grpc.aio.secure_channel(self._target, self._credentials, options=_OPTIONS)
            line = channel, AuthorizationServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
            self._lines[loop] = line
        return line

    def _check_folder(self) -> None:
        """Look before every call, since the channel connects again by itself. It costs two microseconds."""
        if self._folder is None:
            return
        try:
            found = self._folder.stat()
        except OSError as error:
            raise Unanswered(Fault.UNAVAILABLE, f"{self._folder}: {error.strerror}") from None
        if found.st_uid not in (geteuid(), 0):
            raise Unanswered(Fault.UNAVAILABLE, f"{self._folder}: belongs to user {found.st_uid}, not to us or root")
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise Unanswered(Fault.UNAVAILABLE, f"{self._folder}: others may write there; run `chmod 700` on it")


def _parse(target: str) -> tuple[Path | None, str, bool]:
    """Give the socket's directory, if any, what gRPC calls the target, and whether it is on this machine."""
    scheme, _, path = target.partition(":")
    if scheme == "unix" and path:
        socket = Path(path).absolute()
        if len(str(socket).encode()) > _LONGEST_UNIX_PATH:
            raise ValueError(f"sidecar `{target}`: the socket's path is longer than {_LONGEST_UNIX_PATH} bytes")
        return socket.parent, f"unix:{quote(str(socket))}", True
    host, _, port = target.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) <= 65535:
        raise ValueError(f"sidecar `{target}` is neither `unix:PATH` nor `HOST:PORT`")
    return None, f"dns:{target}", _is_loopback(host.strip("[]"))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _credentials(ca: Path | None, cert: Path | None, key: Path | None) -> grpc.ChannelCredentials:
    if (cert is None) is not (key is None):
        raise ValueError("`cert` and `key` belong together: give both or neither")
    return grpc.ssl_channel_credentials(*(None if file is None else file.read_bytes() for file in (ca, key, cert)))
