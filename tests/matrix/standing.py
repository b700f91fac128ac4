"""Starts what the matrix needs: one sidecar, the upstream servers in their own environments, gateways before them."""

import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from examples.demo import processes
from examples.demo.processes import Playground, free_port
from tests.gateway.process import gateway_process
from tests.matrix import environments
from tests.process import grounds

SERVER: Final = "everything"
SCOPE: Final = "sums:add"
Interpreter = Callable[[], Path]
_WAIT: Final = 30.0
_POLICY: Final = """\
p, user:alice, everything, tools/call,       echo,           allow
p, user:alice, everything, tools/call,       get-sum,        allow
p, user:alice, everything, tools/call,       list_directory, allow
p, user:alice, everything, tools/call,       read_text_file, allow
# Some clients set the log level as soon as they connect.
p, user:*,     everything, logging/setLevel, *,              allow
# Some clients call only what is listed; they are shown the tool that nobody gets.
p, user:ines,  everything, tools/list,       get-env,        allow
p, user:ines,  everything, tools/list,       write_file,     allow
"""
_SCOPES: Final = """\
server,method,tool,scopes
everything,tools/call,get-sum,sums:add
everything,tools/call,read_text_file,sums:add
"""
_GATEWAY: Final = """\
public_url = "http://127.0.0.1:{port}"
state_dir = "state"
[listen]
bind = "127.0.0.1:{port}"
[status]
bind = ""
[sidecar]
target = "{sidecar}"
timeout_seconds = 10
[audit]
path = "audit.jsonl"
[[servers]]
name = "everything"
path = "/mcp"
url = "{upstream}"
denied = "{denied}"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One protected server: where it is, what its door wrote down, which tools ran."""

    url: str
    audit: Path
    ran: Path | None = None
    """Absent where the server keeps no record."""
    token_file: Path | None = None
    """Where a server over stdio finds the caller's token; `url` is then the program to run."""
    upstream: str = ""
    """Where a server behind the gateway can be asked without it."""
    soft: bool = False
    """A final no is an error with status 200, for clients that do not outlive a 403."""
    scope: str = SCOPE


@contextmanager
def sidecar() -> Iterator[Playground]:
    """Run a sidecar that lets alice `echo`, and `get-sum` with a scope; nobody may do anything else."""
    with sidecar_process() as (ground, _):
        yield ground


@contextmanager
def sidecar_process() -> Iterator[tuple[Playground, int]]:
    """Run that sidecar, and give its process, too."""
    with grounds.playground() as ground:
        config = ground.config.read_text()
        ground.config.write_text(config.replace('name = "ops-assistant"', f'name = "{SERVER}"'))
        for name, text in (("policy.csv", _POLICY), ("scopes.csv", _SCOPES)):
            (ground.policies / name).write_text(text)
        (ground.policies / "expectations.csv").unlink()
        with processes.sidecar(ground) as process:
            yield ground, process.pid


@contextmanager
def middleware(directory: Path, sidecar: str, kind: str, python: Interpreter, denied: str = "") -> Iterator[Standing]:
    """Run a Python server that is wrapped in the ASGI middleware."""
    audit = directory / "audit.jsonl"
    with _python(directory, kind, python(), sidecar, str(audit), *([denied] if denied else [])) as (url, ran):
        yield Standing(url=url, audit=audit, ran=ran, soft=denied == "200")


@contextmanager
def gateway(
    directory: Path, sidecar: str, kind: str, python: Interpreter | None = None, denied: str = "403"
) -> Iterator[Standing]:
    """Run a server that knows nothing of us, and the gateway before it; without `python`, server-everything."""
    server = everything(directory) if python is None else _python(directory, kind, python())
    with server as (upstream, ran):
        config = directory / "gateway.toml"
        config.write_text(gateway_config(free_port(), sidecar, upstream, denied))
        with gateway_process(config) as (_, url, _status):
            soft, audit = denied == "200", directory / "audit.jsonl"
            yield Standing(url=f"{url}/mcp", audit=audit, ran=ran, upstream=upstream, soft=soft)


def gateway_config(port: int, sidecar: str, upstream: str, denied: str = "403") -> str:
    """Give the configuration of a gateway before one server."""
    return _GATEWAY.format(port=port, sidecar=sidecar, upstream=upstream, denied=denied)


@contextmanager
def _python(directory: Path, kind: str, python: Path, *door: str) -> Iterator[tuple[str, Path]]:
    port, ran = free_port(), directory / "ran"
    ran.touch()
    command = [str(python), "-m", "tests.matrix.upstream", kind, str(port), str(ran), *door]
    with serving(command, directory / "upstream.log", port):
        yield f"http://127.0.0.1:{port}/mcp", ran


@contextmanager
def everything(directory: Path) -> Iterator[tuple[str, None]]:
    """Run the reference server from npm, which shows most of what the protocol has."""
    port, modules = free_port(), environments.node()
    program = modules / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"
    keep_home = str(modules.parent / "loopback.mjs")
    command = ["node", "--import", keep_home, str(program), "streamableHttp"]
    with serving(command, directory / "upstream.log", port, {"PORT": str(port)}):
        yield f"http://127.0.0.1:{port}/mcp", None


@contextmanager
def serving(
    command: Sequence[str],
    log: Path,
    port: int,
    more: Mapping[str, str] | None = None,
    *,
    directory: Path = environments.ROOT,
) -> Iterator[int]:
    """Run a server until the block ends; it is up when its port takes connections. Gives its process."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(more or {})},
        )
    try:
        _up(running, port, log)
        yield running.pid
    finally:
        running.terminate()
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(10)


def _up(running: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _WAIT
    while time.monotonic() < until and running.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError(f"{running.args} does not listen:\n{log.read_text(errors='replace')[-4000:]}")


@contextmanager
def stdio(directory: Path, sidecar: str, kind: str) -> Iterator[Standing]:
    """Lay out a program that runs a local server guarded by `mcp-authz stdio`."""
    modules, token = environments.node() / "@modelcontextprotocol", directory / "caller.token"
    token.touch(mode=0o600)
    files = directory / "files"
    files.mkdir()
    (files / "note.txt").write_text("hello")
    server = [str(modules / kind / "dist" / "index.js"), "stdio" if kind == "server-everything" else str(files)]
    guard = [sys.executable, "-m", "mcp_adapter", "stdio", "--sidecar", sidecar, "--timeout", "10"]
    options = ["--server", SERVER, "--token-file", str(token), "--audit", str(directory / "audit.jsonl")]
    program = directory / "guarded"
    program.write_text(
        f"#!/bin/sh\ncd {environments.ROOT}\nexec {shlex.join([*guard, *options, '--', 'node', *server])}\n"
    )
    program.chmod(0o700)
    yield Standing(url=str(program), audit=directory / "audit.jsonl", token_file=token)


def own() -> Path:
    """Give the interpreter that runs this: the newest SDK."""
    return Path(sys.executable)
