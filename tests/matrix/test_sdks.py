"""Every client against every server, through every door: allowed, denied, stepped up."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.matrix import environments, plans, standing
from tests.matrix.clients import CLIENTS, Client
from tests.matrix.plans import Calls
from tests.matrix.standing import SCOPE, Standing, own

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(300)]

MCP1, FASTMCP4 = (lambda: environments.python("mcp1")), (lambda: environments.python("fastmcp4"))
SERVERS: dict[str, tuple[Any, ...]] = {
    "mcp 1.30, middleware": ("middleware", "mcp", MCP1),
    "mcp 1.30, middleware answers 200": ("middleware", "mcp", MCP1, "200"),
    "mcp 1.30, gateway": ("gateway", "mcp", MCP1),
    "mcp 2.3, middleware": ("middleware", "mcp", own),
    "mcp 2.3, gateway": ("gateway", "mcp", own),
    "mcp 2.3 stateless, middleware": ("middleware", "mcp-stateless", own),
    "mcp 2.3 stateless, gateway": ("gateway", "mcp-stateless", own),
    "fastmcp 4, middleware": ("middleware", "fastmcp", FASTMCP4),
    "fastmcp 4, gateway": ("gateway", "fastmcp", FASTMCP4),
    "server-everything, gateway": ("gateway", "everything"),
    "server-everything, gateway answers 200": ("gateway", "everything", None, "200"),
    "server-everything, stdio": ("stdio", "server-everything"),
    "server-filesystem, stdio": ("stdio", "server-filesystem"),
}


@pytest.fixture(scope="module")
def ground() -> Iterator[Any]:
    with standing.sidecar() as found:
        yield found


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, ground: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    door, kind, *more = SERVERS[request.param]
    with getattr(standing, door)(tmp_path_factory.mktemp("server"), f"unix:{ground.socket}", kind, *more) as opened:
        yield opened


@pytest.mark.parametrize("client", CLIENTS, ids=[client.name for client in CLIENTS])
def test_a_client_does_what_it_may_and_nothing_else(
    ground: Any, server: Standing, client: Client, request: pytest.FixtureRequest, table: Any
) -> None:
    name = request.node.callspec.params["server"]
    calls = plans.files(server.audit.parent / "files") if "filesystem" in name else plans.EVERYTHING
    note = table(name, client.name)
    before = len(server.audit.read_text().splitlines()) if server.audit.exists() else 0
    seen = client.visit(plans.plan(ground, server, calls))
    allowed, stepped, denied = (seen.get(kind, {"ok": False, "text": "never called"}) for kind in calls.names)
    note("visible", sorted(seen.get("tools", [])) == calls.visible, seen)
    note("allowed", allowed["ok"] and calls.answers[0] in allowed["text"], seen)
    note("stepped up", stepped["ok"] and calls.answers[1] in stepped["text"], seen)
    note("challenge", any(SCOPE in said or "lacks a scope" in said for said in seen["challenges"]), seen)
    note("denied", not denied["ok"] and "PATH" not in json.dumps(seen), seen)
    dies = client.dies and server.token_file is None and not server.soft
    note("dies of 403" if dies else "lives on", seen["alive"] is not dies, seen)
    assert server.ran is None or "get-env" not in server.ran.read_text()
    events = _events(server.audit, before, calls)
    right = [events[call[0]] for call in (calls.stepped, calls.denied)] == [STEPS, ["denied: no_matching_rule"]]
    note("audited", right, events)


STEPS = ["denied: insufficient_scope", "allowed: allowed_by_rule"]


def _events(audit: Path, before: int, calls: Calls) -> dict[str, list[str]]:
    """Read what the door wrote down since; it writes in batches, so wait a moment for the last denial."""
    until = time.monotonic() + 10
    while True:
        found: dict[str, list[str]] = defaultdict(list)
        for event in map(json.loads, audit.read_text().splitlines()[before:]):
            found[event.get("tool", "")].append(f"{event['outcome']}: {event['reason']}")
        if found[calls.denied[0]] or time.monotonic() > until:
            return found
        time.sleep(0.05)
