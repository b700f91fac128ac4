"""The ways of `docs/protect-a-server.md`, each by the manual's own words, outside the repository."""

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import httpx2
import pytest
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from examples.demo.processes import free_port, process, wait
from tests.matrix import environments
from tests.process.grounds import until

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.timeout(180)]

ROOT: Final = Path(__file__).parents[2]
MANUAL: Final = (ROOT / "docs" / "protect-a-server.md").read_text()
BIN: Final = Path(sys.executable).parent
TOOLS: Final = '''
@mcp.tool()
def create_ticket() -> str:
    """Open a ticket."""
    return "opened"

@mcp.tool()
def delete_all() -> str:
    """Delete everything."""
    return "gone"
'''
POLICY: Final = "p, role:support, my-server, tools/call, create_ticket, allow\ng, user:alice, role:support\n"


def block(section: str, language: str, number: int = 0) -> str:
    """Give a code block of a section of the manual."""
    words = MANUAL[MANUAL.index(f"\n## {section}\n") :]
    words = words[: words.index("\n## ", 4) if "\n## " in words[4:] else None]
    found: list[str] = re.findall(rf"```{language}\n(.*?)```", words, re.DOTALL)
    return found[number]


class Home:
    """A directory as a person would have it: a configuration, a policy, a server."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.port = free_port()
        self.http = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [str(BIN / command[0]), *command[1:]], cwd=self.path, capture_output=True, text=True, timeout=30, check=True
        )
        return done.stdout.strip()

    def init(self) -> None:
        self.run("authz-sidecar", "init", "--server", "my-server", "--audience", self.url)
        (self.path / "policies" / "policy.csv").write_text(POLICY)
        (self.path / "policies" / "expectations.csv").unlink(missing_ok=True)
        config = self.path / "authz.toml"
        config.write_text(
            re.sub(r'(?m)^#? *bind = "127.0.0.1:\d+"', f'bind = "127.0.0.1:{self.http}"', config.read_text())
        )

    def write(self, name: str, text: str) -> None:
        (self.path / name).write_text(text)

    def environment(self) -> dict[str, str]:
        return {"PYTHONPATH": str(self.path), "PATH": f"{BIN}:{os.environ['PATH']}"}


@pytest.fixture
def home() -> Iterator[Home]:
    found = Home(Path(tempfile.mkdtemp(prefix="authz")))
    found.init()
    yield found
    shutil.rmtree(found.path)


@contextmanager
def sidecar(home: Home) -> Iterator[None]:
    command = [str(BIN / "authz-sidecar"), "serve", "--config", str(home.path / "authz.toml")]
    with process(command, home.path / "sidecar.log") as running:
        wait(running, f"http://127.0.0.1:{home.http}/readyz", home.path / "sidecar.log")
        yield


@contextmanager
def python(home: Home, program: str, *, interpreter: str = sys.executable) -> Iterator[None]:
    """Run a program that serves at the home's port."""
    log = home.path / "server.log"
    starting = f"import os\nos.chdir({str(home.path)!r})\n"
    with process([interpreter, "-c", starting + program], log, **home.environment()) as running:
        listening(running, home.port, log)
        yield


def listening(running: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    def connected() -> bool:
        assert running.poll() is None, log.read_text()
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        return False

    until(connected)


def serving(home: Home, module: str = "my_server") -> str:
    return f"import uvicorn\nfrom {module} import app\nuvicorn.run(app, host='127.0.0.1', port={home.port})\n"


async def visit(home: Home) -> None:
    """Be alice: she sees and may call one of the two tools."""
    token = home.run("authz-sidecar", "token", "mint", "--sub", "alice")
    async with (
        httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=10, trust_env=False) as http,
        Client(streamable_http_client(home.url, http_client=http)) as client,
    ):
        await _is_guarded(client)


async def _is_guarded(client: Client) -> None:
    assert [tool.name for tool in (await client.list_tools()).tools] == ["create_ticket"]
    assert (await client.call_tool("create_ticket", {})).content[0].text == "opened"
    with pytest.raises(MCPError) as denied:
        await client.call_tool("delete_all", {})
    assert denied.value.error.code == 40300


async def status_without_token(home: Home) -> int:
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as http:
        body = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
        return (await http.post(home.url, json=body)).status_code


PLAIN: Final = 'from mcp.server.mcpserver import MCPServer\nmcp = MCPServer("my-server")\n' + TOOLS


def test_the_middleware(home: Home) -> None:
    home.write("my_server.py", PLAIN)
    program = block("The middleware", "python").replace("8000", str(home.port))
    with sidecar(home), python(home, program):
        asyncio.run(visit(home))
        assert asyncio.run(status_without_token(home)) == 401


def test_the_middleware_without_a_second_process(home: Home) -> None:
    home.write("my_server.py", PLAIN)
    whole, line = block("The middleware", "python"), block("The middleware", "python", 1)
    program = re.sub(r"app = .*\n", line, whole).replace("8000", str(home.port))
    assert 'config="authz.toml"' in program
    with python(home, program):
        asyncio.run(visit(home))
        home.run("authz-sidecar", "policy", "status")  # it is found, and well
    decisions = (home.path / "var" / "audit" / "decisions.jsonl").read_text()
    assert decisions.count('"tool":"delete_all"') >= 1


@contextmanager
def gateway(home: Home, behind: Home) -> Iterator[None]:
    """Run the manual's gateway before a server."""
    config = block("The gateway", "toml").replace("127.0.0.1:8080", f"127.0.0.1:{home.port}")
    config = config.replace("3001", str(behind.port)).replace(
        "[sidecar]", f'[listen]\nbind = "127.0.0.1:{home.port}"\n[status]\nbind = "127.0.0.1:{free_port()}"\n[sidecar]'
    )
    home.write("gateway.toml", config)
    (line,) = re.findall(r"^mcp-authz gateway.*$", MANUAL, re.MULTILINE)
    log = home.path / "gateway.log"
    command = ["bash", "-c", f"cd {home.path} && exec {line}"]
    with process(command, log, **home.environment()) as running:
        listening(running, home.port, log)
        yield


def test_the_gateway(home: Home) -> None:
    behind = Home(home.path)
    home.write("my_server.py", PLAIN + "app = mcp.streamable_http_app()\n")
    with sidecar(home), python(behind, serving(behind)), gateway(home, behind):
        asyncio.run(visit(home))
        assert asyncio.run(status_without_token(home)) == 401


def test_a_server_behind_the_gateway_knows_who_is_calling(home: Home) -> None:
    behind = Home(home.path)
    for name in ("behind.py", "verify.py"):
        text = (ROOT / "examples" / "gateway" / name).read_text()
        home.write(name, text.replace("from examples.gateway.verify", "from verify"))
    tool, app = block("Who is calling", "python"), block("Who is calling", "python", 1)
    app = app.replace("127.0.0.1:8080", f"127.0.0.1:{home.port}").replace("3001", str(behind.port))
    home.write("my_server.py", PLAIN.split("@mcp")[0] + "from mcp.server.mcpserver import Context\n" + tool + app)

    async def called() -> None:
        token = home.run("authz-sidecar", "token", "mint", "--sub", "alice")
        async with (
            httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=10, trust_env=False) as http,
            Client(streamable_http_client(home.url, http_client=http)) as client,
        ):
            said = await client.call_tool("create_ticket", {"title": "No light"})
            assert said.content[0].text.startswith("No light, by alice of ")

    with sidecar(home), python(behind, serving(behind)), gateway(home, behind):
        asyncio.run(called())
        assert asyncio.run(status_without_token(behind)) == 403


def test_the_wrapper(home: Home) -> None:
    home.write("my_server.py", PLAIN + "mcp.run()\n")
    lines = block("The wrapper", "").strip().splitlines()
    parameters = StdioServerParameters(
        command="bash",
        args=["-c", f"cd {home.path} && {lines[0]} && exec {lines[1]}"],
        env=home.environment(),
    )

    async def called() -> None:
        async with Client(stdio_client(parameters)) as client:
            await _is_guarded(client)

    with sidecar(home):
        asyncio.run(called())


def test_a_native_hook(home: Home) -> None:
    home.write("my_server.py", block("A native hook", "python", 0) + TOOLS + "app = mcp.streamable_http_app()\n")
    with sidecar(home), python(home, serving(home)):
        asyncio.run(visit(home))


def test_a_native_hook_with_the_authentication_of_the_sdk(home: Home) -> None:
    text = block("A native hook", "python", 2).replace("8000", str(home.port))
    home.write("my_server.py", text + TOOLS + "app = mcp.streamable_http_app()\n")
    with sidecar(home), python(home, serving(home)):
        asyncio.run(visit(home))
        assert asyncio.run(status_without_token(home)) == 401


@pytest.mark.matrix
def test_a_native_hook_of_fastmcp(home: Home) -> None:
    text = block("A native hook", "python", 1) + TOOLS + "app = mcp.http_app()\n"
    home.write("my_server.py", text)
    with sidecar(home), python(home, serving(home), interpreter=str(environments.python("fastmcp4"))):
        asyncio.run(visit(home))
