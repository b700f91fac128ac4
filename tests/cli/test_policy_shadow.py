"""`policy status` about the policy that is tried out beside the one in force."""

import asyncio
import json

import pytest
import structlog

from tests.app.running import house, running
from tests.cli.conftest import Run, Said

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


async def test_status_tells_the_policy_that_is_tried_out_and_what_is_wrong_with_it(run: Run) -> None:
    with house() as home, structlog.testing.capture_logs():
        home.configure(issuers=home.issuer(), extra='[policy]\nshadow = "next"\n')
        tried = home.home / "next" / "policy.csv"
        tried.parent.mkdir()
        tried.write_text("q\n")
        (tried.parent / "model.conf").write_text((home.policy.parent / "model.conf").read_text())

        async def status(wanted: str, *more: str) -> Said:
            """Ask until the sidecar has read what was written."""
            async with asyncio.timeout(10):
                while True:
                    said = await asyncio.to_thread(run, "policy", "status", *more, *config)
                    if wanted in said.err + said.out:
                        return said

        config = ("--config", home.config)
        async with running(home):
            broken = await status("warning shadow policy.csv:1:1: unknown row kind `q`")
            tried.write_text("p, user:bob, ops, tools/call, echo, allow\n")
            tried_out = await status("shadow\tsha256:")
            told = await status("sha256:", "--json")
    assert broken.code == tried_out.code == 0  # it touches nobody
    assert "shadow\tnone loaded" in broken.out
    assert "1 rules, 0 memberships, loaded " in tried_out.out
    assert json.loads(told.out)["shadow"]["policy_revision"] in tried_out.out
