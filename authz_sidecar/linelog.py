"""A bounded log of lines, written in batches by a thread of its own."""

import logging
import os
import threading
from pathlib import Path
from typing import Final, Protocol

_log: Final = logging.getLogger(__name__)
_NOBODY_ELSE: Final = 0o600


class LogUnavailable(Exception):
    """The line was not taken: the queue is full, or the last write failed."""


class LineSink(Protocol):
    """Takes lines."""

    def put(self, line: bytes) -> None:
        """Take a line that ends in a line end, or raise `LogUnavailable`."""
        ...

    def close(self) -> None:
        """Write what was taken; nothing is taken afterwards."""
        ...


class LineLog:
    """Appends lines to a file; `put` never waits for the disk.

    A line is on disk within `interval` seconds, or the log says that it is failing: from a failed write on, until one
    succeeds, `put` raises, and the lines taken before are kept and tried again. A file that was moved away (logrotate)
    is opened anew.
    """

    def __init__(self, path: Path, *, limit: int = 10_000, interval: float = 0.05) -> None:
        """Open the file (mode 0600, its directory 0700) and start the writer; raises `OSError`."""
        self.path: Final = path
        self.written = 0
        """Lines that are in the file."""
        self.failing: OSError | None = None
        self._limit = limit
        self._interval = interval
        self._waiting: list[bytes] = []
        self._pending = b""
        self._late = 0
        self._some = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()  # INVARIANT: `_waiting` changes only under it, so that no line is lost
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._file = self._open()
        self._thread = threading.Thread(target=self._run, name=f"log {path.name}", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Take a line that ends in a line end, or raise `LogUnavailable`."""
        if self.failing is not None:
            raise LogUnavailable(f"{self.path}: {self.failing.strerror}")
        with self._lock:
            if self._closing.is_set():
                raise LogUnavailable(f"{self.path}: closed")
            if len(self._waiting) >= self._limit:
                raise LogUnavailable(f"{self.path}: {self._limit} lines are waiting for the disk")
            self._waiting.append(line)
            first = len(self._waiting) == 1
        if first:
            self._some.set()

    def close(self) -> None:
        """Write what was taken, wait for it (10 s at most), and close the file; a second time does nothing.

        What could not be written is said on the standard log.
        """
        with self._lock:
            again = self._closing.is_set()
            self._closing.set()
        if again:
            return
        self._some.set()
        self._thread.join(10)
        if lost := self._pending.count(b"\n"):
            _log.error("%s: %d lines could not be written and are lost: %s", self.path, lost, self.failing)
        if not self._thread.is_alive():
            os.close(self._file)

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, _NOBODY_ELSE)

    def _run(self) -> None:
        while True:
            self._some.wait()
            self._closing.wait(self._interval)
            self._some.clear()
            closing = self._closing.is_set()  # read after the clear, or a close in between would be forgotten
            with self._lock:
                batch, self._waiting = self._waiting, []
            self._write(self._pending + b"".join(batch), len(batch))
            if self._pending and not closing:
                self._some.set()
            elif closing:
                return

    def _write(self, data: bytes, lines: int) -> None:
        try:
            self._reopen_if_moved()
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            self.failing = error
            self._late += lines
        else:
            self.failing = None
            self.written += self._late + lines
            self._late = 0
        self._pending = data

    def _reopen_if_moved(self) -> None:
        try:
            on_disk = self.path.stat()
            ours = os.fstat(self._file)
            moved = (on_disk.st_dev, on_disk.st_ino) != (ours.st_dev, ours.st_ino)
        except FileNotFoundError:
            moved = True
        if moved:
            fresh = self._open()
            os.close(self._file)
            self._file = fresh
