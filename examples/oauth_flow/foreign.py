"""A foreign authorization server, oidc-provider from npm, and how it differs from ours."""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from examples.demo import processes
from examples.demo.processes import ROOT
from examples.oauth_flow import stage
from examples.oauth_flow.circle import Server
from examples.oauth_flow.stage import Stage

SERVER: Final = Server(
    name="oidc-provider",
    discovery="GET /.well-known/oauth-authorization-server 200",
    register="POST /reg 201",
    revoke="/token/revocation",
    tells_sidecars=False,
)
_RECIPE: Final = ROOT / "examples" / "oauth_flow" / "provider"
_INSTALLING_SECONDS: Final = 120.0


class NotInstalled(Exception):
    """It cannot be had here; the message says why."""


def installed() -> Path:
    """Give its program, installed from the lock file at the first time; raises `NotInstalled`."""
    if absent := [program for program in ("node", "npm") if shutil.which(program) is None]:
        raise NotInstalled(f"it needs Node.js, and there is no {' and no '.join(absent)}")
    home = (
        ROOT / "var" / f"oidc-provider-{hashlib.sha256((_RECIPE / 'package-lock.json').read_bytes()).hexdigest()[:16]}"
    )
    if not (home / ".complete").exists():
        home.mkdir(parents=True, exist_ok=True)
        for file in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(_RECIPE / file, home)
        _install(home)
        (home / ".complete").touch()
    # A program finds its packages beside itself.
    return Path(shutil.copy(_RECIPE / "provider.mjs", home))


def _install(home: Path) -> None:
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    try:
        done = subprocess.run(
            command, cwd=home, capture_output=True, text=True, timeout=_INSTALLING_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"npm did not install it within {_INSTALLING_SECONDS:g} seconds") from None
    if done.returncode != 0:
        raise NotInstalled(f"npm could not install it: {(done.stderr or done.stdout).strip()[-300:]}")


@contextmanager
def running(directory: Path) -> Iterator[Stage]:
    """Run it, and the rest behind it, until the block ends; raises `NotInstalled`."""
    program = installed()
    directory.mkdir(parents=True, exist_ok=True)
    port, public = processes.free_port(), processes.free_port()
    issuer = f"http://127.0.0.1:{port}"
    command = ["node", str(program), str(port), f"http://127.0.0.1:{public}/mcp"]
    log = directory.with_suffix(".log")
    with processes.process(command, log) as node:
        processes.wait(node, f"{issuer}/jwks", log)
        with stage.behind(directory, issuer, public) as place:
            yield place
