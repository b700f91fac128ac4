"""How the tests speak the command line: in this process, with files of their own and, where needed, a real sidecar."""

import io
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, settings

from authz_sidecar.cli import main
from examples.demo import processes
from examples.demo.processes import Playground
from tests.process.grounds import playground

SHIPPED = Path(__file__).parents[2] / "policies"
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
"""For random input: no timing, and files that are written anew for each example."""


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


Run = Callable[..., Said]
Write = Callable[[str | bytes], Path]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run one command to its end; whatever happens, nobody sees a traceback."""

    def command(*arguments: Any, stdin: bytes = b"") -> Said:
        capsys.readouterr()
        with monkeypatch.context() as changed:
            changed.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            with pytest.raises(SystemExit) as ended:
                main([str(one) for one in arguments])
        told = capsys.readouterr()
        assert "Traceback" not in told.out + told.err
        assert isinstance(ended.value.code, int)
        return Said(ended.value.code, told.out, told.err)

    yield command
    structlog.reset_defaults()  # `serve` has set the log up for a stream that ends with the test


@pytest.fixture
def home(run: Run, tmp_path: Path) -> Path:
    """Give a directory that `init` has just filled."""
    assert run("init", tmp_path / "home").code == 0
    return tmp_path / "home"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write an `authz.toml`."""

    def written(data: str | bytes) -> Path:
        path = tmp_path / "authz.toml"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return written


@pytest.fixture
def desk(run: Run, tmp_path: Path) -> Path:
    """Give a home with the shipped policy."""
    assert run("init", tmp_path, "--server", "ops-assistant").code == 0
    shutil.rmtree(tmp_path / "policies")
    shutil.copytree(SHIPPED, tmp_path / "policies")
    return tmp_path


@pytest.fixture
def ask(run: Run, desk: Path) -> Any:
    def command(*words: Any) -> Any:
        return run("policy", *words, "--config", desk / "authz.toml")

    return command


@pytest.fixture
def edited(desk: Path) -> Path:
    """Give a copy of the policy in which support may also delete."""
    new = shutil.copytree(desk / "policies", desk / "next")
    rows = (new / "policy.csv").read_text().replace("role:admin,   ops-assistant", "role:support, ops-assistant")
    (new / "policy.csv").write_text(rows)
    (new / "expectations.csv").unlink()
    return new


@pytest.fixture(scope="module")
def ground() -> Iterator[Playground]:
    """Run a real sidecar for the tests of a file."""
    with playground() as found, processes.sidecar(found):
        yield found
