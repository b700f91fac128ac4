"""Reading the files as they stood together: swaps, holes and strange things in the directory."""

import os
import threading
from pathlib import Path

import pytest

from authz_sidecar.errors import PolicyProblems, Problem
from authz_sidecar.policy import files
from authz_sidecar.policy.lines import LARGEST
from tests.policy.plainly import write

BOTH = {"policy.csv": b"one", "model.conf": b"two"}


def refused(directory: Path) -> tuple[Problem, ...]:
    with pytest.raises(PolicyProblems) as caught:
        files.read(directory)
    return caught.value.problems


def test_all_four_files_are_read_and_others_are_not(tmp_path: Path) -> None:
    every = BOTH | {"scopes.csv": b"", "expectations.csv": b"three"}
    assert files.read(write(tmp_path, every | {"policy.csv~": b"old"})) == every


def test_the_optional_files_may_be_absent(tmp_path: Path) -> None:
    assert files.read(write(tmp_path, BOTH)) == BOTH


def test_each_missing_file_is_named(tmp_path: Path) -> None:
    assert [(problem.file, problem.code) for problem in refused(tmp_path)] == [
        ("model.conf", "missing"),
        ("policy.csv", "missing"),
    ]


@pytest.mark.parametrize("make", [pytest.param(lambda path: None, id="missing"), pytest.param(Path.touch, id="a file")])
def test_a_directory_that_is_none_is_refused(tmp_path: Path, make: object) -> None:
    directory = tmp_path / "policies"
    make(directory)  # type: ignore[operator]
    (problem,) = refused(directory)
    assert (problem.file, problem.code) == (str(directory), "unreadable")


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda path: path.mkdir(), id="directory"),
        pytest.param(os.mkfifo, id="pipe without a writer"),
        pytest.param(lambda path: path.symlink_to("/dev/null"), id="device"),
        pytest.param(lambda path: path.symlink_to(path.name), id="symlink to itself"),
    ],
)
def test_what_is_no_regular_file_is_refused(tmp_path: Path, make: object) -> None:
    write(tmp_path, {"model.conf": b""})
    make(tmp_path / "policy.csv")  # type: ignore[operator]
    (problem,) = refused(tmp_path)
    assert (problem.file, problem.code) == ("policy.csv", "unreadable")


def test_a_file_beyond_the_limit_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, BOTH)
    os.truncate(tmp_path / "policy.csv", LARGEST + 1)
    (problem,) = refused(tmp_path)
    assert (problem.file, problem.code) == ("policy.csv", "unreadable")
    assert "at most" in problem.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    write(tmp_path, BOTH)
    (tmp_path / "policy.csv").chmod(0)
    (problem,) = refused(tmp_path)
    assert str(problem) == "policy.csv: cannot be read: permission denied"


def config_map(directory: Path, name: str, content: dict[str, bytes]) -> None:
    """Swap as Kubernetes does: a new directory, and one rename of the symlink that leads to it."""
    write(directory / f"..{name}", content)
    (directory / "..tmp").symlink_to(f"..{name}")
    (directory / "..tmp").rename(directory / "..data")
    for file in content:
        if not (directory / file).is_symlink():
            (directory / file).symlink_to(f"..data/{file}")


def test_a_swapped_config_map_is_seen_and_read(tmp_path: Path) -> None:
    config_map(tmp_path, "first", BOTH)
    before = files.signature(tmp_path)
    assert files.read(tmp_path) == BOTH
    config_map(tmp_path, "second", {"policy.csv": b"new", "model.conf": b"two"})
    assert files.signature(tmp_path) != before
    assert files.read(tmp_path)["policy.csv"] == b"new"


def test_a_replaced_directory_is_seen_and_read(tmp_path: Path) -> None:
    directory = write(tmp_path / "policies", BOTH)
    before = files.signature(directory)
    directory.rename(tmp_path / "old")
    write(directory, {"policy.csv": b"new", "model.conf": b"two"})
    assert files.signature(directory) != before
    assert files.read(directory)["policy.csv"] == b"new"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda path: path.write_bytes(b"other"), id="another size"),
        pytest.param(lambda path: path.unlink(), id="removal"),
        pytest.param(lambda path: path.chmod(0o640), id="mode"),
        pytest.param(lambda path: os.utime(path, (1, 1)), id="time"),
        pytest.param(lambda path: (path.parent / "scopes.csv").touch(), id="new file"),
    ],
)
def test_a_change_changes_the_signature(tmp_path: Path, change: object) -> None:
    write(tmp_path, BOTH)
    before = files.signature(tmp_path)
    change(tmp_path / "policy.csv")  # type: ignore[operator]
    assert files.signature(tmp_path) != before


def test_the_swap_file_of_an_editor_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path, BOTH)
    before = files.signature(tmp_path)
    write(tmp_path, {".policy.csv.swp": b"x"})
    assert files.signature(tmp_path) == before


def test_a_missing_directory_has_a_signature(tmp_path: Path) -> None:
    assert files.signature(tmp_path / "no") == files.signature(tmp_path / "nor this")


def test_reads_during_swaps_give_one_generation_or_none(tmp_path: Path) -> None:
    directory = tmp_path / "policies"
    directory.mkdir()
    config_map(directory, "0", dict.fromkeys(files.NAMES, b"0"))
    done = threading.Event()

    def swap() -> None:
        for generation in range(1, 200):
            config_map(directory, str(generation), dict.fromkeys(files.NAMES, b"%d" % generation))
        done.set()

    swapping = threading.Thread(target=swap)
    swapping.start()
    last, reasons = False, set[str]()
    while not last:
        last = done.is_set()
        try:
            found = files.read(directory)
        except PolicyProblems as error:
            reasons |= {problem.code for problem in error.problems}
        else:
            assert len(set(found.values())) == 1
    assert reasons <= {"unsteady"}
    swapping.join(10)
    assert set(files.read(directory).values()) == {b"199"}


def test_files_that_never_rest_are_refused(tmp_path: Path) -> None:
    write(tmp_path, BOTH)

    class Restless(type(tmp_path)):  # type: ignore[misc] # the class of paths depends on the platform
        """A directory that is another one each time it is looked at."""

        def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
            found = super().stat(follow_symlinks=follow_symlinks)
            return os.stat_result((found[0], found[1] + 1, *found[2:]))

    (problem,) = refused(Restless(tmp_path))
    assert problem.code == "unsteady"


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs a file that tells no size")
def test_a_file_that_is_longer_than_it_says_is_refused(tmp_path: Path) -> None:
    write(tmp_path, BOTH)
    (tmp_path / "policy.csv").unlink()
    (tmp_path / "policy.csv").symlink_to("/proc/self/status")
    (problem,) = refused(tmp_path)
    assert problem.code == "unsteady"


def test_the_revision_covers_what_decides() -> None:
    base = {"policy.csv": b"a", "model.conf": b"b"}
    revision = files.revision(base, b"")
    assert revision.startswith("sha256:")
    assert len(revision) == len("sha256:") + 64
    others = [
        files.revision(base | {"policy.csv": b"x"}, b""),
        files.revision(base | {"model.conf": b"x"}, b""),
        files.revision(base | {"scopes.csv": b""}, b""),
        files.revision(base, b"sub"),
        files.revision({"policy.csv": b"ab", "model.conf": b""}, b""),
    ]
    assert len({revision, *others}) == 6
    assert files.revision(base | {"expectations.csv": b"x"}, b"") == revision
    assert files.revision(dict(reversed(base.items())), b"") == revision
