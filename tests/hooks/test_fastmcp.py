"""FastMCP 4 in an environment of its own, with the hook: real clients of both eras are answered as the policy says."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.matrix import environments

pytestmark = [pytest.mark.matrix, pytest.mark.timeout(300)]

_PROBE = Path(__file__).with_name("fastmcp_probe.py")


async def probed(target: str, audit: Path) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        str(await asyncio.to_thread(environments.python, "fastmcp4")),
        str(_PROBE),
        target,
        str(audit),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


async def test_a_server_with_the_hook_answers_as_the_policy_says(sidecar, tmp_path):
    found = await probed(sidecar.target, tmp_path / "audit.jsonl")
    for mode in ("auto", "legacy"):
        alice, bob = found[f"{mode} alice"], found[f"{mode} bob"]
        assert [tool["name"] for tool in alice["tools"]["tools"]] == ["echo", "write", "fail", "whoami"]
        assert [tool["name"] for tool in bob["tools"]["tools"]] == ["danger", "whoami"]
        assert [one["uri"] for one in alice["resources"]["resources"]] == ["note://a"]
        assert alice["templates"]["resourceTemplates"] == []
        assert [one["name"] for one in alice["prompts"]["prompts"]] == ["greet"]
        if mode == "auto":
            assert alice["tools"]["cacheScope"] == "private"
        assert alice["echo"]["content"][0]["text"] == "hi"
        assert alice["whoami"]["content"][0]["text"] == "alice"
        assert bob["whoami"]["content"][0]["text"] == "bob"
        assert alice["danger"]["code"] == 40300
        assert alice["danger"]["message"] == "not permitted (ask #it-access)"
        assert alice["danger"]["data"]["decision_id"].startswith("decision-")
        assert alice["write"]["code"] == 40301
        assert alice["write"]["data"]["required_scopes"] == ["tickets:write", "tickets:read"]
        assert alice["note a"]["contents"][0]["text"] == "a"
        assert alice["note b"]["code"] == 40300
        assert alice["secret"]["code"] == 40300
    assert isinstance(found["pipe"], str)  # what the client makes of it
    events = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    calls = [event for event in events if event["method"] == "tools/call"]
    assert events[-1]["detail"] == "no request carries a token here, and none is configured"
    called = [(event["who"]["subject"], event["tool"], event["outcome"]) for event in calls]
    assert called.count(("alice", "danger", "denied")) == 2
    assert called.count(("bob", "danger", "allowed")) == 2
    lists = [event for event in events if event["method"] == "tools/list" and event["who"]["subject"] == "alice"]
    assert {(event["listed"], event["hidden"]) for event in lists} == {(4, 1)}
    failed = [event for event in calls if event["tool"] == "fail"]
    assert {event["tool_error"] for event in failed if event["outcome"] == "allowed"} == {True}
