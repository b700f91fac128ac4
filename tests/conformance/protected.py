"""Starts the fixture server bare, behind the gateway, and in the middleware, each ready for a suite without tokens."""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from examples.demo import processes
from examples.demo.processes import Playground, free_port
from tests.conformance.shim import shim
from tests.gateway.process import gateway_process
from tests.matrix.standing import serving
from tests.process import grounds

POLICY: Final = "p, user:alice, everything, *, *, allow\n"
"""All rights: what the suite then finds worse is the gateway's own doing."""
_GATEWAY: Final = """\
public_url = "http://127.0.0.1:{public}"
allowed_hosts = ["localhost:{public}"]
state_dir = "state"
[listen]
bind = "127.0.0.1:{port}"
[status]
bind = ""
[sidecar]
target = "unix:{socket}"
timeout_seconds = 10
[audit]
path = "audit.jsonl"
[[servers]]
name = "everything"
path = "/mcp"
url = "http://127.0.0.1:{upstream}/mcp"
"""


@asynccontextmanager
async def direct(directory: Path, ground: Playground) -> AsyncIterator[str]:
    """Give the URL of the fixture server itself."""
    port = free_port()
    with serving(_fixture(port), directory / "fixture.log", port):
        yield f"http://127.0.0.1:{port}/mcp"


@asynccontextmanager
async def middleware(directory: Path, ground: Playground) -> AsyncIterator[str]:
    """Give the URL of a shim before the fixture server in the middleware."""
    port, public = free_port(), free_port()
    more = (f"unix:{ground.socket}", str(directory / "audit.jsonl"))
    async with AsyncExitStack() as stack:
        stack.enter_context(serving(_fixture(port, *more), directory / "fixture.log", port))
        await stack.enter_async_context(shim(public, port, grounds.token(ground, "alice")))
        yield f"http://127.0.0.1:{public}/mcp"


@asynccontextmanager
async def gateway(directory: Path, ground: Playground) -> AsyncIterator[str]:
    """Give the URL of a shim before a gateway before the fixture server."""
    upstream, port, public = free_port(), free_port(), free_port()
    config = directory / "gateway.toml"
    config.write_text(_GATEWAY.format(public=public, port=port, upstream=upstream, socket=ground.socket))
    async with AsyncExitStack() as stack:
        stack.enter_context(serving(_fixture(upstream), directory / "fixture.log", upstream))
        stack.enter_context(gateway_process(config))
        await stack.enter_async_context(shim(public, port, grounds.token(ground, "alice")))
        yield f"http://127.0.0.1:{public}/mcp"


@asynccontextmanager
async def sidecar() -> AsyncIterator[Playground]:
    """Run a sidecar that lets alice do everything."""
    with grounds.playground() as ground:
        ground.config.write_text(ground.config.read_text().replace('"ops-assistant"', '"everything"'))
        (ground.policies / "policy.csv").write_text(POLICY)
        (ground.policies / "expectations.csv").unlink()
        (ground.policies / "scopes.csv").unlink()
        with processes.sidecar(ground):
            yield ground


def _fixture(port: int, *more: str) -> list[str]:
    return [sys.executable, "-m", "tests.conformance.fixture_server", str(port), *more]
