"""What protection adds to one `tools/call`, ours against its peers, in one run: p50, p99 and CPU.
`python -m bench.peers [--quick]`

Everything stands at once and is called in turn, in interleaved rounds. All verify the same token and answer the same
call; before anything is timed, each must allow `echo` and deny `get-env`. CPU is that of every process of the server's
side: the server, and the gateway, sidecar, Cerbos or Eunomia that it asks.
"""

import argparse
import asyncio
import json
import random
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench import peer_backends
from examples.demo.processes import Playground, free_port
from tests.gateway.process import gateway_process
from tests.matrix import environments, standing
from tests.process import grounds

ROOT = Path(__file__).resolve().parents[1]
HEADERS = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18", "X-User-Id": "alice"}
PATIENCE = 240.0


@dataclass(kw_only=True)
class Target:
    """One way to be protected, or none, and what was measured of it."""

    name: str
    control: str
    url: str
    processes: tuple[int, ...]
    """The server's own, then those that it asks or that stand before it."""
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    elsewhere: list[float] = field(default_factory=list)
    """The part of `cpu` that is not the server's own process."""


def call(tool: str) -> dict[str, object]:
    arguments = {"message": "hello"} if tool == "echo" else {}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}


def spent(processes: tuple[int, ...]) -> float:
    """Give the CPU seconds of all threads of these processes that still live."""
    files = [file for pid in processes for file in Path(f"/proc/{pid}/task").glob("*/schedstat")]
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


async def check(target: Target, token: str) -> None:
    """Make sure that it does what it is here for."""
    async with httpx2.AsyncClient(headers={**HEADERS, "Authorization": f"Bearer {token}"}, timeout=20) as http:
        allowed, denied = [(await http.post(target.url, json=call(tool))).text for tool in ("echo", "get-env")]
        del http.headers["authorization"]
        stranger = (await http.post(target.url, json=call("echo"))).text
    assert "Echo: hello" in allowed, (target.name, allowed)
    assert ("Echo: hello" in stranger) == (target.name == "unprotected"), (target.name, stranger)
    assert ("PATH=secret" in denied) == (target.name in {"unprotected", "token verified only"}), (target.name, denied)


async def drive(target: Target, token: str, calls: int) -> None:
    """Call one at a time on one connection."""
    seconds = []
    async with httpx2.AsyncClient(headers={**HEADERS, "Authorization": f"Bearer {token}"}, timeout=20) as http:
        for _ in range(10):
            await http.post(target.url, json=call("echo"))
        own, others = spent(target.processes[:1]), spent(target.processes[1:])
        for _ in range(calls):
            begun = time.perf_counter()
            answer = await http.post(target.url, json=call("echo"))
            seconds.append(time.perf_counter() - begun)
            assert "Echo: hello" in answer.text, answer.text
        elsewhere = spent(target.processes[1:]) - others
        target.cpu.append((spent(target.processes[:1]) - own + elsewhere) / calls * 1e3)
        target.elsewhere.append(elsewhere / calls * 1e3)
    target.p50.append(statistics.median(seconds) * 1e3)
    target.p99.append(statistics.quantiles(seconds, n=100)[98] * 1e3)


@contextmanager
def server(directory: Path, environment: str, kind: str, settings: dict[str, str]) -> Iterator[tuple[str, int]]:
    """Run the server of a kind; gives its URL and its process."""
    python = environments.python(environment, product=environment.startswith("fastmcp"))
    port, log = free_port(), directory / f"{environment}-{kind}"
    own = {**settings, "audit": f"{log}.jsonl"}
    command = [str(python), str(ROOT / "bench" / "peer_server.py"), kind, str(port), json.dumps(own)]
    with standing.serving(command, log.with_suffix(".log"), port, directory=directory) as process:
        yield f"http://127.0.0.1:{port}/mcp", process


def public(ground: Playground) -> dict[str, str]:
    """Give what a verifier of others needs to know of the token."""
    key = jwt.PyJWK(json.loads((ground.directory / "keys" / "jwks.json").read_text())["keys"][0]).key
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return {"public_key": pem, "issuer": grounds.ISSUER, "audience": ground.url}


def embedded(ground: Playground, name: str) -> str:
    """Lay out a configuration of its own for a sidecar inside a server."""
    text = ground.config.read_text()
    for what in ("state", "audit"):
        text = text.replace(f'"{what}"', f'"{what}-{name}"')
    config = ground.directory / f"{name}.toml"
    config.write_text(re.sub(r'bind = ".*"', 'bind = ""', text).replace("run/authz.sock", f"run-{name}/authz.sock"))
    return str(config)


def stand(stack: ExitStack, directory: Path, ground: Playground, sidecar: int) -> list[Target]:
    """Start everything."""
    where, asked = stack.enter_context(peer_backends.cerbos(directory))
    logging, asked_and_logged = stack.enter_context(peer_backends.cerbos(directory, log=True))
    endpoint, policy, asked_too = stack.enter_context(peer_backends.eunomia(directory))
    settings = {
        **public(ground),
        "sidecar": f"unix:{ground.socket}",
        "cerbos": where,
        "cerbos-logged": logging,
        "eunomia": endpoint,
        "eunomia_policy": str(policy),
    }
    found: list[Target] = []
    for control, environment, kind, name, more in kinds(sidecar, asked, asked_and_logged, asked_too):
        own = {**settings, "config": embedded(ground, environment)}
        url, process = stack.enter_context(server(directory, environment, kind, own))
        found.append(Target(name=name, control=control, url=url, processes=(process, *more)))
        if kind == "bare" and environment.startswith("fastmcp"):
            found.append(behind(stack, directory / environment, settings["sidecar"], found[-1], sidecar))
    return found


def kinds(
    sidecar: int, cerbos: int, logging: int, eunomia: int
) -> Iterator[tuple[str, str, str, str, tuple[int, ...]]]:
    """Give what each server is: its FastMCP, its environment, its kind, how it is called, and whom it asks.

    Every environment has a control of its own: the same versions are not equally fast in all.
    """
    for control, environment in (("FastMCP 2.14", "fastmcp2"), ("FastMCP 4", "fastmcp4")):
        yield control, environment, "bare", "unprotected", ()
        yield control, environment, "token", "token verified only", ()
        yield control, environment, "middleware", "ours, middleware", (sidecar,)
        yield control, environment, "embedded", "ours, embedded", ()
    yield "FastMCP 4", "fastmcp4", "hook", "ours, native hook", (sidecar,)
    yield "2.14, cerbos", "cerbos", "bare", "unprotected", ()
    yield "2.14, cerbos", "cerbos", "token", "token verified only", ()
    yield "2.14, cerbos", "cerbos", "cerbos", "cerbos-fastmcp, Cerbos", (cerbos,)
    yield "2.14, cerbos", "cerbos", "cerbos-logged", "the same, decisions logged", (logging,)
    yield "2.14, eunomia", "eunomia", "bare", "unprotected", ()
    yield "2.14, eunomia", "eunomia", "token", "token verified only", ()
    yield "2.14, eunomia", "eunomia", "eunomia", "eunomia-mcp, its server", (eunomia,)
    yield "2.14, eunomia", "eunomia", "eunomia-inside", "eunomia-mcp, in process", ()


def behind(stack: ExitStack, directory: Path, sidecar: str, bare: Target, process: int) -> Target:
    """Put the gateway before the unprotected server."""
    directory.mkdir()
    config = directory / "gateway.toml"
    config.write_text(standing.gateway_config(free_port(), sidecar, bare.url))
    gateway, url, _ = stack.enter_context(gateway_process(config))
    processes = (*bare.processes, gateway.pid, process)
    return Target(name="ours, gateway", control=bare.control, url=f"{url}/mcp", processes=processes)


def told(targets: list[Target], calls: int) -> None:
    """Print the medians of the rounds, and what each adds to its control."""
    print(f"{len(targets[0].p50)} interleaved rounds of {calls} tools/call, one at a time; medians of the rounds, ms\n")
    print(f"{'':14}{'':28}{'p50':>7}{'added':>8}{'p99':>8}{'CPU':>8}{'added':>8}{'elsewhere':>11}")
    bare = {target.control: target for target in targets if target.name == "unprotected"}
    for target in targets:
        control, median = bare[target.control], statistics.median
        more = median([one - other for one, other in zip(target.p50, control.p50, strict=True)])
        cpu = median([one - other for one, other in zip(target.cpu, control.cpu, strict=True)])
        print(
            f"{target.control:14}{target.name:28}{median(target.p50):7.2f}{more:+8.2f}{median(target.p99):8.2f}"
            f"{median(target.cpu):8.2f}{cpu:+8.2f}{median(target.elsewhere):11.2f}"
        )


async def measure(targets: list[Target], token: str, rounds: int, calls: int) -> None:
    for target in targets:
        await check(target, token)
    until = time.monotonic() + PATIENCE
    for _ in range(rounds):
        for target in random.sample(targets, len(targets)):
            await drive(target, token, calls)
        if time.monotonic() > until:  # on a busy machine fewer rounds have to do
            break


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true")
    rounds, calls = (3, 50) if options.parse_args().quick else (9, 150)
    directory = peer_backends.clean(ROOT / "var" / "bench-peers")
    with ExitStack() as stack:
        ground, sidecar = stack.enter_context(standing.sidecar_process())
        targets = stand(stack, directory, ground, sidecar)
        asyncio.run(measure(targets, grounds.token(ground, "alice"), rounds, calls))
        told(targets, calls)


if __name__ == "__main__":
    main()
