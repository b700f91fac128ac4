"""No token is ever in any file or on any page, wherever a client may put it."""

import httpx
import pytest

from examples.demo import processes
from tests.process.grounds import HEADERS, Ground, call, playground, token

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def test_no_token_is_in_any_file_or_on_the_metrics_page() -> None:
    with playground() as found:
        with processes.sidecar(found), processes.ops_assistant(found):
            ground = Ground(found)
            good = token(found, "alice", "tickets:write")
            bad = [
                "canary-that-is-no-jwt-0123456789",
                good[:-4] + "AAAA",
                token(found, "alice", exp=1_000_000_000),
                token(found, "alice", aud="https://elsewhere.example"),
            ]
            for bearer in (good, *bad):
                ground.call("list_tickets", bearer)
                ground.call("delete_ticket", bearer, ticket_id=1)
                ground.call(bearer[:2000], bearer)  # as the name of a tool
                ground.post(call("list_tickets", status=bearer), bearer)
                ground.post({"jsonrpc": "2.0", "id": bearer, "method": bearer[:200]}, bearer)
                ground.post(
                    {"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": f"x:{bearer}"}}, bearer
                )
                ground.post(call("list_tickets"), bearer, **{"Mcp-Session-Id": bearer, "traceparent": bearer})
                ground.post(bearer.encode(), bearer, **{"User-Agent": bearer, "MCP-Protocol-Version": bearer[:100]})
                with httpx.Client(trust_env=False, timeout=10) as http:
                    http.post(f"{found.url}?access_token={bearer}", json=call("list_tickets"), headers=HEADERS)
                    http.get(f"{found.url}/{bearer}", headers={"Authorization": f"Bearer {bearer}"})
            with httpx.Client(trust_env=False, timeout=10) as http:
                page = http.get(f"http://127.0.0.1:{found.http_port}/metrics").text
        # The processes have ended, so every log is on disk.
        files = [path for path in found.directory.rglob("*") if path.is_file() and path.name != "signing-key.json"]
        assert {"decisions.jsonl", "requests.jsonl", "sidecar.log", "ops.log"} <= {path.name for path in files}
        for bearer in (good, *bad):
            for secret in (bearer, bearer.rpartition(".")[2], bearer[-24:]):
                assert secret not in page
                for path in files:
                    assert secret.encode() not in path.read_bytes(), path.name
