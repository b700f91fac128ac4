"""Policies that only an engine reads: every command says what it cannot tell, and nothing passes unproved."""

import json
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Run

CEDAR = Path(__file__).parents[2] / "examples" / "cedar_policy"


@pytest.fixture
def cedar(run: Run, tmp_path: Path) -> Path:
    """Give a home with the sample policy in Cedar."""
    assert run("init", tmp_path, "--server", "ops-assistant").code == 0
    shutil.rmtree(tmp_path / "policies")
    shutil.copytree(CEDAR, tmp_path / "policies")
    config = tmp_path / "authz.toml"
    config.write_text(config.read_text().replace('engine = "casbin"', 'engine = "cedar"'))
    return tmp_path


def test_questions_are_answered_by_the_names_beside_and_it_is_said(run: Run, cedar: Path) -> None:
    who = run("policy", "who-can", "tools/call", "create_ticket", "--config", cedar / "authz.toml")
    assert who.code == 0
    assert "user:alice\tscope tickets:write\t" in who.out
    assert "only the engine can read engine.d" in who.err
    why = run(
        "policy", "explain", "--subject", "user:alice", "tools/call", "list_tickets", "--config", cedar / "authz.toml"
    )
    assert why.code == 0
    assert "rule      engine.d/policy.cedar:" in why.out


def test_a_difference_is_told_and_no_new_grants_must_be_shown(run: Run, cedar: Path) -> None:
    new = shutil.copytree(cedar / "policies", cedar / "next")
    (new / "expectations.csv").unlink()
    policy = new / "engine.d" / "policy.cedar"
    policy.write_text(policy.read_text().replace("permit", "forbid", 1))
    config = cedar / "authz.toml"
    told = run("policy", "diff", cedar / "policies", new, "--config", config)
    assert told.code == 0
    assert "- loses\trole:viewer\t" in told.out
    closed = run("policy", "diff", cedar / "policies", new, "--require-no-new-grants", "--config", config)
    assert closed.code == 1
    assert "cannot be shown" in closed.err
    as_json = run("policy", "diff", cedar / "policies", new, "--require-no-new-grants", "--json", "--config", config)
    assert json.loads(as_json.out)["ok"] is False
    same = run("policy", "diff", cedar / "policies", cedar / "policies", "--require-no-new-grants", "--config", config)
    assert (same.code, same.out) == (0, "ok  nobody gains or loses anything\n")


def test_what_cannot_be_measured_is_never_enough(run: Run, cedar: Path) -> None:
    measured = run("policy", "test", "--coverage", "--config", cedar / "authz.toml")
    assert measured.code == 0
    assert "no tool can say which" in measured.err
    wanted = run("policy", "test", "--min-coverage", "10", "--config", cedar / "authz.toml")
    assert wanted.code == 1
    assert "not enough for --min-coverage" in wanted.err


def test_nothing_is_mended_by_another_model(run: Run, cedar: Path) -> None:
    model = (Path(__file__).parents[2] / "policies" / "model.conf").read_text()
    (cedar / "policies" / "model.conf").write_text(model.replace("match(r.tool, p.tool)", "r.tool == p.tool"))
    said = run("policy", "lint", "--fix", "--config", cedar / "authz.toml")
    assert "--fix mends nothing" in said.err
