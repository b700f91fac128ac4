"""The kept copy: whole or not at all, and never trusted when it is not what was kept."""

import os
import shutil
import stat
from pathlib import Path

import pytest

from authz_sidecar.errors import PolicyProblems
from authz_sidecar.policy import files
from authz_sidecar.policy.last_good import LastGood

FIRST = {"policy.csv": b"1", "model.conf": b"m"}
SECOND = {"policy.csv": b"2", "model.conf": b"m", "scopes.csv": b"s", "expectations.csv": b"e"}


def keep(tmp_path: Path, *kept: dict[str, bytes]) -> LastGood:
    last_good = LastGood(tmp_path / "state" / "last-good", b"claims")
    for each in kept:
        last_good.save(each)
    return last_good


def refusal(last_good: LastGood) -> str:
    with pytest.raises(PolicyProblems) as caught:
        last_good.load()
    (problem,) = caught.value.problems
    assert problem.code == "last-good"
    return problem.message


def test_nothing_kept_is_no_copy(tmp_path: Path) -> None:
    assert keep(tmp_path).load() is None


def test_what_was_kept_last_comes_back(tmp_path: Path) -> None:
    copy = keep(tmp_path, FIRST, SECOND).load()
    assert copy is not None
    assert copy.files == SECOND
    assert copy.revision == files.revision(SECOND, b"claims")


def test_a_file_that_is_gone_does_not_come_back(tmp_path: Path) -> None:
    copy = keep(tmp_path, SECOND, FIRST).load()
    assert copy is not None
    assert copy.files == FIRST


def test_nobody_else_can_read_the_copy_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    last_good = keep(tmp_path, FIRST, SECOND)
    assert stat.S_IMODE(last_good.directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in last_good.directory.iterdir()} == {0o600}
    assert [path.name for path in last_good.directory.parent.iterdir()] == ["last-good"]


def test_a_death_between_the_two_renames_leaves_the_older_copy(tmp_path: Path) -> None:
    last_good = keep(tmp_path, FIRST)
    last_good.directory.rename(last_good.directory.with_name("last-good.old"))
    copy = last_good.load()
    assert copy is not None
    assert copy.files == FIRST
    last_good.save(SECOND)
    copy = last_good.load()
    assert copy is not None
    assert copy.files == SECOND


def test_a_death_before_the_clearing_leaves_the_newer_copy(tmp_path: Path) -> None:
    last_good = keep(tmp_path, FIRST)
    shutil.copytree(last_good.directory, last_good.directory.with_name("last-good.old"))
    last_good.save(SECOND)
    copy = last_good.load()
    assert copy is not None
    assert copy.files == SECOND


def test_a_save_that_fails_leaves_the_copy_before_it(tmp_path: Path) -> None:
    last_good = keep(tmp_path, FIRST)
    with pytest.raises(OSError, match="no/such"):
        last_good.save({"no/such/policy.csv": b""})
    copy = last_good.load()
    assert copy is not None
    assert copy.files == FIRST
    assert [path.name for path in last_good.directory.parent.iterdir()] == ["last-good"]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        pytest.param(lambda d: (d / "policy.csv").write_bytes(b"p,*,*,*,*,allow"), "not those of its", id="file"),
        pytest.param(lambda d: (d / "scopes.csv").unlink(), "not those of its", id="file gone"),
        pytest.param(lambda d: (d / "manifest.json").unlink(), "FileNotFoundError", id="manifest gone"),
        pytest.param(lambda d: (d / "manifest.json").write_bytes(b"{"), "StrictJsonError", id="manifest cut"),
        pytest.param(lambda d: (d / "manifest.json").write_bytes(b"{}"), "KeyError", id="manifest empty"),
        pytest.param(
            lambda d: (d / "manifest.json").write_bytes(b"[]"), "not an object", id="manifest of another kind"
        ),
        pytest.param(lambda d: d.chmod(0o777), "only this user", id="writable by others"),
        pytest.param(lambda d: (d.rename(d.parent / "x"), d.symlink_to("x")), "only this user", id="symlink"),
    ],
)
def test_a_spoilt_copy_is_refused(tmp_path: Path, spoil: object, says: str) -> None:
    last_good = keep(tmp_path, SECOND)
    spoil(last_good.directory)  # type: ignore[operator]
    assert says in refusal(last_good)


def test_a_missing_policy_in_the_copy_is_refused(tmp_path: Path) -> None:
    last_good = keep(tmp_path, SECOND)
    (last_good.directory / "policy.csv").unlink()
    with pytest.raises(PolicyProblems):
        last_good.load()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_copy_of_another_user_is_refused(tmp_path: Path) -> None:
    last_good = keep(tmp_path, SECOND)
    os.chown(last_good.directory, 12345, -1)
    assert "only this user" in refusal(last_good)


def test_a_copy_under_another_mapping_of_claims_is_refused(tmp_path: Path) -> None:
    keep(tmp_path, FIRST)
    assert "another mapping" in refusal(LastGood(tmp_path / "state" / "last-good", b"other claims"))
