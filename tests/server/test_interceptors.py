"""The outermost catch by itself: what cannot be timed over a real connection."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest

from authz_sidecar.server.faults import Faults
from authz_sidecar.server.interceptors import OutermostCatch
from tests.server.fakes import FakeMeter


class Details:
    method = "/authz.v1.AuthorizationService/Check"


class Late:
    """A call that nobody waits for any more."""

    def __init__(self) -> None:
        self.ended: tuple[grpc.StatusCode, str] | None = None

    def time_remaining(self) -> float:
        return 0.0

    async def abort(self, code: grpc.StatusCode, text: str) -> None:
        self.ended = (code, text)
        raise grpc.aio.AbortError


async def wrapped(handler: grpc.RpcMethodHandler | None, meter: FakeMeter) -> Any:
    async def find(_: object) -> grpc.RpcMethodHandler | None:
        return handler

    faults = Faults(meter=meter, new_id=lambda: "e")
    catch = OutermostCatch(faults=faults, meter=meter, stopping=asyncio.Event())
    return await catch.intercept_service(find, Details())  # type: ignore[arg-type]


async def never(*_: object) -> None:
    raise AssertionError("nobody waits for this")


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        pytest.param(grpc.unary_unary_rpc_method_handler, "unary_unary", id="unary"),
        pytest.param(grpc.unary_stream_rpc_method_handler, "unary_stream", id="subscription"),
        pytest.param(grpc.stream_stream_rpc_method_handler, "stream_stream", id="stream"),
    ],
)
async def test_a_call_whose_deadline_is_gone_is_neither_read_nor_answered(make: Any, kind: str) -> None:
    meter, late = FakeMeter(), Late()
    handler = await wrapped(make(never, never, None), meter)
    with pytest.raises(grpc.aio.AbortError):
        await getattr(handler, kind)(b"", late)
    assert late.ended is not None
    assert late.ended[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    assert meter.kinds == ["deadline"]
    assert meter.seconds == []


@pytest.mark.parametrize(
    "handler", [None, grpc.stream_unary_rpc_method_handler(never)], ids=["unknown", "no such kind"]
)
async def test_what_we_do_not_serve_is_left_unimplemented(handler: grpc.RpcMethodHandler | None) -> None:
    assert await wrapped(handler, FakeMeter()) is None
