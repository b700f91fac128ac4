"""OAuth clients that we did not write walk the circle: gateway, authorization server, a person with forms."""

import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.demo.processes import free_port
from examples.oauth_flow import stage
from examples.oauth_flow.stage import Stage
from tests.matrix import environments, person
from tests.matrix.environments import ROOT
from tests.matrix.standing import own

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(300)]

_WAIT = 90.0
TICKET = {"title": "Printer on fire", "body": "Floor 3", "priority": "high"}


@pytest.fixture(scope="module")
def whole() -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="flow") as home, stage.own(Path(home) / "d") as made:
        yield made


def _python(interpreter: Callable[[], Path]) -> Callable[[], list[str]]:
    return lambda: [str(interpreter()), "-m", "tests.matrix.oauth_client"]


def _typescript(mode: str) -> Callable[[], list[str]]:
    return lambda: ["node", str(environments.node().parent / "oauth.mjs"), mode]


@pytest.mark.parametrize(
    ("command", "keeps", "gives_up"),
    [
        pytest.param(_python(lambda: environments.python("mcp1")), False, False, id="mcp 1.30"),
        pytest.param(_python(own), True, False, id="mcp 2.3"),
        pytest.param(_typescript("1"), False, True, id="TypeScript 1.32"),
        pytest.param(_typescript("2"), True, False, id="TypeScript 2.4"),
    ],
)
def test_it_registers_logs_in_steps_up_and_refreshes(
    whole: Stage, command: Callable[[], list[str]], keeps: bool, gives_up: bool
) -> None:
    """The older generations ask for the new scope alone, and TypeScript's gives up while it holds a refresh token."""
    visitor = [sys.executable, "-m", "tests.matrix.person", stage.NAME, stage.PASSWORD]
    seen = _told(command(), {"url": whole.url, "person": visitor, "ticket": TICKET})
    assert "problem" not in seen, seen["problem"]
    assert seen["read"]["ok"], seen
    assert "tickets:write" not in seen["scopes"][0].split(), seen
    assert seen["stepped"]["ok"], seen
    assert set(seen["scopes"][1].split()) == {"tickets:write"} | ({"tickets:read"} if keeps else set()), seen
    assert ("gave_up" in seen) == gives_up, seen
    assert seen["refreshed"]["ok"], seen
    assert seen["rotated"], seen


def _told(command: list[str], plan: dict[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        command, cwd=ROOT, input=json.dumps(plan), capture_output=True, text=True, timeout=_WAIT, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_the_inspector_registers_and_logs_in(whole: Stage, tmp_path: Path) -> None:
    program = environments.node() / ".bin" / "mcp-inspector"
    back = f"http://127.0.0.1:{free_port()}/oauth/callback"
    what = ["--method", "tools/call", "--tool-name", "list_tickets", "--tool-args-json", "{}"]
    process = await asyncio.create_subprocess_exec(
        *(str(environments.new_node()), str(program), "--cli", whole.url, "--transport", "http"),
        *("--callback-url", back, "--connect-timeout", "60000", *what),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "HOME": str(tmp_path), "BROWSER": "true", "MCP_AUTO_OPEN_ENABLED": "true"},
    )
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(_WAIT):
            async for line in process.stdout:
                said += line.decode()
                if page := re.search(re.escape(whole.issuer) + r"/authorize\?\S+", line.decode()):
                    await asyncio.to_thread(person.visit, page[0], stage.NAME, stage.PASSWORD)
            code = await process.wait()
    except TimeoutError:
        pytest.fail(said)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert code == 0, said
    assert "Dock does not charge" in said, said
