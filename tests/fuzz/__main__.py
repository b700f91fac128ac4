"""Fuzzes everything that strangers can reach: `python -m tests.fuzz [SECONDS] [TARGET …]` (30 seconds each).

Each target runs in a process of its own and leaves one line; what it finds is kept in `tests/fuzz/corpus`, where an
ordinary test replays it for ever, and the exit code is 1. Beside the targets that atheris drives stand two that draw
what they need: `tokens` and `differential`.
"""

import hashlib
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import click

from tests.fuzz.target import CORPUS, TARGETS

DRAWN: Final = {
    "tokens": ("tests.tokens.fuzz", "{}"),
    "differential": ("tests.engines.differential", "--seconds", "{}"),
}
_GRACE: Final = 120.0  # seconds to start, to end, and for a last slow input
_NOISE: Final = ("INFO: ", "WARNING: Failed to find function")
_RUNS: Final = re.compile(r"stat::number_of_executed_units: (\d+)")
_REACHED: Final = re.compile(r"cov: (\d+)")


def main(seconds: float, names: list[str]) -> int:
    """Run the targets in turn, and give the exit code."""
    unknown = [name for name in names if name not in (*TARGETS, *DRAWN)]
    if unknown:
        click.echo(f"unknown target `{unknown[0]}`, expected {', '.join((*TARGETS, *DRAWN))}")
        return 2
    failed = [name for name in names or (*TARGETS, *DRAWN) if not _one(name, seconds)]
    if failed:
        click.echo(f"findings: {', '.join(failed)}")
    return 1 if failed else 0


def _one(name: str, seconds: float) -> bool:
    with tempfile.TemporaryDirectory(prefix="fuzz") as place:
        directory = Path(place)
        if name in DRAWN:
            module, *arguments = (part.format(seconds) for part in DRAWN[name])
        else:
            module, arguments = "tests.fuzz.child", [name, str(int(seconds)), place]
        done = _run([sys.executable, "-m", module, *arguments], seconds + _GRACE)
        code, output = done
        if code == 0:
            click.echo(f"{name}: {_summary(output)}")
            return True
        click.echo(f"{name}: exit {code}\n{output[-6_000:]}")
        for found in sorted(directory.glob("found-*")):
            click.echo(f"kept as {_keep(name, found.read_bytes())}")
        return False


def _run(command: list[str], most: float) -> tuple[int, str]:
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=most
        )
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
        return 124, (said if isinstance(said, str) else said.decode(errors="replace")) + "\nit did not end"
    return done.returncode, "\n".join(line for line in done.stdout.splitlines() if not line.startswith(_NOISE))


def _summary(output: str) -> str:
    runs, reached = _RUNS.search(output), _REACHED.findall(output)
    if runs is None:
        return output.strip().splitlines()[-1]
    return f"{int(runs[1]):,} inputs, {reached[-1] if reached else 'no'} places of the code reached, no finding"


def _keep(name: str, data: bytes) -> Path:
    path = CORPUS / name / hashlib.sha256(data).hexdigest()[:16]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(main(float(given[0]) if given else 30.0, given[1:]))
