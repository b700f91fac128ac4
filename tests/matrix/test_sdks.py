"""Every client against every server, through every door: allowed, denied, stepped up."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.matrix import environments, standing
from tests.matrix.clients import CLIENTS, Client
from tests.matrix.standing import SCOPE, Standing
from tests.process import grounds

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(300)]

SERVERS = {
    "mcp 1.30, middleware": ("middleware", "mcp", "mcp1"),
    "mcp 1.30, gateway": ("gateway", "mcp", "mcp1"),
    "mcp 2.3, middleware": ("middleware", "mcp", ""),
    "mcp 2.3, gateway": ("gateway", "mcp", ""),
    "mcp 2.3 stateless, middleware": ("middleware", "mcp-stateless", ""),
    "mcp 2.3 stateless, gateway": ("gateway", "mcp-stateless", ""),
    "fastmcp 4, middleware": ("middleware", "fastmcp", "fastmcp4"),
    "fastmcp 4, gateway": ("gateway", "fastmcp", "fastmcp4"),
    "server-everything, gateway": ("gateway", "everything", None),
}


@pytest.fixture(scope="module")
def ground() -> Iterator[Any]:
    with standing.sidecar() as found:
        yield found


@pytest.fixture(scope="module")
def tokens(ground: Any) -> dict[str, str]:
    """`shown` is of somebody who sees in the list what nobody may call."""
    alice, wider = grounds.token(ground, "alice"), grounds.token(ground, "alice", SCOPE)
    return {"token": alice, "wider": wider, "shown": grounds.token(ground, "ines")}


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, ground: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    door, kind, environment = SERVERS[request.param]
    python = None if environment is None else environments.python(environment) if environment else standing.own()
    with ExitStack() as stack:
        opened = getattr(standing, door)(tmp_path_factory.mktemp("server"), f"unix:{ground.socket}", kind, python)
        yield stack.enter_context(opened)


@pytest.mark.parametrize("client", CLIENTS, ids=[client.name for client in CLIENTS])
def test_a_client_does_what_it_may_and_nothing_else(
    server: Standing, client: Client, tokens: dict[str, str], request: pytest.FixtureRequest, table: Any
) -> None:
    row = table(request, client.name)
    before = len(server.audit.read_text().splitlines()) if server.audit.exists() else 0
    seen = client.visit(server.url, tokens)
    row("visible", sorted(seen["tools"]) == ["echo", "get-sum"], seen)
    row("allowed", seen["echo"]["ok"] and "Echo: hello" in seen["echo"]["text"], seen)
    row("stepped up", seen["sum"]["ok"] and "The sum of 2 and 3 is 5." in seen["sum"]["text"], seen)
    row("challenge", any(SCOPE in challenge for challenge in seen["challenges"]), seen)
    row("denied", not seen.get("env", {"ok": False})["ok"] and "PATH" not in json.dumps(seen), seen)
    row("dies of 403" if client.dies else "lives on", seen["alive"] is not client.dies, seen)
    assert server.ran is None or "get-env" not in server.ran.read_text()
    reasons = _reasons(server.audit, before)
    stepped = reasons["get-sum"] == ["insufficient_scope", "allowed_by_rule"]
    row("audited", stepped and reasons["get-env"] == ["no_matching_rule"], reasons)


def _reasons(audit: Path, before: int) -> dict[str, list[str]]:
    """Read what the door wrote down since; it writes in batches, so wait a moment for the last denial."""
    until = time.monotonic() + 10
    while True:
        found: dict[str, list[str]] = defaultdict(list)
        for event in map(json.loads, audit.read_text().splitlines()[before:]):
            found[event.get("tool", "")].append(event["reason"])
        if found["get-env"] or time.monotonic() > until:
            return found
        time.sleep(0.05)
