"""The sample middleware for Python servers behind the gateway: only what the gateway signed comes in."""

import json
import logging
from pathlib import Path

import httpx2
import pytest

from examples.gateway.behind import BehindGateway
from mcp_adapter import Principal, current_principal
from mcp_adapter.gateway.identity import Identity
from mcp_adapter.gateway.signer import signer
from mcp_adapter.passed import PASSED_KEY, Passed
from mcp_adapter.principal import SCOPE_KEY
from tests.gateway.standing import Recording, asking, call, config, gateway, running

ISSUER = "http://gateway.example"
BODY = call()


def behind(app: Recording, directory: Path, audience: str = "http://up/mcp", **more) -> BehindGateway:
    jwks = directory / "identity-jwks.json"
    return BehindGateway(app, jwks=jwks, issuer=ISSUER, audience=audience, public_paths=("/health",), **more)


def signed(directory: Path, body: bytes = BODY, **who: str) -> tuple[bytes, bytes]:
    principal = Principal(**({"issuer": "https://idp.example", "subject": "alice"} | who), scopes=("a", "b"))
    scope = {SCOPE_KEY: principal, PASSED_KEY: Passed(id=1, method="tools/call", tool="echo")}
    one = Identity(signer=signer(directory), issuer=ISSUER, audience="http://up/mcp", server="ops")
    ((name, value),) = one.headers(scope, body)
    return name, value


async def ask(
    app: BehindGateway, *headers: tuple[bytes, bytes], body: bytes = BODY, path: str = "/mcp"
) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://up") as http:
        return await http.post(path, content=body, headers=list(headers))


async def test_the_server_behind_a_real_gateway_knows_the_verified_caller(tmp_path, sidecar, server):
    async def served(scope, receive, send) -> None:
        await late["app"](scope, receive, send)  # which is told its own address

    late = {"app": server}
    async with running(served) as url:
        late["app"] = behind(server, tmp_path / "state", f"{url}/mcp")
        async with gateway(config(tmp_path, sidecar, url)) as front, asking(front) as http:
            answer = await http.post("/mcp", content=BODY, headers={"x-authz-identity": "mine"})
            assert answer.status_code == 200
    (scope,), (body,) = server.scopes, server.bodies
    caller = current_principal(scope)
    assert (caller.issuer, caller.subject, caller.client_id) == ("https://idp.example", "alice", "cli")
    assert body == BODY


async def test_everything_that_the_gateway_says_is_told(tmp_path, server):
    header = signed(tmp_path, client_id="cli", actor="agent")
    assert (await ask(behind(server, tmp_path), header)).status_code == 200
    assert current_principal(server.scopes[0]) == Principal(
        issuer="https://idp.example", subject="alice", client_id="cli", actor="agent", scopes=("a", "b")
    )


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        pytest.param(lambda good, other: [], "enough segments", id="no header"),
        pytest.param(lambda good, other: [(b"x-user-id", b"alice")], "enough segments", id="a plain name"),
        pytest.param(lambda good, other: [(b"x-authz-identity", b"a.b.c")], "", id="what is no JWT"),
        pytest.param(lambda good, other: [(b"x-authz-identity", b"\xff")], "", id="bytes"),
        pytest.param(lambda good, other: [good, good], "too many values", id="two headers"),
        pytest.param(lambda good, other: [other], "an unknown key", id="signed by somebody else"),
    ],
)
async def test_nothing_else_comes_in(tmp_path, server, caplog, headers, why):
    found = headers(signed(tmp_path), signed(tmp_path / "other"))
    with caplog.at_level(logging.WARNING):
        answer = await ask(behind(server, tmp_path), *found)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, 40300)
    assert why in caplog.text
    assert server.scopes == []


@pytest.mark.parametrize(
    ("body", "most"), [pytest.param(b"{}", 1000, id="another body"), pytest.param(BODY, 10, id="a long body")]
)
async def test_the_body_must_be_the_one_that_was_judged(tmp_path, server, body, most):
    header = signed(tmp_path)
    assert (await ask(behind(server, tmp_path, max_body=most), header, body=body)).status_code == 403
    assert server.scopes == []


async def test_without_the_keys_of_the_gateway_nobody_comes_in_until_they_are_there(tmp_path, server):
    app, header = behind(server, tmp_path / "late"), signed(tmp_path)
    assert (await ask(app, header)).status_code == 403
    (tmp_path / "late").mkdir()
    (tmp_path / "late" / "identity-jwks.json").write_text("{")
    assert (await ask(app, header)).status_code == 403
    (tmp_path / "late" / "identity-jwks.json").write_text(json.dumps(signer(tmp_path).jwks))
    assert (await ask(app, header)).status_code == 200


async def test_on_a_public_path_nobody_is_known_whatever_the_header_says(tmp_path, server):
    assert (await ask(behind(server, tmp_path), signed(tmp_path), path="/health")).status_code == 200
    with pytest.raises(LookupError):
        current_principal(server.scopes[0])


async def test_a_client_that_leaves_in_the_middle_and_a_websocket_do_not_come_in(tmp_path, server):
    said = []

    async def send(event):
        said.append(event)

    async def receive():
        return {"type": "http.disconnect"}

    scope = {"type": "http", "path": "/mcp", "headers": [signed(tmp_path)]}
    await behind(server, tmp_path)(scope, receive, send)
    await behind(server, tmp_path)({"type": "websocket", "path": "/mcp", "headers": []}, receive, send)
    assert (said[0]["status"], said[-1]) == (403, {"type": "websocket.close", "code": 1008})
    assert server.scopes == []
