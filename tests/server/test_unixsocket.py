"""Who may answer on a socket's path."""

import os
import socket
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from authz_sidecar.errors import ConfigError
from authz_sidecar.server.unixsocket import LONGEST, UnixSocket, _is_still


def test_the_directory_is_made_for_us_alone(short: Path) -> None:
    before = os.umask(0o777)
    try:
        taken = UnixSocket.take(short / "run" / "a.sock")
    finally:
        os.umask(before)
    assert stat.S_IMODE((short / "run").stat().st_mode) == 0o700
    assert (short / "run" / "a.sock.lock").exists()
    taken.release()
    taken.release()
    assert list((short / "run").iterdir()) == []


@pytest.mark.parametrize("mode", [0o750, 0o701, 0o777])
def test_a_directory_that_others_may_enter_is_refused_with_what_to_do(short: Path, mode: int) -> None:
    (short / "run").mkdir()
    (short / "run").chmod(mode)
    with pytest.raises(ConfigError, match=r"expected 0700: run `chmod 0700 .*run`"):
        UnixSocket.take(short / "run" / "a.sock")


def test_nobody_is_told_to_close_a_directory_that_others_live_in(short: Path) -> None:
    (short / "run" / "others").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"expected 0700: others live there too, so use .* `.*/run/authz`$"):
        UnixSocket.take(short / "run" / "a.sock")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(short: Path) -> None:
    (short / "run").mkdir(mode=0o700)
    os.chown(short / "run", 12345, -1)
    with pytest.raises(ConfigError, match="belongs to user id 12345"):
        UnixSocket.take(short / "run" / "a.sock")


def test_a_symbolic_link_is_no_directory(short: Path) -> None:
    (short / "real").mkdir(mode=0o700)
    (short / "run").symlink_to("real")
    with pytest.raises(ConfigError, match="is not a directory"):
        UnixSocket.take(short / "run" / "a.sock")


def test_a_path_that_is_taken_is_refused_until_it_is_released(short: Path) -> None:
    path = short / "run" / "a.sock"
    taken = UnixSocket.take(path)
    with pytest.raises(ConfigError, match="another process is listening"):
        UnixSocket.take(path)
    taken.release()
    UnixSocket.take(path).release()


def test_a_stale_socket_is_removed_under_the_lock(short: Path) -> None:
    path = short / "run" / "a.sock"
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert path.exists()
    taken = UnixSocket.take(path)
    assert not path.exists()
    taken.release()


def test_a_lock_that_a_dead_process_left_is_taken(short: Path) -> None:
    path = short / "run" / "a.sock"
    code = (
        "import os, pathlib, sys; from authz_sidecar.server.unixsocket import UnixSocket; "
        "kept = UnixSocket.take(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], timeout=10)
    assert path.with_name("a.sock.lock").exists()
    UnixSocket.take(path).release()


def test_a_live_socket_without_our_lock_is_left_alone(short: Path) -> None:
    path = short / "run" / "a.sock"
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(str(path))
        live.listen()
        with pytest.raises(ConfigError, match=r"listening on .* without our lock"):
            UnixSocket.take(path)
        assert path.exists()
    assert not path.with_name("a.sock.lock").exists()


def test_a_file_in_the_way_is_left_alone(short: Path) -> None:
    path = short / "run" / "a.sock"
    path.parent.mkdir(mode=0o700)
    path.write_text("precious")
    with pytest.raises(ConfigError, match="exists and is not a socket"):
        UnixSocket.take(path)
    assert path.read_text() == "precious"


def test_a_path_that_is_too_long_is_refused_with_its_size(short: Path) -> None:
    with pytest.raises(ConfigError, match=f"bytes, expected at most {LONGEST}"):
        UnixSocket.take(short / ("a" * 200))


def test_a_directory_that_cannot_be_made_is_an_error_of_the_operator(short: Path) -> None:
    (short / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot listen on"):
        UnixSocket.take(short / "file" / "run" / "a.sock")


def test_a_lock_file_that_lost_its_name_holds_nothing(short: Path) -> None:
    lock = short / "lock"
    with lock.open("w") as held:
        assert _is_still(lock, held.fileno())
        lock.unlink()
        assert not _is_still(lock, held.fileno())
        lock.write_text("")
        assert not _is_still(lock, held.fileno())


def test_of_many_who_take_and_release_at_once_only_one_holds_the_path(short: Path) -> None:
    """INVARIANT: unlinked before it is unlocked, so that whoever locks it next sees that it has no name any more."""
    path, holders, most, taken = short / "run" / "s", [0], [0], [0]

    def take() -> None:
        for _ in range(150):
            with suppress(ConfigError):
                held = UnixSocket.take(path)
                holders[0] += 1
                taken[0] += 1
                most[0] = max(most[0], holders[0])
                holders[0] -= 1
                held.release()

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == [1]
    assert taken[0] >= 1
