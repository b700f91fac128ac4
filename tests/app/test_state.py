"""The state directory is narrowed only where it is the sidecar's own."""

import stat
from pathlib import Path

import pytest

from authz_sidecar.app.state import taken
from authz_sidecar.errors import ConfigError


def _mode(directory: Path) -> int:
    return stat.S_IMODE(directory.stat().st_mode)


@pytest.mark.parametrize(
    "holds",
    [
        pytest.param((), id="nothing"),
        pytest.param(("lost+found",), id="a file system of its own"),
        pytest.param(("run", "audit", "oauth", "gateway"), id="what others of this house begin with"),
    ],
)
def test_a_directory_of_our_own_is_narrowed(tmp_path: Path, holds: tuple[str, ...]) -> None:
    state = tmp_path / "var"
    state.mkdir()
    state.chmod(0o755)
    for name in holds:
        (state / name).mkdir()
    with taken(state):
        assert _mode(state) == 0o700


def test_what_was_a_state_directory_stays_one(tmp_path: Path) -> None:
    state = tmp_path / "var"
    with taken(state):
        (state / "policy.db").touch()
    state.chmod(0o755)
    with taken(state):
        assert _mode(state) == 0o700


@pytest.mark.parametrize("lock", [pytest.param(False, id="no lock"), pytest.param(True, id="a link as its lock")])
def test_a_directory_that_others_live_in_is_refused_and_left_as_it_is(tmp_path: Path, *, lock: bool) -> None:
    shared = tmp_path / "var"
    (shared / "spool").mkdir(parents=True)
    shared.chmod(0o755)
    if lock:
        (shared / "lock").symlink_to("/run/lock")
    expected = "lock" if lock else "spool"
    with pytest.raises(ConfigError, match=f"holds `{expected}`, which is not the sidecar's"), taken(shared):
        raise AssertionError
    assert _mode(shared) == 0o755


def test_a_closed_directory_is_taken_whatever_it_holds(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    tmp_path.chmod(0o700)
    with taken(tmp_path):
        assert (tmp_path / "lock").exists()


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "var").touch()
    with pytest.raises(ConfigError, match="var: is not a directory"), taken(tmp_path / "var"):
        raise AssertionError
