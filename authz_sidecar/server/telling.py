"""Tells a running sidecar what was revoked, over its administration service."""

import os
import stat
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import grpc
import grpc.aio

from authz_sidecar.errors import BadRequest, NotReady
from authz_sidecar.revocation import Kept, Kind, Receipt, Revocation
from authz_sidecar.server.codec import timestamp
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc

_SECONDS: Final = 2.0
_FIELDS: Final = {Kind.CLIENT: "client_id", Kind.FAMILY: "family", Kind.SUBJECT: "subject", Kind.TOKEN: "token_id"}
_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.use_local_subchannel_pool", 1),
)


class SidecarUnreachable(NotReady):
    """The sidecar did not say that it heard."""

    code = "sidecar_unreachable"
    public = "a sidecar cannot be reached"


class RemoteRevokes:
    """A `Revokes` in another process of this machine; it belongs to one event loop."""

    def __init__(self, socket: Path) -> None:
        """Take the admin socket; nothing is opened yet."""
        self._socket = socket.absolute()
        self._channel: grpc.aio.Channel | None = None

    async def revoke(self, entry: Revocation) -> Receipt:
        """Revoke there; raises `SidecarUnreachable`, or `BadRequest` when that sidecar cannot do it as configured."""
        self._check_folder()
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(f"unix:{quote(str(self._socket))}", options=_OPTIONS)
        stub: Any = rpc.AdminServiceStub(self._channel)  # type: ignore[no-untyped-call] # generated
        try:
            answer = await stub.Revoke(_request(entry), timeout=_SECONDS)
        except grpc.aio.AioRpcError as error:
            detail = error.details() or error.code().name
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT:
                raise BadRequest(detail) from None
            raise SidecarUnreachable(f"{self._socket}: {detail}") from None
        return _receipt(entry, answer)

    async def close(self) -> None:
        """Let go."""
        if self._channel is not None:
            await self._channel.close()

    def _check_folder(self) -> None:
        """Refuse a socket that somebody else can have put there: a false sidecar would swallow what is revoked."""
        try:
            found = self._socket.parent.stat()
        except OSError as error:
            raise SidecarUnreachable(f"{self._socket.parent}: {error.strerror}") from None
        if found.st_uid not in (os.geteuid(), 0) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise SidecarUnreachable(f"{self._socket.parent}: others may write there")


def _request(entry: Revocation) -> pb.RevokeRequest:
    request = pb.RevokeRequest(issuer=entry.issuer, reason=entry.reason, by=entry.by)
    if entry.kind in _FIELDS:
        setattr(request, _FIELDS[entry.kind], entry.value)
    if entry.issued_before is not None:
        request.issued_before.CopyFrom(timestamp(entry.issued_before))
    return request


def _receipt(entry: Revocation, answer: Any) -> Receipt:
    kept = Kept(
        id="",
        epoch=answer.epoch,
        revocation=entry,
        at=answer.revocation.revoked_at.seconds,
        keep_until=answer.revocation.keep_until.seconds,
    )
    return Receipt(kept=kept, pending=answer.pending)
