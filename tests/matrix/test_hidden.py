"""What is hidden reads, byte for byte, like what the server itself says of a tool that it does not have."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.matrix import environments, standing
from tests.matrix.standing import own
from tests.process import grounds

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(300)]

HANDSHAKE = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "matrix", "version": "1"}}
HEADERS = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
DENIED, ABSENT = "get-env", "get-nix"
SERVERS: dict[str, tuple[Any, ...]] = {
    "mcp 1.30": ("mcp", lambda: environments.python("mcp1")),
    "mcp 2.3": ("mcp", own),
    "mcp 2.3 stateless": ("mcp-stateless", own),
    "fastmcp 4": ("fastmcp", lambda: environments.python("fastmcp4")),
    "server-everything": ("everything", None),
}


@pytest.fixture(scope="module")
def ground() -> Iterator[Any]:
    with standing.sidecar() as found:
        yield found


def told(url: str, tool: str, token: str = "") -> tuple[int, str, bytes]:
    """Open a session, call a tool, and give the status, the type and the body of the answer."""
    headers = {**HEADERS, "authorization": f"Bearer {token}"} if token else HEADERS
    with httpx2.Client(headers=headers, timeout=20) as http:
        opened = http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HANDSHAKE})
        if session := opened.headers.get("mcp-session-id"):
            http.headers["mcp-session-id"] = session
        http.post(url, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
        answer = http.post(url, json=call)
        return answer.status_code, answer.headers["content-type"], answer.content


@pytest.mark.parametrize("name", SERVERS)
def test_a_hidden_tool_reads_like_one_that_is_not_there(name: str, ground: Any, tmp_path: Path) -> None:
    kind, python = SERVERS[name]
    with standing.gateway(tmp_path, f"unix:{ground.socket}", kind, python, "hide") as server:
        status, media, body = told(server.upstream, ABSENT)
        hidden = told(server.url, DENIED, grounds.token(ground, "alice"))
    assert hidden[:2] == (status, media)
    assert without_event_id(hidden[2]) == without_event_id(body.replace(ABSENT.encode(), DENIED.encode()))
    events = [json.loads(line) for line in server.audit.read_text().splitlines()]
    assert [event["outcome"] for event in events if event.get("tool") == DENIED] == ["denied"]


def without_event_id(body: bytes) -> bytes:
    """Leave out the ids of events, which are other ones in every session."""
    return b"\n".join(line for line in body.splitlines() if not line.startswith(b"id:"))
