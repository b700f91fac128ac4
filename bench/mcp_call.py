"""One MCP `tools/call` over HTTP, unprotected and protected, in one run: p50, p99, the ratio, and the CPU of the server
and of the sidecar, which other work on the machine disturbs least. `python -m bench.mcp_call [--quick]`"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack

import httpx2

from bench.check import cpu_ns
from examples.demo import processes

VERSION = "2026-07-28"
CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {
        "name": "lookup_inventory",
        "arguments": {"query": "laptop"},
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
        },
    },
}
HEADERS = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": VERSION,
    "Mcp-Method": "tools/call",
    "Mcp-Name": "lookup_inventory",
}


async def drive(url: str, token: str, calls: int) -> list[float]:
    """Call one at a time on one connection and give each call's seconds."""
    seconds = []
    async with httpx2.AsyncClient(headers={**HEADERS, "Authorization": f"Bearer {token}"}, timeout=10) as http:
        for _ in range(calls):
            begun = time.perf_counter()
            answer = await http.post(url, json=CALL)
            seconds.append(time.perf_counter() - begun)
            assert answer.status_code == 200, (answer.status_code, answer.text)
            assert '"isError":false' in answer.text.replace(" ", ""), answer.text
    return seconds


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    quick = options.parse_args().quick
    rounds, calls = (3, 60) if quick else (9, 200)
    with ExitStack() as stack:
        ground = processes.prepare(processes.ROOT / "var" / "bench-mcp")
        sidecar = stack.enter_context(processes.sidecar(ground))
        guarded = stack.enter_context(processes.ops_assistant(ground))
        port = processes.free_port()
        command = [
            *(sys.executable, "-m", "examples.ops_assistant", "--unprotected", "--port", str(port)),
            *("--database", str(ground.directory / "bare.db")),
        ]
        bare = subprocess.Popen(command, cwd=processes.ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(bare.wait, 10)
        stack.callback(bare.terminate)
        processes.wait(bare, f"http://127.0.0.1:{port}/health", ground.directory / "ops.log")
        token = processes.mint(ground, "alice")
        targets = {"unprotected": f"http://127.0.0.1:{port}/mcp", "protected": ground.url}
        for url in targets.values():
            asyncio.run(drive(url, token, 20))
        p50: dict[str, list[float]] = {name: [] for name in targets}
        p99: dict[str, list[float]] = {name: [] for name in targets}
        cpu: dict[str, list[float]] = {name: [] for name in (*targets, "sidecar")}
        pids = {"unprotected": bare.pid, "protected": guarded.pid}
        for _ in range(rounds):
            for name, url in targets.items():
                before, asked = cpu_ns(pids[name]), cpu_ns(sidecar.pid)
                seconds = asyncio.run(drive(url, token, calls))
                cpu[name].append((cpu_ns(pids[name]) - before) / 1e6 / calls)
                if name == "protected":
                    cpu["sidecar"].append((cpu_ns(sidecar.pid) - asked) / 1e6 / calls)
                p50[name].append(statistics.median(seconds) * 1e3)
                p99[name].append(statistics.quantiles(seconds, n=100)[98] * 1e3)
        print(f"{rounds} interleaved rounds of {calls} tools/call; medians of the rounds\n")
        for name in targets:
            print(
                f"  {name:12} p50 {statistics.median(p50[name]):6.2f} ms   p99 {statistics.median(p99[name]):6.2f} ms"
                f"   CPU of the server {statistics.median(cpu[name]):5.2f} ms"
            )
        print(f"  CPU of the sidecar {statistics.median(cpu['sidecar']):.2f} ms")
        pairs = [one / other for one, other in zip(p50["protected"], p50["unprotected"], strict=True)]
        added = statistics.median(p50["protected"]) - statistics.median(p50["unprotected"])
        spread = f"({min(pairs):.2f}-{max(pairs):.2f})"
        print(f"\n  protected / unprotected at p50: {statistics.median(pairs):.2f} {spread}, {added:+.2f} ms")


if __name__ == "__main__":
    main()
