"""`policy lint|test|status|reload`: what is wrong, what runs, and what to do."""

import asyncio
import json
from pathlib import Path

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from examples.demo.processes import Playground
from tests.app.running import house, running
from tests.cli.conftest import CALM, Run
from tests.effort import examples
from tests.process.grounds import until

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]


def test_lint_tells_every_mistake_at_once(run: Run, home: Path) -> None:
    policy = home / "policies" / "policy.csv"
    policy.write_text("p, user:a, *, *, *, Allow\nq, x\np, user:a, *, a*b, *, allow\n")
    said = run("policy", "lint", "--config", home / "authz.toml")
    assert said.code == 1
    places = [line.split()[1] for line in said.err.splitlines() if line.startswith("error ")]
    assert [place.rsplit(":", 2)[0] for place in places] == ["policy.csv:1", "policy.csv:2", "policy.csv:3"]
    assert said.out == "3 to mend; a running sidecar would keep its last good policy\n"
    told = json.loads(run("policy", "lint", "--config", home / "authz.toml", "--json").out)
    assert [one["line"] for one in told["problems"]] == [1, 2, 3]
    assert not told["ok"]


def test_lint_takes_another_directory(run: Run, home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    said = run("policy", "lint", other, "--config", home / "authz.toml")
    assert said.code == 1
    assert said.err.startswith("error ")


def test_an_expectation_that_fails_is_told_with_its_place(run: Run, home: Path) -> None:
    with (home / "policies" / "expectations.csv").open("a") as rows:
        rows.write("user:alice, my-server, tools/call, echo, , , deny\n")
    said = run("policy", "test", "--config", home / "authz.toml")
    assert said.code == 1
    assert said.err.startswith("error expectations.csv:7:")
    told = json.loads(run("policy", "test", "--config", home / "authz.toml", "--json").out)
    assert told["problems"][0]["file"] == "expectations.csv"
    assert told["problems"][0]["line"] == 7


def test_a_policy_without_tests_is_said(run: Run, home: Path) -> None:
    (home / "policies" / "expectations.csv").unlink()
    said = run("policy", "test", "--config", home / "authz.toml")
    assert said.code == 0
    assert "nothing was tested" in said.err
    assert json.loads(run("policy", "test", "--config", home / "authz.toml", "--json").out)["expectations"] == 0


@given(
    data=st.binary(max_size=200), name=st.sampled_from(["policy.csv", "scopes.csv", "expectations.csv", "model.conf"])
)
@settings(CALM, max_examples=examples(80))
def test_any_bytes_are_linted(run: Run, home: Path, data: bytes, name: str) -> None:
    path = home / "policies" / name
    before = path.read_bytes()
    path.write_bytes(data)
    said = run("policy", "lint", "--config", home / "authz.toml")
    path.write_bytes(before)
    assert said.code in (0, 1)
    assert "\x1b" not in said.err + said.out


def test_status_of_nobody_is_exit_code_3(run: Run, home: Path) -> None:
    for command in ("status", "reload"):
        said = run("policy", command, "--config", home / "authz.toml")
        assert said.code == 3
        assert said.err.startswith(f"error nobody answers at unix:{home}/var/run/admin.sock; is `authz-sidecar serve`")


def test_status_tells_what_is_in_force(run: Run, ground: Playground) -> None:
    said = run("policy", "status", "--config", ground.config)
    assert (said.code, said.err) == (0, "")
    lines = dict(line.split("\t") for line in said.out.splitlines()[1:-2])
    assert said.out.startswith("policy    live\n")
    assert lines["revision"].startswith("sha256:")
    assert lines["loaded"].endswith(" UTC, from files")
    assert lines["server"] == f"ops-assistant  enforce  {ground.url}"
    assert "issuer\tdev is for development only\n" in said.out
    assert json.loads(run("policy", "status", "--config", ground.config, "--json").out)["ready"] is True


def test_a_broken_edit_shows_in_status_and_reload(run: Run, ground: Playground) -> None:
    policy = ground.policies / "policy.csv"
    good = policy.read_text()
    revision = json.loads(run("policy", "status", "--config", ground.config, "--json").out)["policy_revision"]
    policy.write_text(f"{good}g, user:noor\n")
    line = good.count("\n") + 1
    reloaded = run("policy", "reload", "--config", ground.config)
    assert reloaded.code == 1
    assert f"error policy.csv:{line}" in reloaded.err
    assert reloaded.out == f"refused  in force: {revision}\n"
    status = run("policy", "status", "--config", ground.config)
    assert status.code == 1
    assert f"error policy.csv:{line}" in status.err
    assert "stale: the files on disk are not in force" in status.out
    policy.write_text(good)
    assert run("policy", "reload", "--config", ground.config).out == f"unchanged  in force: {revision}\n"
    assert run("policy", "status", "--config", ground.config).code == 0


def test_losing_most_of_the_policy_waits_for_a_word(run: Run, ground: Playground) -> None:
    policy, tests = ground.policies / "policy.csv", ground.policies / "expectations.csv"
    good, expected = policy.read_text(), tests.read_text()
    tests.write_text("subjects,server,method,tool,scopes,args,expect\n")
    assert run("policy", "reload", "--config", ground.config).code == 0
    policy.write_text("p, user:adam, *, *, *, allow\n")
    asked = run("policy", "reload", "--config", ground.config)
    assert asked.code == 1
    assert asked.out.startswith("confirmation needed  in force: sha256:")
    assert "repeat with --confirm" in asked.out
    waiting = run("policy", "status", "--config", ground.config)
    assert "an edit waits: `authz-sidecar policy reload --confirm`" in waiting.out
    told = json.loads(run("policy", "reload", "--config", ground.config, "--json").out)
    assert told["outcome"] == "OUTCOME_CONFIRMATION_NEEDED"
    assert run("policy", "reload", "--confirm", "--config", ground.config).out.startswith("applied  ")
    policy.write_text(good)
    tests.write_text(expected)
    until(lambda: run("policy", "status", "--config", ground.config).code == 0)
    assert json.loads(run("policy", "reload", "--config", ground.config, "--json").out)["outcome"] in (
        "OUTCOME_APPLIED",
        "OUTCOME_UNCHANGED",
    )


async def test_status_before_the_first_policy_says_that_there_is_none(run: Run) -> None:
    with house() as home, structlog.testing.capture_logs():
        home.policy.write_text("p, alice\n")
        async with running(home):
            said = await asyncio.to_thread(run, "policy", "status", "--config", home.config)
    assert said.code == 1
    assert "error policy.csv:1" in said.err
    assert said.out.startswith("policy    none loaded\nserver\tops  enforce")


async def test_warnings_are_said(run: Run) -> None:
    with house() as home, structlog.testing.capture_logs():
        home.policy.write_text("# nobody\n")
        async with running(home):
            status = await asyncio.to_thread(run, "policy", "status", "--config", home.config)
            reloaded = await asyncio.to_thread(run, "policy", "reload", "--config", home.config)
        linted = await asyncio.to_thread(run, "policy", "lint", "--config", home.config)
    assert (status.code, reloaded.code, linted.code) == (0, 0, 0)
    assert "warning policy.csv" in linted.err
    assert "warning policy.csv" in status.err
    assert "warning policy.csv" in reloaded.err
