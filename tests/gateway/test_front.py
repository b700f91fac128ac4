"""The gateway as a whole: edits of its file, its status page, several servers, and the commands."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import click.testing
import httpx2
import pytest

from mcp_adapter.cli import cli, main
from mcp_adapter.gateway import commands
from mcp_adapter.gateway.lifespan import Life
from mcp_adapter.gateway.signer import secret
from tests.gateway.process import gateway_process
from tests.gateway.standing import Recording, asking, call, config, events, gateway, running

STREAM = [(b"content-type", b"text/event-stream")]
STATUS = '[status]\nbind = "127.0.0.1:0"\n'


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def streaming(send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": STREAM})
    await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
    await asyncio.Event().wait()


async def test_an_edit_is_live_and_leaves_alone_what_it_does_not_touch(tmp_path, sidecar, server, upstream):
    server.answering = streaming
    second = Recording()
    path = config(tmp_path, sidecar, upstream)
    async with running(second) as other, gateway(path) as front, asking(front) as http:
        assert not await front.refresh()
        async with http.stream("POST", "/mcp", content=call()) as answer:
            pieces = answer.aiter_raw()
            assert await anext(pieces) == b": hello\n\n"
            edit(path, "[audit]", f'[[servers]]\nname = "two"\npath = "/two"\nurl = "{other}/mcp"\n[audit]')
            assert await front.refresh()
            assert (await http.post("/two", content=call())).status_code == 200
            assert front.app.plan.servers["/mcp"].proxy.streams == 1  # as before
            edit(path, 'path = "/mcp"', 'path = "/one"')
            assert await front.refresh()
            async with asyncio.timeout(10):
                assert [piece async for piece in pieces] == []  # its server is another now, so it ended, whole
        assert (await http.post("/mcp", content=call())).status_code == 404
        server.answering = None
        assert (await http.post("/one", content=call())).status_code == 200
    assert len(second.bodies) == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        pytest.param("public_url", "public_ulr", "did you mean `public_url`?", id="a key that is none"),
        pytest.param('"/mcp"', '"mcp"', "is not a plain path", id="a value that cannot be meant"),
        pytest.param("audit.jsonl", "other.jsonl", "change only at a restart", id="what only a restart changes"),
        pytest.param(
            'path = "/mcp"', 'path = "/mcp"\ncredential_file = "gone"', "gone: No such", id="a file that is gone"
        ),
    ],
)
async def test_an_edit_that_is_wrong_is_told_once_and_changes_nothing(
    tmp_path, sidecar, upstream, caplog, old, new, said
):
    path = config(tmp_path, sidecar, upstream, STATUS)
    good = path.read_text()
    async with gateway(path) as front, asking(front) as http:
        edit(path, old, new)
        for _ in range(2):
            assert not await front.refresh()
        assert caplog.text.count(said) == 1
        assert (await http.post("/mcp", content=call())).status_code == 200
        assert (
            b"authz_gateway_config_stale 1.0" in (await http.get(f"{front.status_url}/metrics", headers=LOCAL)).content
        )
        path.write_text(good + "\n")
        assert await front.refresh()
        assert (
            b"authz_gateway_config_stale 0.0" in (await http.get(f"{front.status_url}/metrics", headers=LOCAL)).content
        )


LOCAL = {"host": "localhost"}


async def test_an_edit_is_found_by_watching(tmp_path, sidecar, upstream):
    path = config(tmp_path, sidecar, upstream)
    async with gateway(path) as front, asking(front) as http:
        watching = asyncio.create_task(front.watch(0.01))
        edit(path, 'path = "/mcp"', 'path = "/new"')
        async with asyncio.timeout(10):
            while (await http.post("/new", content=call())).status_code != 200:
                pass
        watching.cancel()
        await asyncio.wait({watching})


async def test_the_watcher_outlives_what_it_did_not_expect(tmp_path, sidecar, upstream, caplog):
    async with gateway(config(tmp_path, sidecar, upstream)) as front:
        seen = asyncio.Event()

        async def breaking(_):
            seen.set()
            raise LookupError("unexpected")

        front.app.serve = breaking
        watching = asyncio.create_task(front.watch(0.01))
        edit(tmp_path / "gateway.toml", "[audit]", "\n[audit]")
        async with asyncio.timeout(10):
            await seen.wait()
            await asyncio.sleep(0)
        assert not watching.done()
        watching.cancel()
        await asyncio.wait({watching})
    assert "gateway_refresh_failed" in caplog.text


async def test_the_status_page_says_what_is_up(tmp_path, sidecar, server, upstream):
    down = '[[servers]]\nname = "down"\npath = "/down"\nurl = "http://127.0.0.1:9/mcp"\nhealth = { failures = 1 }\n'
    path = config(tmp_path, sidecar, upstream, STATUS)
    path.write_text(path.read_text() + down)
    async with gateway(path) as front, asking(front) as http:
        page = httpx2.AsyncClient(base_url=front.status_url, timeout=10)
        async with page:
            assert (await page.get("/healthz")).json() == {"live": True}
            assert (await http.post("/down", content=call())).status_code == 502
            ready = await page.get("/readyz")
            assert (ready.status_code, ready.json()["servers"]) == (200, {"ops": "up", "down": "down"})
            numbers = (await page.get("/metrics")).text
            assert 'authz_gateway_requests_total{server="down",status="502"} 1.0' in numbers
            assert 'authz_gateway_upstream_up{server="down"} 0.0' in numbers
            keys = (await page.get("/identity/jwks.json")).json()
            assert keys == json.loads((tmp_path / "state" / "identity-jwks.json").read_text())
            assert (await page.get("/mcp")).status_code == 404
            assert (await page.post("/metrics")).status_code == 404
            assert (await page.get("/metrics", headers={"host": "evil.example"})).status_code == 403
            assert (await page.get("/metrics", headers={"origin": "http://localhost"})).status_code == 403
            front.app.plan.servers["/mcp"].upstream._closed_until = float("inf")
            assert (await page.get("/readyz")).status_code == 503


async def test_a_health_url_takes_a_server_out_and_brings_it_back(tmp_path, sidecar, server, upstream):
    probe = f'[servers.health]\nprobe_url = "{upstream}/health"\ninterval_seconds = 1000\n'
    async with gateway(config(tmp_path, sidecar, upstream, server=probe)) as front, asking(front) as http:
        behind = front.app.plan.servers["/mcp"].upstream
        server.status = 503
        assert not await behind.probe()
        assert (await http.post("/mcp", content=call())).json()["error"]["code"] == 50310
        server.status = 404
        assert await behind.probe()
        assert (await http.post("/mcp", content=call())).status_code == 404
    assert "/health" in {scope["path"] for scope in server.scopes}


async def test_a_health_url_that_does_not_answer_is_a_failure(tmp_path, sidecar, upstream):
    probe = '[servers.health]\nprobe_url = "http://127.0.0.1:9/"\ninterval_seconds = 1000\n'
    async with gateway(config(tmp_path, sidecar, upstream, server=probe)) as front:
        assert not await front.app.plan.servers["/mcp"].upstream.probe()


WELL_KNOWN = "/.well-known/oauth-protected-resource"
ISSUED = 'authorization_servers = ["https://idp.example"]\nscopes_supported = ["read"]\nscopes_hint = ["read"]'


async def test_the_metadata_of_the_only_server_is_at_its_path_and_at_the_root(tmp_path, sidecar, upstream):
    async with gateway(config(tmp_path, sidecar, upstream, server=ISSUED)) as front, asking(front) as http:
        found = await http.get(f"{WELL_KNOWN}/mcp", headers={"origin": "https://page.example"})
        root = await http.get(WELL_KNOWN)
        challenge = await http.post("/mcp", content=call(), headers={"authorization": ""})
        assert (await http.options(f"{WELL_KNOWN}/mcp")).status_code == 204
        assert (await http.post(f"{WELL_KNOWN}/mcp")).status_code == 405
        assert (await http.head(f"{WELL_KNOWN}/mcp")).content == b""
        assert (await http.get(f"{WELL_KNOWN}/mcp", headers={"host": "evil.example"})).status_code == 403
    assert found.json() == {
        "resource": "http://gateway.example/mcp",
        "authorization_servers": ["https://idp.example"],
        "bearer_methods_supported": ["header"],
        "resource_name": "ops",
        "scopes_supported": ["read"],
    }
    assert root.content == found.content
    assert found.headers["access-control-allow-origin"] == "*"
    assert challenge.headers["www-authenticate"] == (
        f'Bearer scope="read", resource_metadata="http://gateway.example{WELL_KNOWN}/mcp"'
    )
    assert [event["outcome"] for event in events(tmp_path)].count("public") == 5


async def test_several_servers_have_a_document_each_and_none_at_the_root(tmp_path, sidecar, upstream):
    path = config(tmp_path, sidecar, upstream, server=ISSUED)
    issuer = 'authorization_servers = ["https://other.example"]'
    path.write_text(path.read_text() + f'[[servers]]\nname = "b"\npath = "/b"\nurl = "{upstream}"\n{issuer}\n')
    async with gateway(path) as front, asking(front) as http:
        assert (await http.get(f"{WELL_KNOWN}/b")).json()["authorization_servers"] == ["https://other.example"]
        assert (await http.get(f"{WELL_KNOWN}/mcp")).status_code == 200
        assert (await http.get(WELL_KNOWN)).status_code == 404


def test_a_session_key_that_is_too_short_or_cannot_be_read_is_refused(tmp_path):
    (tmp_path / "key").write_bytes(b"short")
    with pytest.raises(ValueError, match="shorter than 32 bytes"):
        secret(tmp_path / "key")
    with pytest.raises(ValueError, match="Is a directory"):
        secret(tmp_path)


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
