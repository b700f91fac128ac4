"""CPU per Check of the whole sidecar (token verified, policy judged, decision logged), by unary calls and by the stream
that the adapter uses, against a bare grpc.aio echo of the same messages; rounds interleaved, medians.
`python -m bench.check [--quick]`"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack
from itertools import count
from pathlib import Path

import grpc.aio

from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire import authz_pb2_grpc as rpc
from examples.demo import processes
from mcp_adapter.client import SidecarClient
from mcp_adapter.pdp import Item

STREAM = "the same by the stream"
SHAPES = ((1, "one at a time"), (32, "32 in flight"))


def cpu_ns(pid: int) -> int:
    """CPU time of every thread of a process."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total


async def drive_stream(target: str, request: pb.CheckRequest, calls: int, width: int) -> list[float]:
    """Ask as the adapter does, `width` at a time, and give each question's seconds."""
    seconds: list[float] = []
    client = SidecarClient(target, timeout=5)
    item, names = Item(method=request.method, tool=request.tool), count()

    async def ask() -> None:
        assert await client.check(request.token, item, server="", request_id=f"r{next(names)}")

    await ask()
    await asyncio.sleep(0.1)  # by then the stream is open
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            begun = time.perf_counter()
            await ask()
            seconds.append(time.perf_counter() - begun)

    await asyncio.gather(*(worker() for _ in range(width)))
    await client.close()
    return seconds


async def drive(target: str, request: pb.CheckRequest, calls: int, width: int) -> list[float]:
    """Make the calls, `width` at a time, and give each one's seconds."""
    seconds: list[float] = []
    async with grpc.aio.insecure_channel(target) as channel:
        stub = rpc.AuthorizationServiceStub(channel)
        answer = await stub.Check(request, timeout=5)
        assert answer.allowed, answer  # a fast wrong answer is worthless
        left = iter(range(calls))

        async def worker() -> None:
            for _ in left:
                begun = time.perf_counter()
                await stub.Check(request, timeout=5)
                seconds.append(time.perf_counter() - begun)

        await asyncio.gather(*(worker() for _ in range(width)))
    return seconds


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    quick = options.parse_args().quick
    rounds, calls = (3, 300) if quick else (7, 1500)
    with ExitStack() as stack:
        # One loop for all: gRPC's poller outlives a loop, and would complain of it in the middle of the figures.
        loop = stack.enter_context(asyncio.Runner())
        servers: dict[str, tuple[str, int]] = {}
        directory = processes.ROOT / "var" / "bench-check"
        for engine in ("casbin", "index"):
            ground = processes.prepare(directory / engine)
            text = ground.config.read_text().replace("[policy]\n", f'[policy]\nengine = "{engine}"\n')
            ground.config.write_text(text)
            process = stack.enter_context(processes.sidecar(ground))
            servers[f"sidecar, engine {engine}"] = (f"unix:{ground.socket}", process.pid)
            token = processes.mint(ground, "alice", "tickets:write")
            servers[f"sidecar, engine {engine}"] += (token,)  # type: ignore[assignment]
        servers[STREAM] = servers["sidecar, engine index"]
        echo_socket = directory / "echo.sock"
        echo = subprocess.Popen(
            [sys.executable, "-m", "bench.grpc_echo", f"unix:{echo_socket}"], stdout=subprocess.PIPE
        )
        stack.callback(echo.wait, 10)
        stack.callback(echo.terminate)
        assert echo.stdout
        assert echo.stdout.readline()
        servers["bare grpc.aio echo"] = (f"unix:{echo_socket}", echo.pid, token)  # type: ignore[assignment]
        print(f"{rounds} interleaved rounds of {calls} calls; CPU of the server process, medians (min-max)\n")
        for width, words in SHAPES:
            cpu: dict[str, list[float]] = {name: [] for name in servers}
            p50: dict[str, list[float]] = {name: [] for name in servers}
            for _ in range(rounds):
                for name, (target, pid, bearer) in servers.items():  # type: ignore[misc]
                    request = pb.CheckRequest(token=bearer, method="tools/call", tool="create_ticket")
                    before = cpu_ns(pid)
                    how = drive_stream if name == STREAM else drive
                    seconds = loop.run(how(target, request, calls, width))
                    cpu[name].append((cpu_ns(pid) - before) / 1e3 / (calls + 1))
                    p50[name].append(statistics.median(seconds) * 1e6)
            control = statistics.median(cpu["bare grpc.aio echo"])
            print(words)
            for name in servers:
                middle = statistics.median(cpu[name])
                print(
                    f"  {name:26} {middle:7.0f} µs CPU ({min(cpu[name]):.0f}-{max(cpu[name]):.0f})"
                    f"   {middle / control:5.2f} x echo   p50 {statistics.median(p50[name]):7.0f} µs"
                )


if __name__ == "__main__":
    main()
