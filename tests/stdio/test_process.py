"""`mcp-authz stdio` as a process: it stands in for the server in everything but what it guards."""

import asyncio
import json
import signal
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.process.grounds import lines as events
from tests.stdio.guarded import ECHO, guarded
from tests.stdio.parts import call, request

pytestmark = pytest.mark.process

STUBBORN = """
import json, signal, sys, time
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, lambda number, _: sys.exit(40 + number))
print(json.dumps({"jsonrpc": "2.0", "method": "notifications/message"}), flush=True)
signal.pause()
"""


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


async def test_messages_pass_standard_error_passes_and_the_token_does_not(sidecar, audit):
    said = "import json, os, sys\n" + ECHO.replace('"said": message', '"said": message, "env": dict(os.environ)')
    async with guarded(sidecar.target, audit, sys.executable, "-c", said) as guard:
        await guard.send(call("echo", 1, text="hi"))
        heard = (await guard.hear())["result"]
        assert heard["said"] == call("echo", 1, text="hi")
        assert not [name for name in heard["env"] if name.startswith("AUTHZ_")]
        await guard.send(call("danger", 2))
        assert (await guard.hear())["error"]["code"] == 40300
        code, errors = await guard.end()
    assert code == 0
    assert errors == "here I am\n"
    assert [(event["tool"], event["outcome"]) for event in events(audit)] == [("echo", "allowed"), ("danger", "denied")]


@pytest.mark.parametrize(
    ("server", "code"),
    [
        pytest.param("import sys; sys.exit(7)", 7, id="an exit code"),
        pytest.param("import os; os.kill(os.getpid(), 9)", 137, id="a signal"),
        pytest.param("raise SystemExit", 0, id="success"),
    ],
)
async def test_the_end_of_the_server_is_ours(sidecar, audit, server, code):
    async with guarded(sidecar.target, audit, sys.executable, "-c", server) as guard, asyncio.timeout(10):
        assert await guard.process.wait() == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_reaches_the_server(sidecar, audit, number):
    async with guarded(sidecar.target, audit, sys.executable, "-c", STUBBORN) as guard:
        await guard.hear()
        guard.process.send_signal(number)
        async with asyncio.timeout(10):
            assert await guard.process.wait() == 40 + number


async def test_what_a_server_started_ends_with_it(sidecar, audit):
    # The server is gone, but something that it started holds its output open.
    left = "import subprocess, sys; subprocess.Popen(['sleep', '60']); sys.exit(3)"
    async with guarded(sidecar.target, audit, sys.executable, "-c", left) as guard:
        async with asyncio.timeout(10):
            assert await guard.process.wait() == 3
            assert await guard.stdout.read() == b""
            await guard.stderr.read()  # it ends when nobody holds it any more


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        pytest.param(["/no/such/command"], 127, "`/no/such/command`: no such command", id="no such command"),
        pytest.param(["/"], 126, "`/`: Permission denied", id="a directory"),
    ],
)
async def test_a_command_that_cannot_run_is_said_as_a_shell_says_it(sidecar, audit, command, code, told):
    async with guarded(sidecar.target, audit, *command) as guard:
        assert await guard.end() == (code, f"mcp-authz: {told}\n")


@pytest.mark.parametrize(
    ("options", "environment", "told"),
    [
        pytest.param([], {"AUTHZ_TOKEN": " "}, "no access token: give --token-file, or set AUTHZ_TOKEN", id="no token"),
        pytest.param(["--token-file", "/no/file"], {}, "--token-file /no/file: No such file", id="no such file"),
        pytest.param(["--sidecar", "nonsense"], {}, "sidecar `nonsense` is neither", id="no sidecar"),
        pytest.param(["--audit", "/dev/null/x"], {}, "/dev/null", id="no place for the log"),
        pytest.param(["--config", "/no/authz.toml"], {}, "/no/authz.toml: no such file", id="no configuration"),
    ],
)
async def test_what_cannot_be_meant_keeps_the_server_from_starting(sidecar, audit, options, environment, told):
    async with guarded(sidecar.target, audit, options=options, environment=environment) as guard:
        code, errors = await guard.end()
    assert code == 2
    assert told in errors
    assert "here I am" not in errors
    assert "Traceback" not in errors


async def test_the_token_is_read_again_when_its_file_changes(sidecar, audit, tmp_path):
    token = tmp_path / "token"
    await asyncio.to_thread(token.write_text, "token-alice\n")
    async with guarded(sidecar.target, audit, options=["--token-file", str(token)]) as guard:

        async def code(number: int) -> int:
            await guard.send(call("echo", number))
            return (await guard.hear()).get("error", {}).get("code", 0)

        assert await code(1) == 0
        await asyncio.to_thread(token.write_text, "token-nobody\n")
        assert await code(2) == 40100
        await asyncio.to_thread(token.unlink)
        assert await code(3) == 40100
        await asyncio.to_thread(token.write_text, "token-alice")
        assert await code(4) == 0
        _, errors = await guard.end()
    assert "token_unreadable" in errors
    assert "token-nobody" not in errors


async def test_a_message_that_is_too_long_is_refused_and_the_next_one_passes(sidecar, audit):
    async with guarded(sidecar.target, audit, options=["--max-message", "2000"]) as guard:
        await guard.send(call("echo", 1, text="x" * 500_000), call("echo", 2))
        assert (await guard.hear())["error"] == {"code": -32600, "message": "the message is longer than 2000 bytes"}
        assert (await guard.hear())["id"] == 2


async def test_large_answers_pass(sidecar, audit):
    large = ECHO.replace('"said": message', '"said": "x" * 5_000_000')
    async with guarded(sidecar.target, audit, sys.executable, "-c", large) as guard:
        await guard.send(call("echo"))
        assert len((await guard.hear())["result"]["said"]) == 5_000_000


async def test_a_server_that_does_not_read_holds_the_client_back(sidecar, audit):
    deaf = 'import signal; print("{}", flush=True); signal.pause()'
    async with guarded(sidecar.target, audit, sys.executable, "-c", deaf) as guard:
        sent = 0
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                for number in range(10_000):
                    sent = number
                    await guard.send({"jsonrpc": "2.0", "method": "notifications/x", "params": {"x": "y" * 9000}})
        assert sent < 2_000  # it waits: nothing of what is too much is kept in between


async def test_a_client_that_goes_away_ends_the_server(sidecar, audit):
    async with guarded(sidecar.target, audit) as guard:
        await guard.send(call("echo"))
        await guard.hear()
        assert await guard.end() == (0, "here I am\n")


async def test_what_is_open_when_the_server_dies_is_recorded(sidecar, audit):
    dies = "import sys; sys.stdin.readline(); sys.exit(1)"
    async with guarded(sidecar.target, audit, sys.executable, "-c", dies) as guard:
        await guard.send(request("tools/list"))
        code, _ = await guard.end()
    assert code == 1
    assert [(event["method"], event["outcome"]) for event in events(audit)] == [("tools/list", "aborted")]


async def test_it_also_reads_from_a_file_and_writes_to_one(sidecar, audit, tmp_path):
    asked = tmp_path / "asked.jsonl"
    asked.write_text(json.dumps(call("echo", 1)) + "\n" + json.dumps(call("danger", 2)) + "\n")
    with asked.open() as source, (tmp_path / "said.jsonl").open("w") as sink:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "mcp_adapter", "stdio", "--sidecar", sidecar.target, "--timeout", "10"),
            *("--audit", str(audit), "--", sys.executable, "-c", ECHO),
            stdin=source,
            stdout=sink,
            stderr=asyncio.subprocess.DEVNULL,
            env={"AUTHZ_TOKEN": "token-alice"},
        )
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    said = [json.loads(line) for line in (tmp_path / "said.jsonl").read_text().splitlines()]
    assert {one["id"]: "error" in one for one in said} == {1: False, 2: True}, audit.read_text()
