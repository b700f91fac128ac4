"""The repository keeps its own habits: locked, free of addresses and machine paths, small files, true links."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ("authz_sidecar/wire/",)
LONGEST = 300


def _tracked(*patterns: str) -> list[Path]:
    done = subprocess.run(["git", "ls-files", *patterns], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.splitlines() if (ROOT / name).is_file()]


def test_locks_name_no_address() -> None:
    for lock in _tracked("requirements/*.txt"):
        text = lock.read_text()
        assert "://" not in text, lock
        assert text.count("--hash=sha256:") >= len(re.findall(r"^[a-z0-9].*==", text, re.MULTILINE)) > 0, lock
    for lock in _tracked("*package-lock.json"):
        assert '"resolved"' not in lock.read_text(), lock


def test_no_file_is_too_long_to_read() -> None:
    for path in _tracked("*.py"):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(GENERATED):
            assert len(path.read_text().splitlines()) <= LONGEST, name


def test_every_module_says_in_one_line_what_it_is_for() -> None:
    for path in _tracked("authz_sidecar/**/*.py", "mcp_adapter/**/*.py", "authz_sidecar/*.py", "mcp_adapter/*.py"):
        if "wire/authz" not in path.as_posix():
            assert path.read_text().startswith('"""'), path


@pytest.mark.parametrize("page", [path.relative_to(ROOT).as_posix() for path in _tracked("*.md")])
def test_links_between_pages_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text()):
        assert (ROOT / page).parent.joinpath(target).exists(), f"{page}: {target}"


def test_readme_names_the_two_commands_that_ci_runs() -> None:
    readme, ci = (ROOT / "README.md").read_text(), (ROOT / ".ci/run").read_text()
    for command in ("make demo", "make test"):
        assert command in readme
        assert command in ci
