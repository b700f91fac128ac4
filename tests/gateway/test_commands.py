"""The gateway's commands: they serve until they are told to stop, and say what is wrong."""

import asyncio
import json
import os
import signal
import subprocess
import sys

import click
import click.testing
import httpx2
import pytest

from mcp_adapter.cli import cli, main
from mcp_adapter.gateway import commands
from mcp_adapter.gateway.lifespan import Life
from tests.gateway.process import gateway_process
from tests.gateway.standing import STATUS, Recording, call, config, events


class TestLife:
    """The lifespan of apps that come and go."""

    async def test_an_app_that_cannot_start_says_why(self):
        async def app(scope, receive, send):
            await receive()
            await send({"type": "lifespan.startup.failed", "message": "no log"})

        with pytest.raises(RuntimeError, match="no log"):
            await Life(app).start()

    async def test_an_app_that_breaks_at_its_start_is_heard(self):
        async def app(scope, receive, send):
            raise OSError("no disk")

        with pytest.raises(OSError, match="no disk"):
            await Life(app).start()

    async def test_an_app_that_just_ends_did_not_start(self):
        async def app(scope, receive, send):
            await receive()

        with pytest.raises(RuntimeError, match="ended at its start"):
            await Life(app).start()

    async def test_stopping_what_never_started_does_nothing(self):
        await Life(Recording()).stop()


async def test_the_command_serves_until_it_is_told_to_stop(tmp_path, sidecar, server, upstream):
    with gateway_process(config(tmp_path, sidecar, upstream, STATUS)) as (process, url, status):
        async with httpx2.AsyncClient(timeout=10) as http:
            headers = {
                "host": "gateway.example",
                "authorization": "Bearer token-alice",
                "content-type": "application/json",
            }
            answer = await http.post(f"{url}/mcp", content=call(), headers=headers)
            assert answer.status_code == 200
            assert (await http.get(f"{status}/healthz")).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert events(tmp_path)[-1]["outcome"] == "allowed"


def test_a_wrong_file_is_a_sentence_and_exit_code_two(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mcp_adapter", "gateway", "--config", str(tmp_path / "gone.toml")],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ},
    )
    assert done.returncode == 2
    assert "gone.toml: no such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("arguments", "code"), [(["--help"], 0), (["nothing"], 2)])
def test_the_command_line_ends_with_a_code(arguments, code):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == code


def test_a_missing_extra_is_a_sentence():
    with pytest.raises(click.ClickException, match=r"authz-sidecar\[gateway\]"):
        commands._require_extra("no_such_library")


async def doctor(*arguments: str) -> tuple[int, str]:
    """Run the command in a thread, since it has a loop of its own."""
    found = await asyncio.to_thread(
        click.testing.CliRunner().invoke, cli, ["doctor", *arguments], standalone_mode=False
    )
    return found.return_value, found.output


async def test_the_doctor_finds_everything_well(tmp_path, sidecar, server, upstream):
    code, said = await doctor("--config", str(config(tmp_path, sidecar, upstream)))
    assert code == 0
    assert said.split("\n")[:3] == [
        "ok   configuration: 1 server",
        "ok   sidecar, about `ops`: answers",
        "ok   server `ops`: answers 200 to a GET",
    ]


@pytest.mark.parametrize(("signs", "code"), [("true", 0), ("false", 1)])
async def test_the_doctor_knows_servers_that_take_only_what_is_signed(tmp_path, sidecar, server, upstream, signs, code):
    server.status = 403
    path = config(tmp_path, sidecar, upstream, f"[identity]\nheader = {signs}\n")
    found, said = await doctor("--config", str(path))
    assert (found, "answers 403 to a GET" in said) == (code, True)
    assert ("only what the gateway signed" in said) is (signs == "true")


async def test_the_doctor_names_what_is_wrong(tmp_path, sidecar, server, upstream):
    await sidecar.stop()
    server.status = 401
    more = '[[servers]]\nname = "b"\npath = "/b"\nurl = "http://127.0.0.1:9/"\n'
    more += '[[servers]]\nname = "c"\npath = "/c"\nurl = "http://127.0.0.1:9/"\ncredential_file = "gone"\n'
    path = config(tmp_path, sidecar, upstream)
    path.write_text(path.read_text() + more)
    code, said = await doctor("--config", str(path), "--json")
    assert code == 1
    assert [one["ok"] for one in json.loads(said)] == [True, False, False, False, False, False, False]
    told = {one["what"]: one["detail"] for one in json.loads(said)}
    assert told["sidecar, about `ops`"] == f"nobody answers at {sidecar.target}; is `authz-sidecar serve` running?"
    assert told["server `b`"].startswith("http://127.0.0.1:9/: upstream: ")
    path.write_text(path.read_text().replace(sidecar.target, "nowhere"))
    code, said = await doctor("--config", str(path))
    assert "BAD  sidecar, about `ops`: sidecar `nowhere` is neither" in said
    path.write_text("x = 1")
    code, said = await doctor("--config", str(path))
    assert (code, said.count("BAD  configuration: ")) == (1, 3)
