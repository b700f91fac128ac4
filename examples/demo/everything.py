"""The gateway in front of a server that was not written for us: server-everything, from npm, in JavaScript."""

import hashlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from examples.demo import processes
from examples.demo.callers import Caller, Outcome, visit
from examples.demo.processes import ROOT, DemoError, Playground

CALLS: Final[dict[str, dict[str, Any]]] = {"echo": {"message": "hi"}, "get-sum": {"a": 1, "b": 2}, "get-env": {}}
EXPECTED: Final = {"vera (guest)": {"echo"}, "adam (admin)": {"echo", "get-sum"}}
"""What the policy below says; nobody gets the tool that shows the server's environment."""

_POLICY: Final = """\
p, role:guest, everything, tools/call, echo,    allow
p, role:admin, everything, tools/call, *,       allow
p, *,          everything, tools/call, get-env, deny
g, user:vera,  role:guest
g, user:adam,  role:admin
"""
_GATEWAY: Final = """\
public_url = "http://127.0.0.1:{public}"
[listen]
bind = "127.0.0.1:{public}"
[status]
bind = "127.0.0.1:{status}"
[sidecar]
target = "unix:{socket}"
[[servers]]
name = "everything"
path = "/mcp"
url = "http://127.0.0.1:{behind}/mcp"
"""
_INSTALLING_SECONDS: Final = 120.0


class NotInstalled(Exception):
    """The server cannot be had here; the message says why."""


def missing() -> str:
    """Say what this needs and is not there; nothing when all is."""
    absent = [program for program in ("node", "npm") if shutil.which(program) is None]
    return f"it needs Node.js, and there is no {' and no '.join(absent)}" if absent else ""


def installed() -> Path:
    """Give the server's program, installed from the lock file at the first time; raises `NotInstalled`."""
    recipe = ROOT / "examples" / "gateway"
    name = hashlib.sha256((recipe / "package-lock.json").read_bytes()).hexdigest()[:16]
    home = ROOT / "var" / f"everything-{name}"
    program = home / "node_modules" / "@modelcontextprotocol" / "server-everything" / "dist" / "index.js"
    if not (home / ".complete").exists():
        home.mkdir(parents=True, exist_ok=True)
        for file in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(recipe / file, home)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        try:
            done = subprocess.run(
                command, cwd=home, capture_output=True, text=True, timeout=_INSTALLING_SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise NotInstalled(f"npm did not install it within {_INSTALLING_SECONDS:g} seconds") from None
        if done.returncode != 0:
            raise NotInstalled(f"npm could not install it: {(done.stderr or done.stdout).strip()[-300:]}")
        (home / ".complete").touch()
    return program


async def visits(directory: Path) -> dict[str, tuple[list[str], list[Outcome]]]:
    """Run everything, let each person call three tools, and give what they saw and what became of it."""
    with _running(directory) as ground:
        people = [Caller(name=name, token=processes.mint(ground, name.split()[0])) for name in EXPECTED]
        return {one.name: await visit(ground.url, one, calls=CALLS) for one in people}


@contextmanager
def _running(directory: Path) -> Iterator[Playground]:
    program = installed()
    ground = processes.prepare(directory)
    shutil.rmtree(ground.policies)
    ground.policies.mkdir()
    (ground.policies / "policy.csv").write_text(_POLICY)
    shutil.copy(ROOT / "policies" / "model.conf", ground.policies)
    ground.config.write_text(ground.config.read_text().replace('name = "ops-assistant"', 'name = "everything"'))
    behind, status = processes.free_port(), processes.free_port()
    gateway = directory / "gateway.toml"
    gateway.write_text(_GATEWAY.format(public=ground.mcp_port, status=status, behind=behind, socket=ground.socket))
    server = ["node", str(program), "streamableHttp"]
    front = [sys.executable, "-m", "mcp_adapter", "gateway", "--config", str(gateway)]
    with (
        processes.sidecar(ground),
        processes.process(server, directory / "everything.log", PORT=str(behind)) as node,
    ):
        _wait(node, behind, directory / "everything.log")
        with processes.process(front, directory / "gateway.log") as running:
            processes.wait(running, f"http://127.0.0.1:{status}/readyz", directory / "gateway.log")
            yield ground


def _wait(node: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Wait until the server listens; it has no page that could be asked."""
    until = time.monotonic() + processes.PATIENCE_SECONDS
    while time.monotonic() < until and node.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise DemoError(f"server-everything does not start:\n{log.read_text(errors='replace')[-2000:]}")
