"""The README's own words protect a server that was written from scratch, outside the repository."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.streamable_http import streamable_http_client

from examples.demo.processes import free_port, wait
from tests.process.grounds import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

ROOT: Final = Path(__file__).parents[2]
README: Final = (ROOT / "README.md").read_text()
PYTHON: Final = str(Path(sys.executable).parent)
SERVER: Final = '''
from mcp.server.mcpserver import Context, MCPServer
from mcp_adapter import current_principal

mcp = MCPServer("my-server")

@mcp.tool()
def echo(ctx: Context, text: str) -> str:
    """Say it again."""
    return f"{current_principal(ctx).subject}: {text}"

@mcp.tool()
def delete_all() -> str:
    """Delete everything."""
    open("deleted", "w").close()
    return "gone"
'''


def block(language: str, after: str) -> str:
    """Give the first code block of the README after some words."""
    found = re.search(rf"```{language}\n(.*?)```", README[README.index(after) :], re.DOTALL)
    assert found is not None
    return found[1]


def command(name: str) -> str:
    """Give a command line as the README spells it, in a block or in a sentence."""
    found = re.search(rf"(authz-sidecar {name}[^`\n#]*)", README)
    assert found is not None
    return found[1].strip()


@contextmanager
def process(line: list[str], home: Path, log: str, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    with (home / log).open("wb") as output:
        started = subprocess.Popen(
            line, cwd=home, stdout=output, stderr=subprocess.STDOUT, env=_environment(**environment)
        )
    try:
        yield started
    finally:
        started.terminate()
        started.wait(10)


def _environment(**more: str) -> dict[str, str]:
    # The directory of the server is searched as `python main.py` would; the project is there because it is installed.
    return {**os.environ, "PATH": f"{PYTHON}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1", **more}


def run(line: str, home: Path) -> str:
    done = subprocess.run(
        ["bash", "-c", line], cwd=home, capture_output=True, text=True, timeout=30, env=_environment(), check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


@pytest.fixture
def home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="authz"))
    yield path
    shutil.rmtree(path)


async def _listed(url: str, bearer: str) -> list[str]:
    headers = {"Authorization": f"Bearer {bearer}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=10, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        assert "alice: hello" in str((await client.call_tool("echo", {"text": "hello"})).content)
        with pytest.raises(MCPError, match="not permitted"):
            await client.call_tool("delete_all", {})
        return [tool.name for tool in (await client.list_tools()).tools]


def test_five_lines_are_five() -> None:
    code = [line for line in block("python", "five lines in any Python").splitlines() if line.strip()]
    assert len(code) == 5


async def test_the_five_lines_protect_a_new_server(home: Path) -> None:
    port, metrics = free_port(), free_port()
    (home / "my_server.py").write_text(SERVER)
    code = block("python", "five lines in any Python")
    assert code.count("port=8000") == 1
    (home / "main.py").write_text(code.replace("port=8000", f"port={port}"))
    run(command("init").replace(":8000/", f":{port}/"), home)
    serve = shlex.split(command("serve"))
    assert serve == ["authz-sidecar", "serve"]
    with (
        process(
            [f"{PYTHON}/authz-sidecar", *serve[1:]], home, "serve.log", AUTHZ_HTTP__BIND=f"127.0.0.1:{metrics}"
        ) as sidecar,
        process([sys.executable, "main.py"], home, "main.log") as server,
    ):
        wait(sidecar, f"http://127.0.0.1:{metrics}/readyz", home / "serve.log")
        bearer = run(command("token mint"), home).strip()
        url = f"http://127.0.0.1:{port}/mcp"
        until(lambda: _up(url))
        assert await _listed(url, bearer) == ["echo"]
        (home / "alice.token").write_text(bearer)
        denied = run(command("check").replace("create_ticket", "delete_all"), home)
        assert denied.startswith("denied  tools/call delete_all")

        policy = home / "policies" / "policy.csv"
        shown = block("", "Then open `policies/policy.csv`")
        policy.write_text(
            policy.read_text() + "".join(line for line in shown.splitlines(True) if not line.startswith("#"))
        )
        asked = command("check")
        until(lambda: run(asked, home).startswith("allowed  tools/call create_ticket"))
        assert server.poll() is None
    assert not (home / "deleted").exists()
    for log in ("serve.log", "main.log"):
        assert "Traceback" not in (home / log).read_text()
        assert bearer not in (home / log).read_text()


def _up(url: str) -> bool:
    time.sleep(0.05)
    try:
        with httpx2.Client(timeout=5, trust_env=False) as http:
            return http.post(url).status_code == 401
    except httpx2.ConnectError:
        return False
