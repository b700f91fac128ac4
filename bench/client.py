"""CPU per question of the adapter's client and of the sidecar: by unary calls, and by the shared stream; at 1 and at
32 in flight, in a tight loop and with pauses, since a question seldom meets warm caches.
`python -m bench.client [--quick]`"""

import argparse
import asyncio
import os
import statistics
import time
from itertools import count

import grpc.aio

from authz_sidecar.wire.authz_pb2_grpc import AuthorizationServiceStub
from bench.check import cpu_ns
from examples.demo import processes
from mcp_adapter.client import SidecarClient
from mcp_adapter.pdp import Item
from mcp_adapter.wording import answer, question

SHAPES = ((1, 0.0), (1, 0.003), (32, 0.0))
ITEM = Item(method="tools/call", tool="create_ticket", arguments=b'{"title":"x"}')


class Unary:
    """The control: asks by one call each, and words questions and reads answers as the client does."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._channel: grpc.aio.Channel | None = None

    async def check(self, token: str, item: Item, *, server: str, request_id: str):
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self._target)
            self._stub = AuthorizationServiceStub(self._channel)
        found = await self._stub.Check(question(token, item, server=server, request_id=request_id), timeout=10)
        return answer(found, [found])

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()


async def drive(asker, token: str, calls: int, width: int, pause: float) -> list[float]:
    """Ask so many times, `width` at once, and give each question's seconds."""
    seconds: list[float] = []
    names = count()
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            begun = time.perf_counter()
            assert await asker.check(token, ITEM, server="ops-assistant", request_id=f"r{next(names)}")
            seconds.append(time.perf_counter() - begun)
            if pause:
                await asyncio.sleep(pause)

    await asyncio.gather(*(worker() for _ in range(width)))
    return seconds


async def measure(target: str, pid: int, token: str, *, rounds: int, calls: int) -> None:
    """Print the medians of interleaved rounds."""
    askers = {"unary": Unary(target), "stream": SidecarClient(target, timeout=10)}
    for asker in askers.values():
        await drive(asker, token, 200, 1, 0)
    print(f"{'in flight':>9} {'pause':>6} {'':8} {'client µs':>10} {'sidecar µs':>11} {'p50 µs':>8} {'p99 µs':>8}")
    for width, pause in SHAPES:
        found: dict[str, list[tuple[float, ...]]] = {name: [] for name in askers}
        for _ in range(rounds):
            for name, asker in askers.items():
                ours, theirs = cpu_ns(os.getpid()), cpu_ns(pid)
                seconds = await drive(asker, token, calls // 4 if pause else calls, width, pause)
                each = 1e3 * len(seconds)
                p99 = statistics.quantiles(seconds, n=100)[98]
                found[name].append(
                    (
                        (cpu_ns(os.getpid()) - ours) / each,
                        (cpu_ns(pid) - theirs) / each,
                        statistics.median(seconds) * 1e6,
                        p99 * 1e6,
                    )
                )
        for name, figures in found.items():
            client, sidecar, p50, p99 = (statistics.median(column) for column in zip(*figures, strict=True))
            print(
                f"{width:>9} {pause:>6} {name:8} {client:>10.0f} {sidecar:>11.0f} {p50:>8.0f} {p99:>8.0f}", flush=True
            )
    for asker in askers.values():
        await asker.close()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    quick = options.parse_args().quick
    ground = processes.prepare(processes.ROOT / "var" / "bench-client")
    with processes.sidecar(ground) as process:
        token = processes.mint(ground, "alice", "tickets:write")
        rounds, calls = (3, 400) if quick else (7, 2000)
        asyncio.run(measure(f"unix:{ground.socket}", process.pid, token, rounds=rounds, calls=calls))


if __name__ == "__main__":
    main()
