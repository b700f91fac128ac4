"""Starts `mcp-authz gateway` as a process of its own, for tests of anybody."""

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_READY = re.compile(r"gateway ready on (\S+?)(?:, status on (\S+))?\n")
_WAIT_SECONDS = 30.0


@contextmanager
def gateway_process(config: Path) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """Run the gateway until the block ends; gives the process, its URL, and that of its status page (or nothing).

    `listen.bind` and `status.bind` may end in `:0`. What the process logs is in `gateway.log` beside the file.
    """
    with config.with_name("gateway.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "mcp_adapter", "gateway", "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    watchdog = threading.Timer(_WAIT_SECONDS, process.kill)  # the line below waits no longer than that
    watchdog.start()
    try:
        assert process.stdout is not None
        ready = _READY.fullmatch(process.stdout.readline())
        watchdog.cancel()
        assert ready is not None, config.with_name("gateway.log").read_text()
        yield process, ready[1], ready[2] or ""
    finally:
        watchdog.cancel()
        process.terminate()
        try:
            process.wait(_WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_WAIT_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
