"""The sample server as a process of its own, unprotected and behind a sidecar."""

import asyncio
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from examples.demo.processes import free_port
from examples.ops_assistant.store import Store
from tests.examples.fake_sidecar import believing
from tests.gateway.process import gateway_process

pytestmark = pytest.mark.process

ROOT: Final = Path(__file__).parents[2]
WAIT: Final = 10.0
TICKET: Final = {"title": "No light", "body": "Desk 4"}


@pytest.fixture
def home() -> Iterator[Path]:
    """Give a private directory with a name short enough for a socket."""
    path = Path(tempfile.mkdtemp(prefix="authz"))
    yield path
    shutil.rmtree(path)


@asynccontextmanager
async def running(home: Path, *args: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Start the server on a free port; give its URL. It is stopped at the end."""
    process = await asyncio.create_subprocess_exec(
        *_command(home), "--port", "0", *args, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(WAIT):
            line = (await process.stdout.readline()).decode()
        yield line.split()[2], process
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(WAIT):
            await process.communicate()


def _command(home: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "examples.ops_assistant",
        "--database",
        f"{home}/ops.db",
        "--audit",
        f"{home}/audit.jsonl",
    ]


@asynccontextmanager
async def connected(url: str, token: str, mode: str = "auto") -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


async def test_unprotected_everybody_may_do_everything_and_nobody_is_named(home: Path) -> None:
    async with running(home, "--unprotected") as (url, _):
        async with Client(url) as client:
            assert not (await client.call_tool("create_ticket", TICKET)).is_error
            assert not (await client.call_tool("delete_ticket", {"ticket_id": 1})).is_error
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(url.replace("/mcp", "/health"))).json() == {"status": "ok"}
    assert Store(home / "ops.db").tickets()[-1].author == "unprotected"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_protected_the_author_is_the_verified_caller(home: Path, mode: str) -> None:
    async with (
        believing(f"{home}/authz.sock") as sidecar,
        running(home, "--sidecar", sidecar) as (url, _),
        connected(url, "dana", mode) as client,
    ):
        assert not (await client.call_tool("create_ticket", TICKET)).is_error
    ticket = Store(home / "ops.db").tickets()[-1]
    assert (ticket.author, ticket.issuer) == ("dana", "https://idp.example")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_protected_a_caller_neither_sees_nor_calls_what_is_denied(home: Path, mode: str) -> None:
    async with (
        believing(f"{home}/authz.sock") as sidecar,
        running(home, "--sidecar", sidecar) as (url, _),
        connected(url, "dana", mode) as client,
    ):
        assert sorted(tool.name for tool in (await client.list_tools()).tools) == [
            "create_ticket",
            "list_tickets",
            "lookup_inventory",
        ]
        with pytest.raises(MCPError, match="not permitted"):
            await client.call_tool("delete_ticket", {"ticket_id": 1})
    assert Store(home / "ops.db").ticket(1) is not None


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_behind_a_gateway_the_author_is_the_caller_that_it_verified(home: Path, mode: str) -> None:
    public, inner = free_port(), free_port()
    url = f"http://127.0.0.1:{public}"
    keys = home / "gateway" / "identity-jwks.json"
    async with (
        believing(f"{home}/authz.sock") as sidecar,
        running(home, "--port", str(inner), "--gateway", url, "--gateway-keys", str(keys)) as (behind, _),
    ):
        (home / "gateway.toml").write_text(
            f'public_url = "{url}"\nstate_dir = "gateway"\n[listen]\nbind = "127.0.0.1:{public}"\n'
            f'[status]\nbind = ""\n[sidecar]\ntarget = "{sidecar}"\n[audit]\npath = "audit.jsonl"\n'
            f'[[servers]]\nname = "ops-assistant"\npath = "/mcp"\nurl = "{behind}"\n'
        )
        with ExitStack() as stack:
            await asyncio.to_thread(stack.enter_context, gateway_process(home / "gateway.toml"))
            async with connected(f"{url}/mcp", "dana", mode) as client:
                assert not (await client.call_tool("create_ticket", TICKET)).is_error
            async with httpx.AsyncClient(trust_env=False, headers={"X-User-Id": "root"}) as http:
                passing_by = await http.post(behind, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
            await asyncio.to_thread(stack.close)
    ticket = Store(home / "ops.db").tickets()[-1]
    assert (ticket.author, ticket.issuer, passing_by.status_code) == ("dana", "https://idp.example", 403)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(["--gateway", "http://127.0.0.1:1"], id="no keys"),
        pytest.param(["--gateway-keys", "keys.json"], id="no gateway"),
        pytest.param(["--unprotected", "--gateway", "http://127.0.0.1:1", "--gateway-keys", "k"], id="unprotected"),
    ],
)
def test_half_a_gateway_is_told(home: Path, wrong: list[str]) -> None:
    done = _run([*_command(home), "--port", "0", *wrong])
    assert done.returncode == 2
    assert "go together" in done.stderr


async def test_protected_nobody_without_a_token_but_health_is_public(home: Path) -> None:
    async with (
        believing(f"{home}/authz.sock") as sidecar,
        running(home, "--sidecar", sidecar) as (url, _),
        httpx.AsyncClient(trust_env=False) as http,
    ):
        answer = await http.post(url, json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert (await http.get(url.replace("/mcp", "/health"))).json() == {"status": "ok"}


async def test_protected_without_a_sidecar_nothing_is_let_through(home: Path) -> None:
    async with (
        running(home, "--sidecar", f"unix:{home}/authz.sock") as (url, _),
        httpx.AsyncClient(trust_env=False) as http,
    ):
        answer = await http.post(
            url,
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
            headers={"Authorization": "Bearer dana", "Accept": "application/json, text/event-stream"},
        )
        assert answer.status_code == 503


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_cleanly(home: Path, number: signal.Signals) -> None:
    async with running(home, "--unprotected") as (url, process):
        async with Client(url):
            pass
        process.send_signal(number)
        async with asyncio.timeout(WAIT):
            assert await process.wait() == 0


def test_a_taken_port_is_told(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = _run([*_command(home), "--unprotected", "--port", port])
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_that_is_none_is_told(home: Path) -> None:
    (home / "ops.db").write_text("this is no database at all, and long enough to be read as one" * 20)
    done = _run([*_command(home), "--unprotected", "--port", "0"])
    assert done.returncode == 1
    assert "cannot open" in done.stderr
    assert "Traceback" not in done.stderr


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=WAIT, check=False)
