"""Memory of the gateway with a thousand idle streams, against its own memory without any; the limit is 300 MB.
`python -m bench.gateway_streams [--quick]`"""

import argparse
import asyncio
import re
import resource
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import uvicorn

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


class Idle:
    """A server whose streams say hello and then keep still until `more` is set, and once more after that."""

    def __init__(self) -> None:
        self.open = 0
        self.more = asyncio.Event()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
        self.open += 1
        await self.more.wait()
        await send({"type": "http.response.body", "body": b": ping\n\n", "more_body": False})


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
        await reader.readuntil(b": hello\n")
    return reader, writer


async def measure(ground: processes.Playground, token: str, steps: list[int]) -> None:
    """Open streams in steps, and print what the gateway holds at each."""
    idle = Idle()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    web = uvicorn.Server(uvicorn.Config(idle, log_level="critical", timeout_graceful_shutdown=1))
    serving = asyncio.create_task(web.serve([listener]))
    config = ground.directory / "gateway.toml"
    upstream = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config.write_text(CONFIG.format(port=ground.mcp_port, socket=ground.socket, upstream=upstream))
    async with AsyncExitStack() as stack:
        process, _, _ = stack.enter_context(gateway_process(config))
        (await stream(ground.mcp_port, token))[1].close()  # the connection to the sidecar is there from now on
        empty = resident_mb(process.pid)
        print(f"{'streams':>8} {'MB':>8} {'kB each':>8}\n{0:>8} {empty:>8.1f}", flush=True)
        held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        for many in steps:
            while len(held) < many:
                held += await asyncio.gather(
                    *(stream(ground.mcp_port, token) for _ in range(min(50, many - len(held))))
                )
            now = resident_mb(process.pid)
            print(f"{many:>8} {now:>8.1f} {(now - empty) * 1024 / many:>8.1f}", flush=True)
            assert now < LIMIT_MB or many > 1_000, f"more than {LIMIT_MB} MB"
        idle.more.set()
        async with asyncio.timeout(60):
            ends = await asyncio.gather(*(reader.read() for reader, _ in held if not reader.at_eof()))
        for _, writer in held:
            writer.close()
        assert all(b": ping\n" in end for end in ends), "a stream was lost"
        print(f"all {len(held)} streams were alive at the end")
    web.should_exit = True
    await serving


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    quick = options.parse_args().quick
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ground = processes.prepare(processes.ROOT / "var" / "bench-gateway")
    with processes.sidecar(ground):
        token = processes.mint(ground, "alice")
        asyncio.run(measure(ground, token, [100, 1_000] if quick else [100, 500, 1_000, 2_000]))


if __name__ == "__main__":
    main()
