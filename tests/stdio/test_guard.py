"""The guard with all its parts, in this process; the server alone is another one."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mcp_adapter.cli import main
from mcp_adapter.stdio.bearer import fixed, from_file
from mcp_adapter.stdio.child import CannotStart, Child, without_ours
from mcp_adapter.stdio.guard import Settings, guard
from mcp_adapter.stdio.pipes import Readable, Writable, reading, writing
from tests.process.grounds import lines as events
from tests.stdio.guarded import ECHO
from tests.stdio.parts import call, request


class Host:
    """The client's ends of the pipes."""

    def __init__(self, read: Readable, write: Writable, running: "asyncio.Task[int]") -> None:
        self.read, self.write, self.running, self.held = read, write, running, b""

    async def ask(self, message: object) -> dict:
        self.write.write(json.dumps(message).encode() + b"\n")
        await self.write.drain()
        return await self.hear()

    async def hear(self) -> dict:
        async with asyncio.timeout(10):
            while b"\n" not in self.held:
                self.held += await self.read.read(65_536)
            line, _, self.held = self.held.partition(b"\n")
            return json.loads(line)

    async def end(self) -> int:
        self.write.close()
        async with asyncio.timeout(10):
            return await self.running


@asynccontextmanager
async def hosted(settings: Settings) -> AsyncIterator[Host]:
    source, to_guard = os.pipe()
    from_guard, sink = os.pipe()
    running = asyncio.create_task(guard(settings, source=source, sink=sink))
    host = Host(await reading(from_guard), await writing(to_guard), running)
    for descriptor in (to_guard, from_guard):
        os.close(descriptor)  # they were handed on
    yield host
    if not running.done():
        await host.end()
    host.write.close()
    host.read.close()
    for descriptor in (source, sink):
        os.close(descriptor)


@pytest.fixture
def settings(sidecar, tmp_path: Path) -> Settings:
    return Settings(
        command=[sys.executable, "-c", ECHO],
        sidecar=sidecar.target,
        server="ops",
        bearer=fixed("token-alice"),
        audit=tmp_path / "audit.jsonl",
        max_message=2_000,
        timeout=10,
    )


async def test_a_session_from_beginning_to_end(settings, tmp_path):
    async with hosted(settings) as host:
        assert (await host.ask(call("echo", 1)))["result"]["said"] == call("echo", 1)
        assert (await host.ask(call("danger", 2)))["error"]["code"] == 40300
        assert (await host.ask(call("echo", 3, text="x" * 2_000)))["error"]["code"] == -32600
        assert (await host.ask(request("ping", 4)))["id"] == 4
        assert await host.end() == 0
    assert [event["outcome"] for event in events(tmp_path / "audit.jsonl")] == [
        "allowed",
        "denied",
        "refused",
        "allowed",
    ]


async def test_what_the_server_says_besides_is_dropped_and_counted_at_the_end(settings, caplog):
    chatty = "print('hello'); print('hello again', flush=True)\n" + ECHO
    async with hosted(replace(settings, command=[sys.executable, "-c", chatty])) as host:
        assert (await host.ask(call("echo", 1)))["id"] == 1
        await host.end()
    assert "dropped in all: 2 times a line that is no message" in caplog.text


async def test_a_server_that_dies_ends_the_session_with_its_code(settings, tmp_path):
    dies = "import sys; sys.stdin.readline(); sys.exit(9)"
    async with hosted(replace(settings, command=[sys.executable, "-c", dies])) as host:
        host.write.write(json.dumps(request("tools/list", 1)).encode() + b"\n")
        async with asyncio.timeout(10):
            assert await host.running == 9
    assert events(tmp_path / "audit.jsonl")[-1]["outcome"] == "aborted"


async def test_what_holds_the_output_of_a_dead_server_is_ended(settings):
    left = "import subprocess, sys; subprocess.Popen(['sleep', '60']); sys.exit(3)"
    async with hosted(replace(settings, command=[sys.executable, "-c", left])) as host:
        async with asyncio.timeout(10):
            assert await host.running == 3


async def test_a_signal_is_handed_on(settings):
    ready = {"jsonrpc": "2.0", "method": "notifications/message"}
    waits = f"import signal, sys; signal.signal(15, lambda *_: sys.exit(5)); print({json.dumps(json.dumps(ready))}"
    waits += ", flush=True); signal.pause()"
    async with hosted(replace(settings, command=[sys.executable, "-c", waits])) as host, asyncio.timeout(10):
        assert await host.hear() == ready
        os.kill(os.getpid(), signal.SIGTERM)
        assert await host.running == 5


async def test_a_server_that_ignores_everything_is_ended_by_force(tmp_path):
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); print(1, flush=True); signal.pause()"
    child = await Child.start([sys.executable, "-c", deaf], patience=0.05)
    assert (await child.stdout.read(10)).startswith(b"1")
    child.end()
    child.end()
    async with asyncio.timeout(10):
        assert await child.ended() == 128 + signal.SIGKILL
    child.hear(signal.SIGTERM)  # too late, and no harm
    child.clear()
    child.stdin.close()
    child.stdout.close()


def descriptors() -> int:
    return len([*Path("/proc/self/fd").iterdir()])


async def test_a_command_that_cannot_run_leaves_nothing_open(settings):
    before = descriptors()
    with pytest.raises(CannotStart, match="`/no/such`: no such command") as found:
        await Child.start(["/no/such"])
    assert found.value.code == 127
    assert descriptors() == before


def test_the_server_gets_nothing_of_ours():
    given = {"PATH": "/bin", "AUTHZ_TOKEN": "t", "AUTHZ_STATE_DIR": "x"}
    assert without_ours(given) == {"PATH": "/bin"}


def test_a_token_file_that_is_gone_gives_no_old_token(tmp_path, caplog):
    path = tmp_path / "token"
    path.write_text("one\n")
    token = from_file(path)
    assert token() == "one"
    path.write_text("another")
    assert token() == "another"
    path.unlink()
    assert token() == ""
    assert "token_unreadable" in caplog.text
    with pytest.raises(ValueError, match="No such file"):
        from_file(path)


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["stdio", *arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


NO_CLIENT = ("--sidecar", "unix:/nowhere/authz.sock")


@pytest.mark.parametrize(
    ("arguments", "token", "code", "told"),
    [
        pytest.param(["--", "true"], "", 2, "no access token", id="no token"),
        pytest.param(["--token-file", "/no", "--", "true"], "", 2, "/no: No such file", id="no token file"),
        pytest.param(["--", "/no/cmd"], "t", 127, "no such command", id="no such command"),
        pytest.param(["--sidecar", "x", "--", "true"], "t", 2, "is neither", id="no sidecar"),
        pytest.param(["--", sys.executable, "-c", "raise SystemExit(7)"], "t", 7, "", id="an exit code"),
        pytest.param([], "t", 2, "Missing argument", id="no command"),
    ],
)
def test_the_command_says_what_is_wrong(capfd, monkeypatch, arguments, token, code, told):
    monkeypatch.setenv("AUTHZ_TOKEN", token)
    arguments = arguments if "--sidecar" in arguments else [*NO_CLIENT, *arguments]
    assert command(*arguments) == code
    assert told in capfd.readouterr().err
