"""The line log loses nothing in silence: not when the disk is full, the file is moved or the queue is."""

import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic

import pytest

from authz_sidecar.linelog import LineLog, LogUnavailable


def until(true: Callable[[], bool]) -> None:
    """Wait for something that another thread does, 10 s at most."""
    pause, end = threading.Event(), monotonic() + 10
    while not true():
        assert monotonic() < end, "it did not happen within 10 s"
        pause.wait(0.002)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "logs" / "decisions.jsonl"


@pytest.fixture
def log(path: Path) -> Iterator[LineLog]:
    log = LineLog(path, interval=0.001)
    yield log
    if log._thread.is_alive():
        log.close()


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def test_a_line_is_on_disk_soon_and_without_closing(log: LineLog, path: Path) -> None:
    log.put(b"one\n")
    until(lambda: lines(path) == [b"one"])


def test_nobody_else_may_read_it(log: LineLog, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_closing_writes_all_that_was_taken_in_its_order(log: LineLog, path: Path) -> None:
    for number in range(5_000):
        log.put(b"%d\n" % number)
    log.close()
    assert lines(path) == [b"%d" % number for number in range(5_000)]
    assert log.written == 5_000


def test_lines_of_many_threads_are_all_there_each_in_its_order(path: Path) -> None:
    log = LineLog(path, interval=0.001, limit=100_000)

    def write(name: int) -> None:
        for number in range(500):
            log.put(b"%d %d\n" % (name, number))

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    log.close()
    for name in range(4):
        mine = [line for line in lines(path) if line.startswith(b"%d " % name)]
        assert mine == [b"%d %d" % (name, number) for number in range(500)]


def test_what_is_there_already_is_kept(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"old\n")
    log = LineLog(path)
    log.put(b"new\n")
    log.close()
    assert lines(path) == [b"old", b"new"]


def test_a_full_queue_takes_no_more_and_says_so(path: Path) -> None:
    log = LineLog(path, limit=3, interval=60)
    for number in range(3):
        log.put(b"%d\n" % number)
    with pytest.raises(LogUnavailable, match="3 lines are waiting"):
        log.put(b"3\n")
    log.close()
    assert lines(path) == [b"0", b"1", b"2"]


def test_a_closed_log_takes_nothing(log: LineLog) -> None:
    log.close()
    with pytest.raises(LogUnavailable, match="closed"):
        log.put(b"late\n")


@pytest.mark.parametrize("how", ["moved", "removed"])
def test_a_file_that_is_gone_is_opened_anew(log: LineLog, path: Path, how: str) -> None:
    log.put(b"before\n")
    until(lambda: lines(path) == [b"before"])
    old = path.with_suffix(".1")
    if how == "moved":
        path.rename(old)
    else:
        path.unlink()
    log.put(b"after\n")
    until(lambda: path.exists() and lines(path) == [b"after"])
    assert log.failing is None
    if how == "moved":
        assert lines(old) == [b"before"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_is_told_and_what_was_taken_is_written_when_there_is_room(log: LineLog, path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/full")
    log.put(b"one\n")
    until(lambda: log.failing is not None)
    with pytest.raises(LogUnavailable, match="No space left"):
        log.put(b"two\n")
    path.unlink()  # room again
    until(lambda: log.failing is None)
    log.put(b"three\n")
    log.close()
    assert lines(path) == [b"one", b"three"]


def test_a_directory_that_is_gone_is_told_and_its_return_is_noticed(log: LineLog, path: Path) -> None:
    path.unlink()
    path.parent.rmdir()
    log.put(b"one\n")
    until(lambda: log.failing is not None)
    with pytest.raises(LogUnavailable, match="No such file"):
        log.put(b"two\n")
    path.parent.mkdir()
    until(lambda: log.failing is None)
    assert lines(path) == [b"one"]


def test_a_path_that_cannot_be_opened_is_an_error_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        LineLog(tmp_path / "file" / "log")


SMALL_DISK = """
import resource, sys, threading
from pathlib import Path
from authz_sidecar.linelog import LineLog, LogUnavailable

def until(true):
    for _ in range(5000):
        if true():
            return
        threading.Event().wait(0.002)
    sys.exit("it did not happen within 10 s")

log = LineLog(Path(sys.argv[1]), interval=0.001)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
taken = []
try:
    for number in range(1_000_000):
        line = b"%06d\\n" % number
        log.put(line)
        taken.append(line)
        if number > 200:
            threading.Event().wait(0.002)
except LogUnavailable as error:
    assert log.failing is not None, error
assert Path(sys.argv[1]).stat().st_size == 1000, "the disk is full in the middle of a line"
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
until(lambda: log.failing is None)
log.close()
assert Path(sys.argv[1]).read_bytes() == b"".join(taken)
print(len(taken) > 142)
"""


@pytest.mark.process
def test_a_line_cut_by_a_full_disk_is_finished_when_there_is_room(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SMALL_DISK, str(tmp_path / "log")], capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_closing_twice_closes_nothing_of_others(tmp_path: Path) -> None:
    log = LineLog(tmp_path / "log")
    log.close()
    other = os.open(tmp_path, os.O_RDONLY)  # may get the number of the file that was closed
    log.close()
    os.fstat(other)
    os.close(other)


def test_closing_on_a_full_disk_says_how_many_lines_are_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "log").symlink_to("/dev/full")
    log = LineLog(tmp_path / "log", interval=60)
    log.put(b"one\n")
    log.close()
    assert "1 lines could not be written" in caplog.text
    assert log.written == 0


def test_a_close_at_the_worst_moment_is_not_forgotten(tmp_path: Path) -> None:
    log = LineLog(tmp_path / "log", interval=0.001)

    class Late(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            before = self.is_set()
            self.set()  # the log is closed just after the writer looked
            log._some.set()
            return before

    log._closing = Late()
    log.put(b"one\n")
    log._thread.join(10)
    os.close(log._file)
    assert not log._thread.is_alive()
    assert (tmp_path / "log").read_bytes() == b"one\n"
