"""Builds the sample clients, each once per test session, and runs them."""

import asyncio
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

ROOT: Final = Path(__file__).parents[2]
_BUILD: Final = 240.0  # seconds; the first build fetches packages
_RUN: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """What a program left behind."""

    code: int
    said: dict[str, Any]
    output: str


def node(target: Path) -> list[str]:
    """Install the Node.js client below `target`, laid out as in the repository; give its command."""
    need("node", "npm")
    home = target / "examples" / "clients" / "node"
    shutil.copytree(ROOT / "proto", target / "proto")
    shutil.copytree(ROOT / "examples" / "clients" / "node", home, ignore=shutil.ignore_patterns("node_modules"))
    build(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], home)
    return ["node", str(home / "check.mjs")]


def go(target: Path) -> list[str]:
    """Build the Go client into `target`; give its command."""
    need("go")
    program = target / "authz-go-client"
    build(["go", "build", "-mod=readonly", "-o", str(program), "."], ROOT / "examples" / "clients" / "go")
    return [str(program)]


async def run(command: list[str], *args: str, **environment: str) -> Ended:
    """Run a program to its end, ten seconds at most."""
    kept = {name: value for name, value in os.environ.items() if name != "AUTHZ_TOKEN"}
    process = await asyncio.create_subprocess_exec(
        *command,
        *args,
        env=kept | environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_RUN):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode is not None
    return Ended(code=process.returncode, said=json.loads(output), output=(output + errors).decode())


def need(*programs: str) -> None:
    """Skip where a toolchain is absent, but never in CI: there, a gate that does not run is a failure."""
    for program in programs:
        if shutil.which(program) is None:
            if os.environ.get("CI"):
                pytest.fail(f"`{program}` is not installed, and CI is set")
            pytest.skip(f"`{program}` is not installed")


def build(command: list[str], home: Path) -> None:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=_BUILD, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
