"""Runs mcp-authlab: its fixtures, good and broken, and its scanner."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from examples.demo.processes import free_port
from tests.matrix import environments
from tests.matrix.environments import ROOT
from tests.matrix.standing import serving

_WAIT: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a scan said."""

    text: Mapping[str, Any]

    def ids(self, *statuses: str) -> set[str]:
        """Name the checks that ended so."""
        return {result["id"] for result in self.text["results"] if result["status"] in statuses}

    @property
    def line(self) -> str:
        """The result in one line."""
        counts = "  ".join(f"{name} {number}" for name, number in self.text["counts"].items())
        return f"{self.text['conformance']}, {self.text['grade']} {self.text['score']}  ran {self.ran}  {counts}"

    @property
    def ran(self) -> int:
        """How many checks ran. A dead server is graded, too, but nothing runs against it."""
        return int(self.text["coverage"]["ran"])


@contextmanager
def fixture(profile: str, directory: Path) -> Iterator[str]:
    """Run one of its servers; gives the MCP endpoint."""
    port = free_port()
    command = [*_program(), "fixture", "--profile", profile, "--port", str(port), "--auto-consent"]
    with serving(command, directory / f"{profile}.log", port):
        yield f"http://127.0.0.1:{port}/mcp"


def login(url: str, home: Path, *options: str, person: tuple[str, str] | None = None) -> str:
    """Log in as a person in a browser, or as whoever its own fixtures take; gives what it said."""
    if person is None:
        return _run(home, "login", url, "--no-color", "--no-browser", *options)
    browser = shlex.join([sys.executable, "-m", "tests.matrix.person", *person])
    waiting = ["--thorough", "--timeout", "30"]
    return _run(home, "login", url, "--no-color", *waiting, *options, more={"BROWSER": f"{browser} %s"})


def scan(url: str, home: Path, *options: str) -> Report:
    """Scan with the tokens of a login before."""
    out = home / "report.json"
    _run(home, "scan", url, "--format", "json", "-o", str(out), *options)
    return Report(text=json.loads(out.read_text()))


def _run(home: Path, *command: str, more: Mapping[str, str] | None = None) -> str:
    own = {**os.environ, "XDG_CONFIG_HOME": str(home), "MCP_AUTHLAB_TOKENS": str(home / "lab.token"), **(more or {})}
    done = subprocess.run(
        [*_program(), *command], cwd=ROOT, env=own, capture_output=True, text=True, timeout=_WAIT, check=False
    )
    return f"{done.returncode}\n{done.stdout}{done.stderr}"


def _program() -> list[str]:
    return [str(environments.python("authlab", product=False)), "-m", "mcp_authlab"]
