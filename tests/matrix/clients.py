"""The clients of the matrix: each carries out a plan and tells what it saw, in the same words."""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.matrix import environments
from tests.matrix.environments import CACHE, ROOT
from tests.matrix.standing import own

_WAIT: Final = 60.0
Plan = Mapping[str, Any]
Seen = dict[str, Any]
Visit = Callable[[Plan], Seen]


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One client program; `dies` when its connection does not outlive an HTTP 403."""

    name: str
    visit: Visit
    dies: bool = False


def _python(python: Callable[[], Path], mode: str) -> Visit:
    return lambda plan: _told([str(python()), "-m", "tests.matrix.client", mode], plan)


def _typescript(mode: str) -> Visit:
    return lambda plan: _told(["node", str(environments.node().parent / "client.mjs"), mode], plan)


def _told(command: list[str], plan: Plan) -> Seen:
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(plan), capture_output=True, text=True, timeout=_WAIT, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _inspector(plan: Plan) -> Seen:
    """Run the command line of the Inspector once for each question; a person would step up with a new token."""
    calls = plan["calls"]
    listed = _inspect(plan, plan["token"], None)
    assert listed["ok"], listed
    refused = _inspect(plan, plan["token"], calls["stepped"])
    return {
        "tools": [tool["name"] for tool in json.loads(listed["text"])["tools"]],
        "allowed": _inspect(plan, plan["token"], calls["allowed"]),
        "stepped": _inspect(plan, plan["wider"], calls["stepped"]),
        "denied": _inspect(plan, plan["shown"], calls["denied"]),
        "alive": _inspect(plan, plan["token"], calls["allowed"])["ok"],
        "challenges": [] if refused["ok"] else [refused["text"]],
    }


def _inspect(plan: Plan, token: str, call: tuple[str, Any] | None) -> dict[str, Any]:
    what = ["--method", "tools/list"]
    if call is not None:
        what = ["--method", "tools/call", "--tool-name", call[0], "--tool-args-json", json.dumps(call[1])]
    if "command" in plan:
        Path(plan["token_file"]).write_text(token)
        where = [plan["command"]]
    else:
        header = f"Authorization: Bearer {token}"
        where = [plan["url"], "--transport", "http", "--stored-auth-only", "--header", header]
    program = environments.node() / ".bin" / "mcp-inspector"
    home = CACHE / "home"  # it keeps a catalogue there
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [str(environments.new_node()), str(program), "--cli", *where, *what],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_WAIT,
        check=False,
        env={**os.environ, "HOME": str(home)},
    )
    failed = done.returncode != 0
    return {"ok": not failed, "text": done.stdout + (done.stderr if failed else "")}


CLIENTS: Final = (
    Client(name="mcp 1.30", visit=_python(lambda: environments.python("mcp1"), ""), dies=True),
    Client(name="mcp 2.3 auto", visit=_python(own, "auto")),
    Client(name="mcp 2.3 legacy", visit=_python(own, "legacy")),
    Client(name="TypeScript 1.32", visit=_typescript("1")),
    Client(name="TypeScript 2.4 auto", visit=_typescript("2-auto")),
    Client(name="TypeScript 2.4 legacy", visit=_typescript("2-legacy")),
    Client(name="Inspector 2.12", visit=_inspector),
)
