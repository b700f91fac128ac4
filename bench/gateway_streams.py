"""Memory of the gateway, and of a server behind the middleware, with a thousand idle streams, against their own without
any (the limit is 300 MB); and how long it takes to end them all. `python -m bench.gateway_streams [--quick]`"""

import argparse
import asyncio
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import uvicorn

from bench.idle_asgi import Idle
from examples.demo import processes
from tests.gateway.process import gateway_process

LIMIT_MB = 300
CONFIG = """\
public_url = "http://127.0.0.1:{port}"
state_dir = "gateway"
[listen]
bind = "127.0.0.1:{port}"
[status]
bind = ""
[sidecar]
target = "unix:{socket}"
timeout_seconds = 10
[audit]
path = "audit/gateway.jsonl"
[[servers]]
name = "ops-assistant"
path = "/mcp"
url = "{upstream}/mcp"
limits = {{ streams_per_principal = 10_000 }}
"""

Held = list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]


def resident_mb(pid: int) -> float:
    """Give the resident memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


async def stream(port: int, token: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Open a stream and read its first event."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"GET /mcp HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"authorization: Bearer {token}\r\naccept: text/event-stream\r\n\r\n"
    )
    writer.write(head.encode())
    async with asyncio.timeout(30):
        await reader.readuntil(b": hello\n\n")
    return reader, writer


@asynccontextmanager
async def by_gateway(ground: processes.Playground) -> AsyncIterator[tuple[int, Callable[[], None]]]:
    """Run the gateway before a server in this process; gives its process and what ends the streams."""
    idle = Idle()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    web = uvicorn.Server(uvicorn.Config(idle, log_level="critical", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(web.serve([listener]))
    config = ground.directory / "gateway.toml"
    upstream = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config.write_text(CONFIG.format(port=ground.mcp_port, socket=ground.socket, upstream=upstream))
    with gateway_process(config) as (process, _, _):
        yield process.pid, idle.more.set
    web.should_exit = True
    await serving


@contextmanager
def guarded(ground: processes.Playground) -> Iterator[int]:
    """Run a server behind the middleware, in a process of its own."""
    command = [sys.executable, "-m", "bench.idle_asgi", str(ground.mcp_port), f"unix:{ground.socket}"]
    process = subprocess.Popen([*command, str(ground.directory / "audit" / "idle.jsonl")], cwd=processes.ROOT)
    try:
        until = time.monotonic() + 30
        while socket.socket().connect_ex(("127.0.0.1", ground.mcp_port)) and time.monotonic() < until:
            time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait(10)


@asynccontextmanager
async def by_middleware(ground: processes.Playground) -> AsyncIterator[tuple[int, Callable[[], None]]]:
    """Run a server behind the middleware; gives its process and what ends the streams."""
    with guarded(ground) as pid:
        yield pid, lambda: os.kill(pid, signal.SIGUSR1)


async def ended(held: Held) -> list[bytes]:
    """Read every stream to its end, which must be clean."""
    async with asyncio.timeout(60):
        ends = await asyncio.gather(*(reader.readuntil(b"0\r\n\r\n") for reader, _ in held))
    for _, writer in held:
        writer.close()
    return ends


async def filled(port: int, token: str, held: Held, many: int) -> None:
    """Open streams until there are so many."""
    while len(held) < many:
        held += await asyncio.gather(*(stream(port, token) for _ in range(min(50, many - len(held)))))


async def measure(name: str, serving: Callable, ground: processes.Playground, steps: list[int]) -> None:
    """Open streams in steps, and print what the process holds at each; then end them, and others by a revocation."""
    token, port = processes.mint(ground, "alice"), ground.mcp_port
    async with serving(ground) as (pid, finish):
        (await stream(port, token))[1].close()  # the connection to the sidecar is there from now on
        empty = resident_mb(pid)
        print(f"\n{name}\n{'streams':>8} {'MB':>8} {'kB each':>8}\n{0:>8} {empty:>8.1f}", flush=True)
        held: Held = []
        for many in steps:
            await filled(port, token, held, many)
            await asyncio.sleep(2)  # by then they are held, and were asked about
            now = resident_mb(pid)
            print(f"{many:>8} {now:>8.1f} {(now - empty) * 1024 / many:>8.1f}", flush=True)
            assert now < LIMIT_MB or many > 1_000, f"more than {LIMIT_MB} MB"
        revoked: Held = []
        await filled(port, processes.mint(ground, "bob"), revoked, 200)
        await asyncio.sleep(2)
        command = ["revoke", "--config", str(ground.config), "--subject", "bob"]
        await asyncio.to_thread(processes.run, *command)
        begun = time.perf_counter()
        ends = await ended(revoked)
        print(f"200 revoked streams ended cleanly {time.perf_counter() - begun:.2f} s after the command returned")
        assert not any(b": ping\n" in end for end in ends), "a revoked stream was told more"
        finish()
        ends = await ended(held)
        assert all(b": ping\n" in end for end in ends), "a stream was lost"
        print(f"all {len(held)} others were alive at the end")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    quick = options.parse_args().quick
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    steps = [100, 1_000] if quick else [100, 500, 1_000, 2_000]
    for name, serving in (("gateway", by_gateway), ("middleware", by_middleware)):
        ground = processes.prepare(processes.ROOT / "var" / f"bench-{name}")
        with processes.sidecar(ground):
            asyncio.run(measure(name, serving, ground, steps))


if __name__ == "__main__":
    main()
