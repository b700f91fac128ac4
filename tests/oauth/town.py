"""Real processes: the authorization server, and a sidecar that believes it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from authz_sidecar import configfile
from authz_sidecar.cli import client
from authz_sidecar.wire import authz_pb2 as pb

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 50.0
AUDIENCE = "https://ops.example/mcp"
CALLBACK = "http://127.0.0.1:9/callback"
PASSWORD = "correct horse battery staple"

_CONFIG = """\
state_dir = "state"
[listen]
socket = "run/authz.sock"
[http]
bind = ""
[oauth]
issuer = "http://127.0.0.1:{port}"
bind = "127.0.0.1:{port}"
development = true
seed = "seed.toml"
registrations_per_hour = 1000
[oauth.scopes]
"tickets:read" = {{ en = "See tickets" }}
[[issuers]]
alias = "own"
issuer = "http://127.0.0.1:{port}"
jwks_uri = "http://127.0.0.1:{port}/jwks"
algorithms = ["ES256"]
roles_claim = "roles"
groups_claim = "groups"
family_claim = "grant_id"
development = true
[[servers]]
name = "ops"
audience = "{audience}"
[policy]
path = "policies"
"""
_SEED = f"""\
[[clients]]
id = "app"
redirect_uris = ["{CALLBACK}"]
[[users]]
name = "alice"
password = "{PASSWORD}"
roles = ["support"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Town:
    """Where everything lies."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.home / "authz.toml"

    @contextmanager
    def running(self, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
        """Run a command of ours; it is stopped at the end, whatever happens."""
        with (self.home / f"{command[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "authz_sidecar", *command, "--config", str(self.config)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)

    @contextmanager
    def oauth(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the authorization server until it answers and on."""
        with self.running("oauth", "serve") as process:
            self.until(lambda: self._answers(process))
            yield process

    @contextmanager
    def sidecar(self) -> Iterator["subprocess.Popen[bytes]"]:
        """Run the sidecar until it answers and on."""
        with self.running("serve") as process:
            self.until(lambda: process.poll() is None and self._serving())
            yield process

    def check(self, token: str) -> str:
        """Ask the sidecar whether the bearer may look something up, and give the reason."""
        with client.data(client.data_target(self.config, None)) as stub:
            answer = stub.Check(pb.CheckRequest(token=token, method="tools/call", tool="lookup"), timeout=5)
        return str(pb.Reason.Name(answer.reason)).removeprefix("REASON_").lower()

    def until(self, look: "object") -> None:
        """Look again and again until it is so."""
        assert callable(look)
        end = time.monotonic() + PATIENCE
        while not look():
            assert time.monotonic() < end, self.logs()
            time.sleep(0.05)

    def logs(self) -> str:
        return "\n".join(path.read_text() for path in sorted(self.home.glob("*.log")))

    def _answers(self, process: "subprocess.Popen[bytes]") -> bool:
        assert process.poll() is None, self.logs()
        try:
            return httpx2.get(f"{self.url}/jwks", timeout=2).status_code == 200
        except httpx2.HTTPError:
            return False

    def _serving(self) -> bool:
        try:
            self.check("")
        except client.Unreachable:
            return False
        return True


@contextmanager
def town() -> Iterator[Town]:
    """Lay out a configuration; the path is short, since those of Unix sockets must be."""
    home = Path(tempfile.mkdtemp(prefix="town"))
    try:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        (home / "authz.toml").write_text(_CONFIG.format(port=port, audience=AUDIENCE))
        (home / "seed.toml").write_text(_SEED)
        (home / "policies").mkdir()
        (home / "policies/policy.csv").write_text("p, role:support, ops, tools/call, lookup, allow\n")
        shutil.copy(ROOT / "policies/model.conf", home / "policies/model.conf")
        configfile.load(home / "authz.toml", os.environ)
        yield Town(home=home, port=port)
    finally:
        shutil.rmtree(home)
