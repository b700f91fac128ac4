"""A real redis-server for tests: on a loopback port of its own, killed and started again at will."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from examples.demo.processes import free_port

BINARY: Final = shutil.which("redis-server")
needed: Final = pytest.mark.skipif(
    BINARY is None and "CI" not in os.environ, reason="redis-server is not installed, and this is not CI"
)
_WAIT: Final = 10.0


class RedisServer:
    """One server; what it holds is lost with it, unless `keep` is set."""

    def __init__(self, directory: Path, *arguments: str, keep: bool = False, tls: bool = False) -> None:
        self.port = free_port()
        self._tls = tls
        self._directory = directory
        self._arguments: Sequence[str] = (*arguments, *(("--appendonly", "yes") if keep else ()))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis{'s' if self._tls else ''}://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        if BINARY is None:
            raise AssertionError("CI needs redis-server")
        command = [
            *(BINARY, "--bind", "127.0.0.1", "--dir", str(self._directory)),
            *(("--port", "0", "--tls-port", str(self.port)) if self._tls else ("--port", str(self.port))),
            *("--save", "", "--appendfsync", "always", *self._arguments),
        ]
        with (self._directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        end = time.monotonic() + _WAIT
        while b"Ready to accept connections" not in self._since_start():
            assert self._process.poll() is None, self._since_start().decode()
            assert time.monotonic() < end, "redis-server does not start"
            time.sleep(0.01)

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(_WAIT)
            self._process = None

    def freeze(self, *, frozen: bool) -> None:
        """Let it be silent without closing a connection, or go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def _since_start(self) -> bytes:
        return (self._directory / "redis.log").read_bytes().rpartition(b"Redis is starting")[2]


@contextmanager
def redis_server(directory: Path, *arguments: str, keep: bool = False, tls: bool = False) -> Iterator[RedisServer]:
    """Run a server until the block ends."""
    server = RedisServer(directory, *arguments, keep=keep, tls=tls)
    server.start()
    try:
        yield server
    finally:
        server.kill()
