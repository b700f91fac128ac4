"""The gateway as a whole: its status page, several servers, and their documents."""

import json

import httpx2
import pytest

from mcp_adapter.gateway.signer import secret
from tests.gateway.standing import STATUS, asking, call, config, events, gateway


async def test_the_status_page_says_what_is_up(tmp_path, sidecar, server, upstream):
    down = '[[servers]]\nname = "down"\npath = "/down"\nurl = "http://127.0.0.1:9/mcp"\nhealth = { failures = 1 }\n'
    path = config(tmp_path, sidecar, upstream, STATUS)
    path.write_text(path.read_text() + down)
    async with gateway(path) as front, asking(front) as http:
        page = httpx2.AsyncClient(base_url=front.status_url, timeout=10)
        async with page:
            assert (await page.get("/healthz")).json() == {"live": True}
            assert (await http.post("/down", content=call())).status_code == 502
            ready = await page.get("/readyz")
            assert (ready.status_code, ready.json()["servers"]) == (200, {"ops": "up", "down": "down"})
            numbers = (await page.get("/metrics")).text
            assert 'authz_gateway_requests_total{server="down",status="502"} 1.0' in numbers
            assert 'authz_gateway_upstream_up{server="down"} 0.0' in numbers
            keys = (await page.get("/identity/jwks.json")).json()
            assert keys == json.loads((tmp_path / "state" / "identity-jwks.json").read_text())
            assert (await page.get("/mcp")).status_code == 404
            assert (await page.post("/metrics")).status_code == 404
            assert (await page.get("/metrics", headers={"host": "evil.example"})).status_code == 403
            assert (await page.get("/metrics", headers={"origin": "http://localhost"})).status_code == 403
            front.app.plan.servers["/mcp"].upstream._closed_until = float("inf")
            assert (await page.get("/readyz")).status_code == 503


async def test_a_health_url_takes_a_server_out_and_brings_it_back(tmp_path, sidecar, server, upstream):
    probe = f'[servers.health]\nprobe_url = "{upstream}/health"\ninterval_seconds = 1000\n'
    async with gateway(config(tmp_path, sidecar, upstream, server=probe)) as front, asking(front) as http:
        behind = front.app.plan.servers["/mcp"].upstream
        server.status = 503
        assert not await behind.probe()
        assert (await http.post("/mcp", content=call())).json()["error"]["code"] == 50310
        server.status = 404
        assert await behind.probe()
        assert (await http.post("/mcp", content=call())).status_code == 404
    assert "/health" in {scope["path"] for scope in server.scopes}


async def test_a_health_url_that_does_not_answer_is_a_failure(tmp_path, sidecar, upstream):
    probe = '[servers.health]\nprobe_url = "http://127.0.0.1:9/"\ninterval_seconds = 1000\n'
    async with gateway(config(tmp_path, sidecar, upstream, server=probe)) as front:
        assert not await front.app.plan.servers["/mcp"].upstream.probe()


WELL_KNOWN = "/.well-known/oauth-protected-resource"
ISSUED = 'authorization_servers = ["https://idp.example"]\nscopes_supported = ["read"]\nscopes_hint = ["read"]'


async def test_the_metadata_of_the_only_server_is_at_its_path_and_at_the_root(tmp_path, sidecar, upstream):
    async with gateway(config(tmp_path, sidecar, upstream, server=ISSUED)) as front, asking(front) as http:
        found = await http.get(f"{WELL_KNOWN}/mcp", headers={"origin": "https://page.example"})
        root = await http.get(WELL_KNOWN)
        challenge = await http.post("/mcp", content=call(), headers={"authorization": ""})
        assert (await http.options(f"{WELL_KNOWN}/mcp")).status_code == 204
        assert (await http.post(f"{WELL_KNOWN}/mcp")).status_code == 405
        assert (await http.head(f"{WELL_KNOWN}/mcp")).content == b""
        assert (await http.get(f"{WELL_KNOWN}/mcp", headers={"host": "evil.example"})).status_code == 403
    assert found.json() == {
        "resource": "http://gateway.example/mcp",
        "authorization_servers": ["https://idp.example"],
        "bearer_methods_supported": ["header"],
        "resource_name": "ops",
        "scopes_supported": ["read"],
    }
    assert root.content == found.content
    assert found.headers["access-control-allow-origin"] == "*"
    assert challenge.headers["www-authenticate"] == (
        f'Bearer scope="read", resource_metadata="http://gateway.example{WELL_KNOWN}/mcp"'
    )
    assert [event["outcome"] for event in events(tmp_path)].count("public") == 5


async def test_several_servers_have_a_document_each_and_none_at_the_root(tmp_path, sidecar, upstream):
    path = config(tmp_path, sidecar, upstream, server=ISSUED)
    issuer = 'authorization_servers = ["https://other.example"]'
    path.write_text(path.read_text() + f'[[servers]]\nname = "b"\npath = "/b"\nurl = "{upstream}"\n{issuer}\n')
    async with gateway(path) as front, asking(front) as http:
        assert (await http.get(f"{WELL_KNOWN}/b")).json()["authorization_servers"] == ["https://other.example"]
        assert (await http.get(f"{WELL_KNOWN}/mcp")).status_code == 200
        assert (await http.get(WELL_KNOWN)).status_code == 404


def test_a_session_key_that_is_too_short_or_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ValueError, match="shorter than 32 bytes"):
        secret(tmp_path / "key")
    with pytest.raises(ValueError, match="Is a directory"):
        secret(tmp_path)
