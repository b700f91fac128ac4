"""Hidden tools before servers of every SDK: the gateway's answer is what the server itself says, byte for byte."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from examples.demo.processes import free_port
from tests.adapter.wire import Caller
from tests.gateway.process import gateway_process
from tests.matrix import environments, standing
from tests.process.grounds import token

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(400)]

MCP1, FASTMCP4 = (lambda: environments.python("mcp1")), (lambda: environments.python("fastmcp4"))
SERVERS: dict[str, tuple[Any, ...]] = {
    "mcp 1.30": ("mcp", MCP1, [False]),
    "mcp 1.30 stateless": ("mcp-stateless", MCP1, [False]),
    "mcp 2.3": ("mcp", standing.own, [False, True]),
    "mcp 2.3 stateless": ("mcp-stateless", standing.own, [False, True]),
    "fastmcp 4": ("fastmcp", FASTMCP4, [False, True]),
    "server-everything": ("everything", None, [False]),
}


@pytest.fixture(scope="module")
def ground() -> Iterator[Any]:
    with standing.sidecar() as found:
        yield found


def said(answer: Any) -> tuple[int, str, bytes]:
    """Give what a client sees, without the ids of events, which are of one stream alone."""
    return answer.status_code, answer.headers["content-type"], re.sub(rb"(?m)^id: .*\n", b"", answer.content)


@pytest.mark.parametrize("name", SERVERS)
async def test_a_hidden_tool_reads_like_one_that_is_not_there(ground: Any, tmp_path: Path, name: str) -> None:
    kind, python, eras = SERVERS[name]
    server = standing.everything(tmp_path) if python is None else standing._python(tmp_path, kind, python())
    with server as (upstream, ran):
        config = tmp_path / "gateway.toml"
        config.write_text(standing.gateway_config(free_port(), f"unix:{ground.socket}", upstream, "hide"))
        with gateway_process(config) as (_, url, _status):
            for modern in eras:
                bearer = {"authorization": f"Bearer {token(ground, 'alice')}"}
                async with (
                    Caller(url, "alice", modern=modern, **bearer) as alice,
                    Caller(upstream.removesuffix("/mcp"), "nobody", modern=modern) as bare,
                ):
                    hidden = await alice.ask("tools/call", {"name": "get-env", "arguments": {}})
                    absent = await bare.ask("tools/call", {"name": "not-env", "arguments": {}})
                status, media, body = said(absent)
                assert said(hidden) == (status, media, body.replace(b"not-env", b"get-env"))
                assert b"not-env" in body
    assert ran is None or "get-env" not in ran.read_text()
