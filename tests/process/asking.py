"""Asks a running sidecar over its socket, as an adapter does, and looks at its state."""

import json
from collections.abc import Callable
from typing import Any

from authz_sidecar.cli import client
from authz_sidecar.wire import authz_pb2 as pb
from examples.demo.processes import Playground
from tests.process import commands
from tests.process.grounds import token, until

WAIT = 10.0


def allowed(ground: Playground, user: str, tool: str, method: str = "tools/call") -> bool:
    request = pb.CheckRequest(token=token(ground, user, "tickets:write"), method=method, tool=tool)
    with client.data(f"unix:{ground.socket}") as stub:
        answer: Any = stub.Check(request, timeout=WAIT)
    return bool(answer.allowed)


def status(ground: Playground) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(commands.run("policy", "status", "--json", "--config", str(ground.config)))
    return found


def becomes(ground: Playground, look: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Wait until the state looks so."""

    def looked() -> dict[str, Any] | None:
        found = status(ground)
        return found if look(found) else None

    found = until(looked)
    assert found is not None
    return found
