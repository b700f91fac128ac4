"""`docs/policy.md` is true: its rows load together, its commands run and say what it says, its codes are all."""

import re
import shlex
import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from authz_sidecar.policy.lint import CODES
from tests.cli.conftest import SHIPPED, Run
from tests.cli.decisions import log

MANUAL: Final = (Path(__file__).parents[2] / "docs" / "policy.md").read_text("utf-8")
BLOCKS: Final = re.findall(r"^## ([^\n]*)\n|^```(\w*)\n(.*?)^```", MANUAL, re.MULTILINE | re.DOTALL)
COMMANDS: Final = [block for _, kind, block in BLOCKS if kind == "console"]


def _rows(section: str, nth: int = 0, kind: str = "") -> str:
    text = MANUAL.split(f"## {section}", 1)[1].split("\n## ", 1)[0]
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)[nth]


def test_the_rows_of_the_manual_load_together_and_hold(run: Run, desk: Path) -> None:
    policies = desk / "policies"
    (policies / "policy.csv").write_text(_rows("policy.csv"))
    (policies / "scopes.csv").write_text(_rows("scopes.csv"))
    (policies / "expectations.csv").write_text(_rows("expectations.csv"))
    (policies / "matrix.csv").write_text(_rows("expectations.csv", 1))
    (policies / "tools.json").write_text(_rows("tools.json", kind="json"))
    said = run("policy", "test", "--config", desk / "authz.toml")
    assert (said.code, said.out, said.err) == (0, "ok  7 expectations hold\n", "")


@pytest.mark.parametrize("block", COMMANDS, ids=lambda block: block.split("\n", 1)[0].split()[3])
def test_the_commands_of_the_manual_run_and_say_so(
    run: Run, desk: Path, block: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(desk)
    shutil.copytree(SHIPPED, desk / "policies-next")
    (desk / "var" / "audit").mkdir(parents=True, exist_ok=True)
    log(desk, "close_ticket").rename(desk / "var" / "audit" / "decisions.jsonl")
    for part in block.split("$ authz-sidecar ")[1:]:
        line, *expected = part.splitlines()
        command, _, note = line.partition("#")
        said: Any = run(*shlex.split(command))
        assert said.code == (1 if "exits with 1" in note else 0), said.err
        told = [" ".join(each.split()) for each in said.out.splitlines()]
        for each in expected:
            want = " ".join(each.split())
            assert any(one.startswith(want) for one in told), f"{want} is not in {told}"


def test_every_code_of_lint_is_told() -> None:
    told = set(re.findall(r"`([a-z-]+)`", MANUAL.split("## Lint", 1)[1].split("\n## ", 1)[0]))
    elsewhere = {"condition-not-available", "empty-policy", "model-not-compiled", "no-line-end", "not-linted"}
    assert CODES.keys() - told <= elsewhere
