"""What a person sees on a terminal: tables, short revisions, and no line that is wider than the window."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.demo.processes import Playground

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]


def seen(width: int, *arguments: object) -> str:
    """Run a command on a terminal of its own and give what it shows, without colors."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "authz_sidecar", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "COLUMNS": str(width), "TERM": "xterm-256color"},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65_536)
        except OSError:  # how Linux says that the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    process.wait(10)
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r\n", "\n")


@pytest.mark.parametrize("width", [80, 120])
def test_status_fits_the_window(ground: Playground, width: int) -> None:
    shown = seen(width, "policy", "status", "--config", ground.config)
    lines = shown.splitlines()
    assert lines[0] == "policy    live"
    assert re.fullmatch(r"revision  sha256:[0-9a-f]{12} *", lines[1])
    assert re.fullmatch(r"loaded    \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, from files *", lines[2])
    assert all(len(line) <= width for line in lines)


@pytest.mark.parametrize("width", [80, 120])
def test_a_long_problem_breaks_between_words(home: Path, width: int) -> None:
    (home / "policies" / "policy.csv").write_text("p, alice, *, *, *, allow\n")
    lines = seen(width, "policy", "lint", "--config", home / "authz.toml").splitlines()
    assert lines[0].startswith("error policy.csv:1:4: `alice` needs")
    assert all(len(line) <= width for line in lines)
    words = " ".join(line.strip() for line in lines)
    assert "`user:`, `role:`, `group:`, `client:` or `agent:` in front" in words


def test_json_is_indented_for_a_person(ground: Playground) -> None:
    assert seen(80, "policy", "status", "--json", "--config", ground.config).startswith("{\n  ")
