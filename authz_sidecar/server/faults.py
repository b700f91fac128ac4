"""What a caller is told when we cannot answer, with what we note for ourselves."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol

import grpc
import structlog

from authz_sidecar.errors import AuthzError, BadRequest, LedgerFull, NotReady, RevocationsFull, RevocationUnsaved
from authz_sidecar.ports import NewId

_FRAMES: Final = 12


class DeadlineGone(AuthzError):
    """The caller no longer waits."""

    code = "deadline"
    public = "the deadline passed before the question was read"


class TooManyStreams(AuthzError):
    """The listener holds as many streams as it may; questions still have room beside them."""

    code = "streams"
    public = "too many open streams; close some, or ask by Check"


CODES: Final[Mapping[type[BaseException], grpc.StatusCode]] = MappingProxyType(
    {
        BadRequest: grpc.StatusCode.INVALID_ARGUMENT,
        DeadlineGone: grpc.StatusCode.DEADLINE_EXCEEDED,
        LedgerFull: grpc.StatusCode.UNAVAILABLE,
        NotReady: grpc.StatusCode.UNAVAILABLE,
        RevocationUnsaved: grpc.StatusCode.UNAVAILABLE,
        RevocationsFull: grpc.StatusCode.RESOURCE_EXHAUSTED,
        TooManyStreams: grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


class Meter(Protocol):
    """Counts what the door does."""

    def answered(self, seconds: float) -> None:
        """Note that a question was answered, and how long that took."""
        ...

    def failed(self, kind: str) -> None:
        """Note that a question was not answered; `kind` is one of a few stable words."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A gRPC status and what the caller may read."""

    code: grpc.StatusCode
    text: str


class Faults:
    """Turns whatever was raised into a refusal; a fault of ours is logged under an id that the caller gets too."""

    def __init__(self, *, meter: Meter, new_id: NewId) -> None:
        """Take what counts and what names."""
        self._meter = meter
        self._new_id = new_id
        self._log = structlog.stdlib.get_logger("authz_sidecar.server")

    def refusal(self, rpc: str, error: Exception) -> Refusal:
        """Find the status by the table, walking up the classes of the error."""
        self._meter.failed(error.code if isinstance(error, AuthzError) else AuthzError.code)
        for kind in type(error).__mro__:
            if kind in CODES and isinstance(error, AuthzError):
                return Refusal(code=CODES[kind], text=error.public)
        name = self._new_id()
        # A foreign exception may quote a token, so its own words stay out of the log; its type and place do not.
        detail = str(error) if isinstance(error, AuthzError) else ""
        self._log.error(
            "rpc_failed", rpc=rpc, error_id=name, error=type(error).__name__, detail=detail, at=_frames(error)
        )
        return Refusal(code=grpc.StatusCode.INTERNAL, text=f"internal error (error id {name})")


def _frames(error: Exception) -> list[str]:
    found = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in found]
