"""`policy diff` and `replay` with a file or standard input instead of a directory."""

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.cli.decisions import log

GAINS = "+ gains\trole:support\tops-assistant\ttools/call\tdelete_ticket\t\tuser:alice\n"


def test_a_file_stands_for_the_one_of_its_name(run: Run, desk: Path, edited: Path) -> None:
    policy = desk / "policies" / "policy.csv"
    for old, new in ((policy, edited / "policy.csv"), (desk / "policies", edited / "policy.csv"), (policy, edited)):
        said = run("policy", "diff", old, new, "--config", desk / "authz.toml")
        assert (said.code, said.out, said.err) == (0, GAINS, "")


def test_scopes_are_a_file_of_their_own(run: Run, desk: Path) -> None:
    (desk / "next").mkdir()
    fewer = desk / "next" / "scopes.csv"
    fewer.write_text("server,method,tool,scopes\n")
    said = run("policy", "diff", desk / "policies", fewer, "--config", desk / "authz.toml")
    assert said.code == 0
    assert "+ needs less" in said.out


def test_standard_input_stands_for_the_policy(run: Run, desk: Path, edited: Path) -> None:
    old = (desk / "policies" / "policy.csv").read_bytes()
    said = run("policy", "diff", "-", edited, "--config", desk / "authz.toml", stdin=old)
    assert (said.code, said.out) == (0, GAINS)


def test_a_file_of_policy_d_keeps_its_place(run: Run, desk: Path) -> None:
    folder = desk / "policies" / "policy.d"
    folder.mkdir()
    (folder / "team.csv").write_text("g, user:noor, role:support\n")
    new = desk / "team.csv"
    new.write_text("# nobody\n")
    said = run("policy", "diff", desk / "policies", new, "--config", desk / "authz.toml")
    assert said.code == 0
    assert said.out.count("- loses\tuser:noor\t") > 0
    assert "user:alice" not in said.out


def test_a_past_decision_is_replayed_against_a_file(run: Run, desk: Path, edited: Path) -> None:
    past = log(desk, "delete_ticket")
    said = run("policy", "replay", edited / "policy.csv", "--log", past, "--config", desk / "authz.toml")
    assert said.code == 0
    assert said.out.startswith("+ opens\tuser:alice\tops-assistant\ttools/call\tdelete_ticket\t")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(("-", "-"), "only one of the two can be standard input", id="twice"),
        pytest.param(("nowhere", "policies"), "does not exist", id="nothing there"),
    ],
)
def test_a_mistake_is_told(run: Run, desk: Path, words: tuple[str, ...], says: str) -> None:
    said = run("policy", "diff", *words, "--config", desk / "authz.toml")
    assert said.code == 2
    assert says in said.err
