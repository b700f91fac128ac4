"""Random bytes at every door of the running processes: clear errors, no traceback in any log, and life goes on."""

import http.client
import json
import random
import socket
from collections.abc import Callable
from typing import Any, Final

import grpc
import httpx
import pytest

from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc
from tests.process.grounds import HEADERS, Ground, call, token

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

SEED: Final = 20_261_121
ROUNDS: Final = 40


@pytest.fixture(autouse=True)
def _alive(shared: Ground) -> Any:
    """After each test both processes answer as before, and neither has logged a traceback."""
    yield
    assert shared.call("list_tickets", token(shared.playground, "vera")).status_code == 200
    for name in ("sidecar.log", "ops.log"):
        log = (shared.playground.directory / name).read_text()
        assert "Traceback" not in log
        assert "adapter_failed" not in log
        assert "task_died" not in log


def noise(count: int = ROUNDS) -> list[bytes]:
    made = random.Random(SEED)  # noqa: S311 - no secret
    return [made.randbytes(made.randrange(0, 300)) for _ in range(count)]


def test_any_body_with_a_good_token_is_a_clear_400(shared: Ground) -> None:
    bearer = token(shared.playground, "vera")
    good = json.dumps(call("list_tickets")).encode()
    made = random.Random(SEED)  # noqa: S311 - no secret
    cut = [good[: made.randrange(len(good))] for _ in range(ROUNDS)]
    for body in (*noise(), *cut):
        answer = shared.post(body, bearer)
        assert answer.status_code == 400, body
        error = answer.json()
        assert error["jsonrpc"] == "2.0"
        assert error["error"]["code"] in (-32700, -32600, -32602, -32020)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"ping"}', 400, id="a key twice"),
        pytest.param(b'{"params":' + b"[" * 5000 + b"]" * 5000 + b"}", 400, id="deep"),
        pytest.param(b" " * 1_048_577, 413, id="large"),
        pytest.param(b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', 400, id="a batch"),
        pytest.param(b"\xff\xfe", 400, id="no UTF-8"),
        pytest.param(b"", 400, id="nothing"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"Name":""}}', 400, id="a lookalike"),
    ],
)  # fmt: skip
def test_a_body_that_two_could_read_differently_is_refused(shared: Ground, body: bytes, status: int) -> None:
    answer = shared.post(body, token(shared.playground, "vera"))
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Content-Type": "text/plain"}, 415, id="another type"),
        pytest.param({"Content-Type": "application/json; charset=utf-16"}, 415, id="another charset"),
        pytest.param({"Content-Encoding": "gzip"}, 415, id="compressed"),
    ],
)
def test_a_body_that_is_not_read_is_not_let_through(shared: Ground, headers: dict[str, str], status: int) -> None:
    answer = shared.post(call("list_tickets"), token(shared.playground, "vera"), **headers)
    assert answer.status_code == status


def test_any_token_is_401_or_400(shared: Ground) -> None:
    address = ("127.0.0.1", shared.playground.mcp_port)
    body = json.dumps(call("list_tickets")).encode()
    named = HEADERS | {"Host": "{}:{}".format(*address), "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items()).encode()
    for data in noise():
        bearer = data.translate(None, b"\r\n\0")
        with socket.create_connection(address, timeout=10) as raw:
            # In one piece: a body that comes after a server has answered and closed takes the answer away.
            raw.sendall(b"POST /mcp HTTP/1.1\r\n" + head + b"Authorization: Bearer " + bearer + b"\r\n\r\n" + body)
            answer = http.client.HTTPResponse(raw, method="POST")
            answer.begin()
            assert answer.status in (400, 401), data
            said = answer.read()
        assert len(bearer) < 8 or bearer not in said


@pytest.mark.parametrize("method", ["PUT", "PATCH", "HEAD", "TRACE", "FOO"])
def test_another_http_method_is_405(shared: Ground, method: str) -> None:
    with httpx.Client(trust_env=False, timeout=10) as client:
        assert client.request(method, shared.playground.url).status_code == 405


@pytest.mark.parametrize(
    "path", ["/", "/mcp/", "/MCP", "/%6dcp", "/mcp;x", "//mcp", "/mcp/../mcp", "/metrics", "/.env"]
)
def test_another_path_is_404(shared: Ground, path: str) -> None:
    raw = http.client.HTTPConnection("127.0.0.1", shared.playground.mcp_port, timeout=10)
    raw.request(
        "POST", path, body=b"{}", headers=HEADERS | {"Authorization": f"Bearer {token(shared.playground, 'adam')}"}
    )
    assert raw.getresponse().status == 404
    raw.close()


def test_bytes_that_are_no_http_harm_nobody(shared: Ground) -> None:
    for port in (shared.playground.mcp_port, shared.playground.http_port):
        for data in noise(10):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
                raw.sendall(data + b"\r\n\r\n")


def test_bytes_that_are_no_http2_harm_nobody(shared: Ground) -> None:
    for name in ("authz.sock", "admin.sock"):
        for data in noise(10):
            with socket.socket(socket.AF_UNIX) as raw:
                raw.settimeout(10)
                raw.connect(str(shared.playground.socket.with_name(name)))
                raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" * (len(data) % 2) + data)


def _unary(channel: grpc.Channel, name: str) -> Callable[..., Any]:
    call: Callable[..., Any] = channel.unary_unary(f"/authz.v1.{name}")
    return call


@pytest.mark.parametrize(
    ("listener", "name"),
    [
        ("authz.sock", "AuthorizationService/Check"),
        ("authz.sock", "AuthorizationService/CheckBatch"),
        ("admin.sock", "AdminService/ReloadPolicy"),
    ],
)
def test_any_frame_is_answered_or_refused_by_name(shared: Ground, listener: str, name: str) -> None:
    with grpc.insecure_channel(f"unix:{shared.playground.socket.with_name(listener)}") as channel:
        for data in noise():
            try:
                _unary(channel, name)(data, timeout=10)
            except grpc.RpcError as error:
                told: Any = error
                assert told.code() is grpc.StatusCode.INVALID_ARGUMENT, (data, told.details())
                assert told.details()


def test_any_frame_on_a_stream_ends_only_that_stream(shared: Ground) -> None:
    with grpc.insecure_channel(f"unix:{shared.playground.socket}") as channel:
        stream: Callable[..., Any] = channel.stream_stream("/authz.v1.AuthorizationService/CheckStream")
        for data in noise(10):
            try:
                list(stream(iter([data]), timeout=10))
            except grpc.RpcError as error:
                told: Any = error
                assert told.code() is grpc.StatusCode.INVALID_ARGUMENT, (data, told.details())


def test_the_admin_service_is_not_on_the_data_listener(shared: Ground) -> None:
    with grpc.insecure_channel(f"unix:{shared.playground.socket}") as channel:
        stub: Any = rpc.AdminServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        with pytest.raises(grpc.RpcError) as refused:
            stub.ReloadPolicy(pb.ReloadPolicyRequest(confirm=True), timeout=10)
        told: Any = refused.value
        assert told.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("bearer", ["x" * 16_385, "a.b.c", "." * 100, "é", "\0", " "])
def test_any_text_as_a_token_is_an_answer(shared: Ground, bearer: str) -> None:
    with grpc.insecure_channel(f"unix:{shared.playground.socket}") as channel:
        stub: Any = rpc.AuthorizationServiceStub(channel)  # type: ignore[no-untyped-call] # generated
        answer = stub.Check(pb.CheckRequest(token=bearer, method="tools/call", tool="x"), timeout=10)
        assert answer.reason == pb.REASON_TOKEN_MALFORMED
