"""The clients of the matrix: each visits a server with two tokens and tells what it saw, in the same words."""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.matrix import environments
from tests.matrix.environments import ROOT
from tests.matrix.standing import own

_WAIT: Final = 60.0
Seen = dict[str, Any]
Visit = Callable[[str, Mapping[str, str]], Seen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client program; `dies` when its connection does not outlive an HTTP 403."""

    name: str
    visit: Visit
    dies: bool = False


def _python(python: Callable[[], Path], mode: str) -> Visit:
    return lambda url, tokens: _told([str(python()), "-m", "tests.matrix.client", url, mode], tokens)


def _typescript(mode: str) -> Visit:
    return lambda url, tokens: _told(["node", str(environments.node().parent / "client.mjs"), url, mode], tokens)


def _told(command: list[str], tokens: Mapping[str, str]) -> Seen:
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(tokens), capture_output=True, text=True, timeout=_WAIT, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _inspector(url: str, tokens: Mapping[str, str]) -> Seen:
    """Run the command line of the Inspector once for each question; it cannot step up, so a person would do it."""
    refused, summed = _inspect(url, tokens["token"], "get-sum", a="2", b="3"), None
    if "insufficient_scope" in refused["text"] or "scope" in refused["text"]:
        summed = _inspect(url, tokens["wider"], "get-sum", a="2", b="3")
    return {
        "tools": [tool["name"] for tool in json.loads(_inspect(url, tokens["token"])["text"])["tools"]],
        "echo": _inspect(url, tokens["token"], "echo", message="hello"),
        "sum": summed,
        "env": _inspect(url, tokens["shown"], "get-env"),
        "alive": _inspect(url, tokens["token"], "echo", message="still here")["ok"],
        "challenges": [refused["text"]],
    }


def _inspect(url: str, token: str, tool: str = "", **arguments: str) -> dict[str, Any]:
    program = environments.node() / ".bin" / "mcp-inspector"
    what = ["--method", "tools/call", "--tool-name", tool] if tool else ["--method", "tools/list"]
    pairs = ["--tool-arg", *(f"{name}={value}" for name, value in arguments.items())] if arguments else []
    command = [
        *(str(environments.new_node()), str(program), "--cli", url, "--transport", "http"),
        *(*what, *pairs, "--header", f"Authorization: Bearer {token}"),
    ]
    done = subprocess.run(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_WAIT, check=False
    )
    return {"ok": done.returncode == 0, "text": done.stdout + done.stderr}


CLIENTS: Final = (
    Client(name="mcp 1.30", visit=_python(lambda: environments.python("mcp1"), ""), dies=True),
    Client(name="mcp 2.3 auto", visit=_python(own, "auto")),
    Client(name="mcp 2.3 legacy", visit=_python(own, "legacy")),
    Client(name="TypeScript 1.32", visit=_typescript("1")),
    Client(name="TypeScript 2.4 auto", visit=_typescript("2-auto")),
    Client(name="TypeScript 2.4 legacy", visit=_typescript("2-legacy")),
    Client(name="Inspector 2.12", visit=_inspector),
)
