"""The SDK's own authentication by the sidecar: HTTP 401 for those it does not know, and sessions bound to the rest."""

import asyncio

import httpx2
import pytest
from mcp.server.auth.settings import AuthSettings
from mcp.server.mcpserver import MCPServer
from pydantic import AnyHttpUrl

from mcp_adapter.pdp import Unanswered
from mcp_adapter.verifier import SidecarTokenVerifier
from tests.adapter.real_server import running
from tests.hooks.test_mcpserver import ACCEPT, INITIALIZE

RESOURCE = "https://ops.example/mcp"


def verifier(sidecar) -> SidecarTokenVerifier:
    return SidecarTokenVerifier(server="ops", sidecar=sidecar.target, resource=RESOURCE)


async def test_a_good_token_says_whose_it_is(sidecar):
    asking = verifier(sidecar)
    found = await asking.verify_token("token-alice")
    assert found is not None
    assert (found.subject, found.client_id, found.scopes) == ("alice", "cli", ["read"])
    assert found.claims == {"iss": "https://idp.example", "sub": "alice"}
    assert (found.expires_at, found.resource, found.token) == (4_000_000_000, RESOURCE, "token-alice")
    await asking.close()


@pytest.mark.parametrize("observe", [False, True])
@pytest.mark.parametrize("token", ["", "token-nobody", "nonsense"])
async def test_any_other_token_is_nobodys_also_where_the_operator_only_watches(sidecar, table, token, observe):
    table.observe = observe
    asking = verifier(sidecar)
    assert await asking.verify_token(token) is None
    await asking.close()


async def test_no_answer_is_no_statement_about_the_token(sidecar):
    await sidecar.stop()
    asking = verifier(sidecar)
    with pytest.raises(Unanswered):
        await asking.verify_token("token-alice")
    await asking.close()


async def test_the_sdk_binds_sessions_to_whom_the_verifier_names(sidecar):
    asking = verifier(sidecar)
    settings = AuthSettings(
        issuer_url=AnyHttpUrl("https://idp.example"),
        resource_server_url=AnyHttpUrl(RESOURCE),
        required_scopes=[],
        validate_token_resource=True,
    )
    mcp = MCPServer("verified", token_verifier=asking, auth=settings)
    async with running(mcp.streamable_http_app()) as url, httpx2.AsyncClient(timeout=10) as http, asyncio.timeout(10):

        async def post(name: str, method: str, session: str = "", params=None) -> httpx2.Response:
            headers = ACCEPT | {"authorization": f"Bearer token-{name}", "mcp-protocol-version": "2025-11-25"}
            body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}}
            return await http.post(
                f"{url}/mcp", json=body, headers=headers | ({"mcp-session-id": session} if session else {})
            )

        assert (await post("nobody", "initialize", params=INITIALIZE)).status_code == 401
        session = (await post("alice", "initialize", params=INITIALIZE)).headers["mcp-session-id"]
        assert (await post("alice", "ping", session)).status_code == 200
        assert (await post("bob", "ping", session)).status_code == 404
    await asking.close()
