"""`make run`: what it prints can be pasted, and does what it says."""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from examples.demo.processes import free_port

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

ROOT: Final = Path(__file__).parents[2]
_KEEP: Final = """
import sys
from pathlib import Path
from examples.demo.__main__ import keep
sys.exit(keep(int(sys.argv[1]), Path(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def printed() -> Iterator[str]:
    """Start what `make run` starts, in a directory of our own, and give what it prints."""
    home = Path(tempfile.mkdtemp(prefix="authz"))
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", _KEEP, str(free_port()), str(home / "g")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "tail -f" in line:
            break
    try:
        yield said
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert "Traceback" not in process.stdout.read()
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()
        shutil.rmtree(home)


def paste(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["bash", "-c", text], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)


def line(printed: str, start: str) -> str:
    (found,) = re.findall(rf"^  ({start}.*)$", printed, re.MULTILINE)
    return str(found)


def function(printed: str) -> str:
    found = re.search(r"^  (mcp\(\).*?; \})$", printed, re.MULTILINE | re.DOTALL)
    assert found is not None, printed
    return found[1]


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    ("start", "status", "told"),
    [
        pytest.param("mcp alice lookup_inventory", "200", "LAP-14", id="an allowed call"),
        pytest.param("mcp alice delete_ticket", "403", "not permitted", id="a denied call"),
    ],
)
def test_the_printed_curl_works(printed: str, start: str, status: str, told: str) -> None:
    done = paste(f"{function(printed)}\n{line(printed, start)}")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"HTTP/1.1 {status} ")
    assert told in done.stdout


def test_the_printed_check_answers_no(printed: str) -> None:
    done = paste(line(printed, r"\S*authz-sidecar check"))
    assert done.returncode == 1, done.stderr
    assert "denied  tools/call delete_ticket" in done.stdout
    assert "no_matching_rule" in done.stdout


def test_the_printed_status_is_live(printed: str) -> None:
    done = paste(line(printed, r"\S*authz-sidecar policy status"))
    assert done.returncode == 0, done.stderr
    assert "live" in done.stdout


def test_the_printed_logs_are_there(printed: str) -> None:
    for name in line(printed, "tail -f").split()[2:]:
        assert (ROOT / name).exists()
