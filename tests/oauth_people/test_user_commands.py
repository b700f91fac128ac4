"""`authz-sidecar oauth user`: whoever runs the server keeps its people."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from authz_sidecar.cli import main
from tests.oauth_people.house import PASSWORD

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]

CONFIG = """
[oauth]
issuer = "http://127.0.0.1:9400"
development = true
tell_sidecars = false
[oauth.scopes]
"tickets:read" = { en = "Read tickets" }
"""


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run one command in a directory with a configuration; a password comes by standard input."""

    def command(*arguments: str, stdin: str = PASSWORD + "\n") -> Said:
        with monkeypatch.context() as changed:
            changed.chdir(tmp_path)
            changed.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
            with pytest.raises(SystemExit) as ended:
                main(list(arguments))
        told = capsys.readouterr()
        assert "Traceback" not in told.out + told.err
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, told.out, told.err)

    assert command("init", ".").code == 0
    config = tmp_path / "authz.toml"
    config.write_text(config.read_text() + CONFIG)
    yield command
    structlog.reset_defaults()


def _users(run: Run) -> dict[str, dict[str, object]]:
    found = json.loads(run("oauth", "user", "list", "--json").out)["users"]
    return {one["name"]: one for one in found}


def _add(run: Run, *more: str) -> Said:
    return run("oauth", "user", "add", "alice", "--password-file", "-", *more)


def test_an_account_is_added_listed_and_changed(run: Run) -> None:
    assert _add(run, "--shown", "Alice Kim", "--role", "support", "--group", "seoul").code == 0
    (alice,) = _users(run).values()
    assert (alice["shown"], alice["roles"], alice["groups"]) == ("Alice Kim", ["support"], ["seoul"])
    assert run("oauth", "user", "roles", "alice", "lead", "support").out == "alice  lead support\n"
    assert run("oauth", "user", "roles", "alice", "--none").out == "alice  has no role\n"
    assert run("oauth", "user", "groups", "alice", "busan").out == "alice  busan\n"
    assert run("oauth", "user", "groups", "alice", "--none").out == "alice  is in no group\n"
    assert run("oauth", "user", "disable", "alice").code == 0
    assert _users(run)["alice"]["disabled"] is True
    assert "disabled" in run("oauth", "user", "list").out
    assert run("oauth", "user", "enable", "alice").code == 0
    assert _users(run)["alice"]["disabled"] is False
    before = _users(run)["alice"]["password_at"]
    assert run("oauth", "user", "password", "alice", "--password-file", "-", "--revoke").code == 0
    assert str(_users(run)["alice"]["password_at"]) >= str(before)


def test_no_output_and_no_file_holds_the_password(run: Run, tmp_path: Path) -> None:
    said = _add(run)
    assert PASSWORD not in said.out + said.err + run("oauth", "user", "list", "--json").out
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file


def test_a_password_comes_from_a_file_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "pw").write_text(PASSWORD + "\r\n")
    assert run("oauth", "user", "add", "bob", "--password-file", "pw").code == 0


@pytest.mark.parametrize(
    ("command", "stdin", "code", "said"),
    [
        pytest.param(["add", "alice", "--password-file", "-"], PASSWORD, 1, "already", id="a name that is taken"),
        pytest.param(["add", "a b", "--password-file", "-"], PASSWORD, 1, "no account name", id="no name"),
        pytest.param(["add", "bob", "--password-file", "-"], "short", 2, "at least 12", id="a short password"),
        pytest.param(["add", "bob", "--password-file", "none"], "", 2, "No such file", id="no such file"),
        pytest.param(["add", "bob"], PASSWORD, 2, "no terminal", id="nobody to ask"),
        pytest.param(["password", "bob", "--password-file", "-"], PASSWORD, 1, "no account `bob`", id="nobody"),
        pytest.param(["disable", "bob"], "", 1, "no account `bob`", id="nobody to disable"),
        pytest.param(["roles", "alice"], "", 2, "--none", id="no role named"),
        pytest.param(["roles", "alice", "x", "--none"], "", 2, "--none", id="both"),
        pytest.param(["roles", "alice", "a b"], "", 1, "no role", id="a role that is none"),
        pytest.param(["add", "bob", "--password", "x"], "", 2, "--password", id="a password on the command line"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, command: list[str], stdin: str, code: int, said: str) -> None:
    assert _add(run).code == 0
    answer = run("oauth", "user", *command, stdin=stdin)
    assert answer.code == code
    assert said in answer.err + answer.out


@pytest.mark.process
def test_a_person_at_a_terminal_is_asked_twice_and_shown_nothing(run: Run, tmp_path: Path) -> None:
    spawn = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))"
    command = [sys.executable, "-m", "authz_sidecar", "oauth", "user", "add", "bob"]
    process = subprocess.Popen(
        [sys.executable, "-c", spawn, *command],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    shown = b""
    for asked in (b"password: ", b"once more: ", b"added"):
        while asked not in shown:
            part = os.read(process.stdout.fileno(), 4_096)
            assert part, shown
            shown += part
        if asked != b"added":
            process.stdin.write(PASSWORD.encode() + b"\n")
            process.stdin.flush()
    process.stdin.close()
    process.stdout.close()
    assert process.wait(10) == 0
    assert PASSWORD.encode() not in shown
    assert "bob" in _users(run)
