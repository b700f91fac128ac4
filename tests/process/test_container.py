"""The container image and the systemd unit, as far as they can be held without an engine: files, forms, steps."""

import configparser
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = ROOT / "deploy" / "Dockerfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One instruction of the Dockerfile."""

    word: str
    rest: str

    @property
    def command(self) -> list[str]:
        """The exec form, which no shell reads."""
        parsed = json.loads(self.rest[self.rest.index("[") :])
        assert isinstance(parsed, list)
        return [str(part) for part in parsed]


def _steps() -> list[Step]:
    text = "\n".join(line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#"))
    lines = text.replace("\\\n", " ").splitlines()
    return [Step(word=line.split()[0], rest=line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def _copied() -> list[tuple[list[str], str]]:
    """Give sources and target of every COPY from the repository."""
    parts = [step.rest.split() for step in _steps() if step.word == "COPY" and not step.rest.startswith("--from")]
    return [(part[:-1], part[-1]) for part in parts]


@pytest.mark.parametrize("source", [name for names, _ in _copied() for name in names])
def test_what_the_image_copies_exists_and_is_let_into_the_build(source: str) -> None:
    assert (ROOT / source).exists()
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert any(fnmatch(source, f"{rule[1:]}*") for rule in rules if rule.startswith("!"))


@pytest.mark.parametrize("name", [".git", ".venv", "var", "policies", "examples", "tests", "deploy", "authz.toml"])
def test_nothing_else_of_a_working_copy_reaches_a_build(name: str) -> None:
    assert f"!{name}" not in (ROOT / ".dockerignore").read_text().splitlines()


@pytest.mark.parametrize(
    "step", [step for step in _steps() if step.word in {"RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK"}]
)
def test_no_step_needs_a_shell(step: Step) -> None:
    assert step.command
    assert step.command[0] not in {"sh", "bash", "/bin/sh", "/bin/bash"}


def test_the_image_runs_as_nobody_in_particular() -> None:
    words = [step.word for step in _steps()]
    users = [step.rest for step in _steps() if step.word == "USER"]
    assert users == ["65532:65532"]
    assert words.index("USER") < words.index("ENTRYPOINT")


def test_packages_are_installed_by_hash_or_not_from_an_index() -> None:
    installs = [
        step.command for step in _steps() if step.word == "RUN" and "install" in step.command and "pip" in step.command
    ]
    assert len(installs) == 2
    for command in installs:
        assert {"--require-hashes", "--no-index"} & set(command)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_steps_of_the_build_stage_make_an_environment_that_runs(tmp_path: Path) -> None:
    source = tmp_path / "src"
    for names, target in _copied():
        for name in names:
            _copy(ROOT / name, source / target / (name if target == "./" else ""))
    build = _steps()[: [step.word for step in _steps()].index("FROM", 1)]
    for step in build:
        if step.word == "RUN":
            _run(_moved(step.command, tmp_path), source)
    entry = _moved(next(step.command for step in _steps() if step.word == "ENTRYPOINT"), tmp_path)
    said = _run([entry[0].replace("bin/authz-sidecar", "bin/python"), *_IMPORTS], tmp_path)
    assert Path(said.strip()).is_relative_to(tmp_path / "opt" / "authz")
    assert Path(entry[0]).is_file()


def test_the_unit_keeps_its_socket_private_and_gains_nothing() -> None:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # systemd's keys have capitals
    unit.read(ROOT / "deploy" / "authz-sidecar.service")
    service = unit["Service"]
    assert service["DynamicUser"] == service["NoNewPrivileges"] == "yes"
    assert service["RuntimeDirectoryMode"] == service["StateDirectoryMode"] == "0700"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""


_IMPORTS: Final = ("-I", "-c", "import authz_sidecar.wire.authz_pb2_grpc, mcp_adapter; print(authz_sidecar.__file__)")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _moved(command: list[str], target: Path) -> list[str]:
    """Give the command with the image's paths below `target` and our Python for the image's."""
    moved = [re.sub(r"^/(?=opt/|wheels)", f"{target}/", part) for part in command]
    return [sys.executable, *moved[1:]] if moved[0] == "python" else moved


def _run(command: list[str], home: Path) -> str:
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
