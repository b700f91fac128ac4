"""The watch over the repository's root sees what a test leaves there, and nothing else."""

import subprocess
from pathlib import Path

from tests.root import strays


def test_a_new_file_or_directory_is_a_stray(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True, timeout=10)
    (tmp_path / ".gitignore").write_text("var/\n")
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "log").write_text("")
    assert strays(tmp_path) == {".gitignore"}
    (tmp_path / "file").write_text("{}")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "one").write_text("")
    assert strays(tmp_path) == {".gitignore", "file", "logs/"}


def test_deep_files_and_tracked_ones_are_none(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True, timeout=10)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text("")
    subprocess.run(["git", "add", "tests"], cwd=tmp_path, check=True, timeout=10)
    (tmp_path / "tests" / "test_two.py").write_text("")
    assert strays(tmp_path) == frozenset()


def test_outside_a_checkout_nothing_is_known(tmp_path: Path) -> None:
    assert strays(tmp_path) == frozenset()
