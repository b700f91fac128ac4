"""Sets up a playground and starts the real processes of the demo: the sidecar and the ops assistant."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 30.0

_CONFIG = """\
state_dir = "state"

[listen]
socket = "run/authz.sock"
{tcp}
[http]
bind = "127.0.0.1:{http_port}"

[[issuers]]
alias = "dev"
issuer = "https://issuer.demo.invalid"
jwks_file = "keys/jwks.json"
algorithms = ["ES256"]
roles_claim = ""
development = true

[[servers]]
name = "ops-assistant"
audience = "{audience}"

[policy]
path = "{policies}"

[audit]
path = "audit"
"""


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Playground:
    """Where everything of one demo lies."""

    directory: Path
    policies: Path
    mcp_port: int
    http_port: int

    @property
    def url(self) -> str:
        """The protected MCP endpoint, and the audience of its tokens."""
        return f"http://127.0.0.1:{self.mcp_port}/mcp"

    @property
    def config(self) -> Path:
        """The sidecar's configuration."""
        return self.directory / "authz.toml"

    @property
    def socket(self) -> Path:
        """Where the adapter asks."""
        return self.directory / "run" / "authz.sock"

    @property
    def decisions(self) -> Path:
        """The sidecar's decision log."""
        return self.directory / "audit" / "decisions.jsonl"

    @property
    def requests(self) -> Path:
        """The adapter's audit log."""
        return self.directory / "audit" / "requests.jsonl"


def prepare(
    directory: Path,
    *,
    policies: Path | None = None,
    mcp_port: int = 0,
    tcp: str = "",
    command: Callable[..., str] | None = None,
) -> Playground:
    """Lay out a fresh playground; with no `policies`, a copy of the shipped ones that may be edited freely.

    `command` runs what makes the keys; by default `run`.
    """
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    if policies is None:
        policies = directory / "policies"
        shutil.copytree(ROOT / "policies", policies)
    ground = Playground(directory=directory, policies=policies, mcp_port=mcp_port or free_port(), http_port=free_port())
    ground.config.write_text(
        _CONFIG.format(
            http_port=ground.http_port,
            audience=ground.url,
            policies=policies,
            tcp=f'tcp = "{tcp}"\n' if tcp else "",
        )
    )
    (command or run)("keys", "generate", str(directory / "keys"))
    return ground


def run(*arguments: str) -> str:
    """Run an `authz-sidecar` command and give what it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "authz_sidecar", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode not in (0, 1):
        raise DemoError(f"authz-sidecar {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


def mint(ground: Playground, user: str, *scopes: str) -> str:
    """Make a development token."""
    wanted = [part for scope in scopes for part in ("--scope", scope)]
    return run("token", "mint", "--config", str(ground.config), "--sub", user, *wanted)


@contextmanager
def sidecar(ground: Playground) -> Iterator[subprocess.Popen[bytes]]:
    """Run the sidecar until the block ends."""
    command = [sys.executable, "-m", "authz_sidecar", "serve", "--config", str(ground.config)]
    with process(command, ground.directory / "sidecar.log") as running:
        wait(running, f"http://127.0.0.1:{ground.http_port}/readyz", ground.directory / "sidecar.log")
        yield running


@contextmanager
def ops_assistant(ground: Playground) -> Iterator[subprocess.Popen[bytes]]:
    """Run the protected sample server until the block ends."""
    command = [
        *(sys.executable, "-m", "examples.ops_assistant", "--port", str(ground.mcp_port)),
        *("--sidecar", f"unix:{ground.socket}", "--database", str(ground.directory / "ops.db")),
        *("--audit", str(ground.requests)),
    ]
    with process(command, ground.directory / "ops.log") as running:
        wait(running, f"http://127.0.0.1:{ground.mcp_port}/health", ground.directory / "ops.log")
        yield running


@contextmanager
def process(command: Sequence[str], log: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the block ends; what it says goes to the log."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        try:
            running.wait(10)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(10)


def wait(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until the URL answers, or say what the process said."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own loopback address
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise DemoError(f"{url} does not answer:\n{log.read_text(errors='replace')[-4000:]}")


def free_port() -> int:
    """Find a free loopback port that no outgoing connection takes before its server does: below the ephemeral ones."""
    while True:
        port = secrets.randbelow(12_000) + 20_000
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
