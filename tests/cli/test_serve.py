"""`serve` and the end of every command: a start that fails is one sentence, and so is whatever else goes wrong."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest

from authz_sidecar.cli.root import cli
from authz_sidecar.errors import PolicyProblems, Problem
from examples.demo.processes import Playground, free_port, wait
from tests.cli.conftest import Run

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

ROOT = Path(__file__).parents[2]


def test_a_second_sidecar_is_refused_with_exit_code_2(run: Run, ground: Playground) -> None:
    said = run("serve", "--config", ground.config)
    assert said.code == 2
    assert "another sidecar keeps its state there; stop it, or name another directory" in said.err


def test_a_taken_http_port_is_exit_code_2_and_leaves_nothing(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("AUTHZ_HTTP__BIND", f"127.0.0.1:{taken.getsockname()[1]}")
        said = run("serve", "--config", home / "authz.toml")
    assert said.code == 2
    assert "error cannot listen on 127.0.0.1:" in said.err
    assert list((home / "var" / "run").iterdir()) == []


@pytest.mark.parametrize("form", ["--log-json", "--log-text"])
def test_it_serves_until_ctrl_c(home: Path, form: str) -> None:
    port = free_port()
    config = home / "authz.toml"
    config.write_text(config.read_text().replace("127.0.0.1:9464", f"127.0.0.1:{port}"))
    log = home / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "authz_sidecar", "serve", form, "--config", str(config)], cwd=ROOT, stderr=output
        )
    try:
        wait(process, f"http://127.0.0.1:{port}/readyz", log)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait(10)
    first = log.read_text().splitlines()[0]
    assert first.startswith("{") is (form == "--log-json")
    assert "starting" in first


class Ends:
    """A command that ends as it is told."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def __call__(self) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        pytest.param(KeyboardInterrupt(), 130, "error stopped\n", id="ctrl-c"),
        pytest.param(
            PolicyProblems([Problem("p.csv", 2, 3, "x", "is wrong")]), 1, "error p.csv:2:3: is wrong\n", id="policy"
        ),
        pytest.param(OSError("odd"), 2, "error odd\n", id="an error without a file"),
        pytest.param(PermissionError(13, "Permission denied", "/x"), 2, "error /x: Permission denied\n", id="with one"),
    ],
)
def test_whatever_ends_a_command_is_one_sentence(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, said: str
) -> None:
    monkeypatch.setitem(cli.commands, "ends", click.Command("ends", callback=Ends(error)))
    told = run("ends")
    assert told.code == code
    assert told.err.lstrip("\n") == said


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m authz_sidecar completion bash | true; echo ${{PIPESTATUS[0]}}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.stdout.strip() in ("0", "1")  # click ends it so
