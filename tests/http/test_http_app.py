"""What the HTTP application answers, and to whom."""

from collections.abc import AsyncIterator

import httpx
import pytest

from authz_sidecar.http.app import http_app
from authz_sidecar.http.metrics import Metrics


class State:
    reason: str | None = None


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
async def client(state: State) -> AsyncIterator[httpx.AsyncClient]:
    metrics = Metrics(servers=["ops"])
    app = http_app(metrics=metrics, not_ready=lambda: state.reason, hosts=["Sidecar.example"])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:9090") as client:
        yield client


async def test_metrics_are_shown_as_text(client: httpx.AsyncClient) -> None:
    got = await client.get("/metrics")
    assert got.status_code == 200
    assert got.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "authz_ready 0.0" in got.text


async def test_live_is_always_true_and_ready_says_why_not(client: httpx.AsyncClient, state: State) -> None:
    assert (await client.get("/readyz")).json() == {"ready": True}
    state.reason = "draining"
    got = await client.get("/readyz")
    assert (got.status_code, got.json()) == (503, {"ready": False, "reason": "draining"})
    assert (await client.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", "/metrics", id="not GET"),
        pytest.param("HEAD", "/metrics", id="HEAD"),
        pytest.param("OPTIONS", "/readyz", id="OPTIONS"),
        pytest.param("GET", "/", id="root"),
        pytest.param("GET", "/metrics/", id="a slash too many"),
        pytest.param("GET", "/METRICS", id="another case"),
        pytest.param("GET", "//metrics", id="two slashes"),
    ],
)
async def test_everything_else_is_not_here(client: httpx.AsyncClient, method: str, path: str) -> None:
    assert (await client.request(method, f"http://127.0.0.1:9090{path}")).status_code == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        pytest.param("127.0.0.1", 200, id="loopback"),
        pytest.param("localhost:9090", 200, id="with a port"),
        pytest.param("LOCALHOST", 200, id="in capitals"),
        pytest.param("[::1]:9090", 200, id="IPv6"),
        pytest.param("sidecar.example", 200, id="configured"),
        pytest.param("evil.example", 421, id="foreign"),
        pytest.param("localhost.evil.example", 421, id="a longer name"),
        pytest.param("127.0.0.1@evil.example", 421, id="with a user"),
        pytest.param("localhost/evil", 421, id="with a path"),
        pytest.param("localhost:x", 421, id="a port that is none"),
        pytest.param("[::1", 421, id="half a bracket"),
        pytest.param("", 421, id="empty"),
    ],
)
async def test_only_requests_that_name_this_host_are_answered(
    client: httpx.AsyncClient, host: str, status: int
) -> None:
    assert (await client.get("/healthz", headers={"host": host})).status_code == status


async def test_two_host_headers_name_nobody(client: httpx.AsyncClient) -> None:
    got = await client.get("/healthz", headers=[("host", "localhost"), ("host", "localhost")])
    assert got.status_code == 421


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        pytest.param("http://localhost:3000", 200, id="our own"),
        pytest.param("http://evil.example", 403, id="foreign"),
        pytest.param("null", 403, id="opaque"),
        pytest.param("", 403, id="empty"),
    ],
)
async def test_requests_from_foreign_pages_are_refused(client: httpx.AsyncClient, origin: str, status: int) -> None:
    assert (await client.get("/metrics", headers={"origin": origin})).status_code == status
