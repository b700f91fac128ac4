"""Signals end the sidecar in order: what was answered is recorded, and nothing stays behind."""

import signal
import threading
from typing import Any

import grpc
import pytest

from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc
from examples.demo import processes
from tests.process.grounds import lines, playground, token, until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(number: signal.Signals) -> None:
    with playground() as ground, processes.sidecar(ground) as sidecar:
        answered: list[str] = []
        failed: list[grpc.StatusCode] = []
        request = pb.CheckRequest(token=token(ground, "vera"), method="tools/call", tool="list_tickets")

        def work() -> None:
            with grpc.insecure_channel(f"unix:{ground.socket}") as channel:
                stub: Any = rpc.AuthorizationServiceStub(channel)  # type: ignore[no-untyped-call] # generated
                while not failed:
                    try:
                        answered.append(stub.Check(request, timeout=10).decision_id)
                    except grpc.RpcError as error:
                        failed.append(error.code())  # type: ignore[attr-defined] # what a channel raises is a Call

        callers = [threading.Thread(target=work) for _ in range(4)]
        for caller in callers:
            caller.start()
        until(lambda: len(answered) > 20)
        sidecar.send_signal(number)
        for caller in callers:
            caller.join(20)
        assert sidecar.wait(20) == 0
        assert set(failed) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        events = lines(ground.decisions)
        recorded = {one["decision_id"] for one in events if one["type"] == "decision"}
        assert set(answered) <= recorded
        assert (events[-1]["type"], events[-1].get("action")) == ("admin", "stop")
        assert list(ground.socket.parent.iterdir()) == []
        log = (ground.directory / "sidecar.log").read_text()
        assert "Traceback" not in log
        assert '"event": "stopped"' in log


def test_whoever_listens_to_the_policy_is_told_goodbye() -> None:
    with playground() as ground, processes.sidecar(ground) as sidecar:
        with grpc.insecure_channel(f"unix:{ground.socket}") as channel:
            stub: Any = rpc.AuthorizationServiceStub(channel)  # type: ignore[no-untyped-call] # generated
            news = stub.WatchPolicy(pb.WatchPolicyRequest(), timeout=30)
            assert next(news).policy_revision.startswith("sha256:")
            sidecar.send_signal(signal.SIGTERM)
            try:
                assert list(news) == []
            except grpc.RpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE  # type: ignore[attr-defined] # as above # noqa: PT017
        assert sidecar.wait(20) == 0
