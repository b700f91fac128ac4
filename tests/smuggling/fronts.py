"""What stands before a recording server: the middleware and the gateway, on real sockets, in a loop of their own."""

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mcp_adapter import AuthzMiddleware
from tests.adapter.bench import Lines
from tests.adapter.fake_sidecar import FakeSidecar, Table
from tests.gateway.standing import Recording, config, gateway, running

HOST = "gateway.example"


@dataclass(kw_only=True)
class Front:
    """One way in."""

    port: int
    server: Recording
    table: Table


async def middleware(stack: AsyncExitStack, folder: Path, sidecar: FakeSidecar, server: Recording) -> str:
    """Start the ASGI form in front of a server."""
    app = AuthzMiddleware(server, server="ops", sidecar=sidecar.target, audit=Lines(), allowed_hosts=[HOST], timeout=5)
    return await stack.enter_async_context(running(app, lifespan="off", http="h11"))


async def reverse(stack: AsyncExitStack, folder: Path, sidecar: FakeSidecar, server: Recording) -> str:
    """Start the gateway in front of a server elsewhere."""
    upstream = await stack.enter_async_context(running(server))
    front = await stack.enter_async_context(gateway(config(folder, sidecar, upstream)))
    return front.url


STARTS = {"middleware": middleware, "gateway": reverse}


@contextmanager
def standing(start: str) -> Iterator[Front]:
    """Run one of them until the block ends."""
    ready: list[tuple[Front, asyncio.AbstractEventLoop, asyncio.Event]] = []
    up = threading.Event()

    async def serve() -> None:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="authz-")))
            table, server = Table(may={"alice": {("tools/call", "echo"), ("resources/read", "note://a")}}), Recording()
            table.may["root"] = {("*", "*")}
            sidecar = await FakeSidecar(folder / "run" / "s.sock", table).start()
            stack.push_async_callback(sidecar.stop)
            url = await STARTS[start](stack, folder, sidecar, server)
            front = Front(port=int(url.rpartition(":")[2]), server=server, table=table)
            down = asyncio.Event()
            ready.append((front, asyncio.get_running_loop(), down))
            up.set()
            await down.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            up.set()

    thread = threading.Thread(target=run)
    thread.start()
    assert up.wait(20)
    front, loop, down = ready[0]
    try:
        yield front
    finally:
        loop.call_soon_threadsafe(down.set)
        thread.join(20)
