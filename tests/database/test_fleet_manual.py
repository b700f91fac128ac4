"""`docs/fleet.md` and `docs/first-days.md` are true: their commands run and say what they say."""

import re
import shlex
from pathlib import Path
from typing import Any, Final

import pytest

from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse_policy
from authz_sidecar.policy.schema import ENDS, FILES, RULES, VERSION
from tests.cli.conftest import Run, desk, run
from tests.cli.test_from_server import Fake, serving
from tests.policy.test_imported import RBAC

DOCS: Final = Path(__file__).parents[2] / "docs"
FLEET: Final = (DOCS / "fleet.md").read_text("utf-8")
DAYS: Final = (DOCS / "first-days.md").read_text("utf-8")
POLICY: Final = (DOCS / "policy.md").read_text("utf-8")

__all__ = ["desk", "run"]


def blocks(text: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def holds(run: Run, block: str) -> None:
    for part in block.split("$ authz-sidecar ")[1:]:
        line, *expected = part.splitlines()
        said: Any = run(*shlex.split(line))
        assert said.code == 0, said.err
        told = [" ".join(each.split()) for each in said.out.splitlines()]
        for each in expected:
            assert any(one.startswith(" ".join(each.split())) for one in told), f"{each} is not in {told}"


def test_a_fleet_is_set_up_as_the_manual_says(run: Run, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    config = desk / "authz.toml"
    (section,) = blocks(FLEET, "toml")
    config.write_text(config.read_text().replace("[policy]\n", section))
    (block,) = blocks(FLEET, "console")
    holds(run, block)
    assert sorted(path.name for path in (desk / "policies-copy").iterdir()) == sorted(
        path.name for path in (desk / "policies").iterdir()
    )


def test_every_table_is_told() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", FLEET, re.MULTILINE))
    assert told == {table.name for table in (RULES, ENDS, FILES, VERSION)}


def test_the_first_days_go_as_the_manual_says(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    asks, imports = blocks(DAYS, "console")
    with serving(Fake(modern=True)) as url:
        holds(run, asks.replace("http://127.0.0.1:8000/mcp", url))
    assert (tmp_path / "policies/tools.json").exists()
    (tmp_path / "rbac.conf").write_text(RBAC)
    (tmp_path / "rbac.csv").write_text("p, admin, data2, write\np, alice, data1, read\ng, alice, admin\n")
    holds(run, imports)


def test_the_ends_of_the_manual_are_read() -> None:
    (block,) = blocks(POLICY.split("## Grants that end", 1)[1].split("\n## ", 1)[0], "")
    found = Findings()
    rules, memberships = parse_policy(block.encode(), {}, found)
    assert not found.problems
    assert all(row.until is not None for row in (*rules, *memberships))
