"""The commands that test, compare and mend a policy: their words and their exit codes."""

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from tests.cli.decisions import log


def test_lint_names_the_code_of_a_warning_and_mends(ask: Any, desk: Path) -> None:
    policy = desk / "policies" / "policy.csv"
    mode = policy.stat().st_mode
    good = policy.read_text()
    policy.write_text(good + "P, User:mallory, ops-assistant, tools/call, x, Allow\ng, user:vera, role:viewer\n")
    assert ask("lint").code == 1
    fixed = ask("lint", "--fix")
    assert fixed.code == 0
    assert "mended policy.csv:45: `Allow` is spelled `allow`" in fixed.out
    assert "[shadowed-by-deny]" in fixed.err
    assert policy.read_text() == good + "p, user:mallory, ops-assistant, tools/call, x, allow\n"
    assert policy.stat().st_mode == mode
    told = json.loads(ask("lint", "--fix", "--json").out)
    assert (told["ok"], told["fixed"]) == (True, [])
    assert [one["code"] for one in told["warnings"]] == ["shadowed-by-deny"]


def test_lint_speaks_to_other_programs(ask: Any, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(desk)
    with (desk / "policies" / "policy.csv").open("a") as rows:
        rows.write("p, role:x, ops-assistant, tools/call, y, Allow\n")
    annotated = ask("lint", "--format", "github")
    assert annotated.code == 1
    assert annotated.out.startswith("::error file=policies/policy.csv,line=45,col=")
    told = json.loads(ask("lint", "policies", "--format", "sarif").out)
    assert [one["ruleId"] for one in told["runs"][0]["results"]] == ["unknown-effect"]


def test_a_directory_elsewhere_is_annotated_by_its_whole_path(ask: Any, desk: Path) -> None:
    (desk / "policies" / "policy.csv").write_text("q\n")
    assert f"file={desk / 'policies' / 'policy.csv'}," in ask("lint", "--format", "github").out


def test_line_100_is_no_picture(ask: Any, desk: Path) -> None:
    policy = desk / "policies" / "policy.csv"
    rows = policy.read_text()
    policy.write_text(
        rows + "#\n" * (99 - rows.count("\n")) + "p, user:mallory, ops-assistant, tools/call, :smile:, deny\n"
    )
    assert "warning policy.csv:100:1: line 22 denies all of this already" in ask("lint").err
    assert "denied  tools/call :smile:  on" in ask("explain", "--subject", "user:mallory", "tools/call", ":smile:").out
    policy.write_text(rows + "#\n" * (99 - rows.count("\n")) + "q\n")
    assert "error policy.csv:100:1: unknown row kind `q`" in ask("lint").err


def test_rows_of_a_database_are_annotated_without_a_directory(ask: Any, desk: Path) -> None:
    config = desk / "authz.toml"
    config.write_text(config.read_text().replace("[policy]\n", f'[policy]\ndatabase = "sqlite:///{desk}/rows.db"\n'))
    with (desk / "policies" / "policy.csv").open("a") as rows:
        rows.write("p, user:mallory, ops-assistant, tools/call, y, allow\n")
    assert ask("push", desk / "policies").code == 0
    assert "::warning file=casbin_rule%3Aid " in ask("lint", "--format", "github").out


def test_coverage_is_told_and_held(ask: Any, desk: Path) -> None:
    said = ask("test", "--coverage")
    assert said.code == 0
    assert "exercised  7 of 7 p rows (100.0 %)" in said.out
    with (desk / "policies" / "policy.csv").open("a") as rows:
        rows.write("p, role:viewer, ops-assistant, tools/call, close_ticket, allow\n" * 60)
    assert ask("test", "--min-coverage", "10").code == 0
    little = ask("test", "--min-coverage", "90")
    assert little.code == 1
    assert "expected 90 %" in little.err
    assert "policy.csv:45\tno test exercises it\t" in little.out
    assert "… and " in little.out
    told = json.loads(ask("test", "--coverage", "--json").out)["coverage"]
    assert (told["rules"], len(told["unexercised"]), told["unexercised"][0]["line"]) == (67, 60, 45)


def test_a_row_that_could_go_unnoticed_is_told(ask: Any, desk: Path) -> None:
    (desk / "policies" / "expectations.csv").write_text(
        "subjects,server,method,tool,scopes,args,expect\nuser:mallory,ops-assistant,tools/call,x,,,deny\n"
    )
    assert "policy.csv:22\tcould go unnoticed\t" in ask("test", "--coverage").out


def test_junit_has_a_case_for_each_expectation_and_each_problem(ask: Any, desk: Path) -> None:
    suite = Xml.fromstring(ask("test", "--format", "junit").out)  # noqa: S314 - our own words
    assert (suite.get("tests"), suite.get("failures")) == ("20", "0")
    with (desk / "policies" / "expectations.csv").open("a") as rows:
        rows.write("user:vera, ops-assistant, tools/call, delete_ticket, , , allow\n")
    failed = ask("test", "--format", "junit")
    suite = Xml.fromstring(failed.out)  # noqa: S314
    assert (failed.code, suite.get("failures")) == (1, "1")
    (failure,) = suite.iter("failure")
    assert failure.get("type") == "expectation-failed"


def test_diff_says_who_gains_and_who_loses(ask: Any, desk: Path, edited: Path) -> None:
    assert ask("diff", desk / "policies", desk / "policies").out == "ok  nobody gains or loses anything\n"
    said = ask("diff", desk / "policies", edited)
    assert said.code == 0
    assert said.out == "+ gains\trole:support\tops-assistant\ttools/call\tdelete_ticket\t\tuser:alice\n"
    held = ask("diff", desk / "policies", edited, "--require-no-new-grants")
    assert (held.code, held.err) == (1, "error 1 new grants, and none are wanted\n")
    back = ask("diff", edited, desk / "policies", "--require-no-new-grants", "--json")
    assert (back.code, [one["change"] for one in json.loads(back.out)["changes"]]) == (0, ["loses"])
    assert ask("diff", desk / "policies", desk / "none").code == 2


def test_diff_tells_scopes_that_come_and_go(ask: Any, desk: Path) -> None:
    new = shutil.copytree(desk / "policies", desk / "next")
    (new / "expectations.csv").unlink()
    (new / "scopes.csv").write_text("server,method,tool,scopes\n")
    said = ask("diff", desk / "policies", new)
    assert "+ needs less\trole:support\tops-assistant\ttools/call\tcreate_ticket\ttickets:write -> none\t" in said.out


def test_replay_tells_past_answers_that_would_change(ask: Any, desk: Path, edited: Path) -> None:
    past = log(desk, "delete_ticket", "delete_ticket", "sing")
    said = ask("replay", edited, "--log", past)
    assert said.code == 0
    assert said.out.startswith("+ opens\tuser:alice\tops-assistant\ttools/call\tdelete_ticket\tno_matching_rule\t")
    assert said.out.endswith("1 of 2 different questions would be answered otherwise, 2 of 3 in all\n")
    held = ask("replay", edited, "--log", past, "--require-no-new-grants")
    assert (held.code, "1 new grants" in held.err) == (1, True)
    told = json.loads(ask("replay", edited, "--log", past, "--require-no-new-grants", "--json").out)
    assert (told["ok"], told["questions"], told["changes"][0]["would_be"]["allowed"]) == (False, 3, True)
    same = ask("replay", desk / "policies", "--log", past)
    assert (same.code, same.out.startswith("ok  0 of 2 ")) == (0, True)


def test_replay_refuses_what_is_no_log(ask: Any, desk: Path) -> None:
    (desk / "decisions.jsonl").write_text("hello\n")
    said = ask("replay", desk / "policies", "--log", desk / "decisions.jsonl")
    assert said.code == 1
    assert "decisions.jsonl:1: is not a decision event" in said.err
    assert ask("replay", desk / "policies", "--log", desk / "none").code == 2


def test_suggest_prints_rows_to_read(ask: Any, desk: Path) -> None:
    said = ask("suggest", "--log", log(desk, "close_ticket"))
    assert said.code == 0
    assert said.out.splitlines()[-2:] == [
        "# asked by user:alice 1x",
        "p, role:support, ops-assistant, tools/call, close_ticket, allow",
    ]
    by_user = ask("suggest", "--by-user", "--log", log(desk, "close_ticket"), "--json")
    assert json.loads(by_user.out)[0]["subject"] == "user:alice"
    assert ask("suggest", "--log", log(desk)).out.startswith("# nothing to suggest")


def test_suggest_says_what_no_row_can_name(ask: Any, desk: Path) -> None:
    said = ask("suggest", "--log", log(desk, "close\nticket"))
    assert (said.code, said.out) == (0, "")
    said = " ".join(said.err.split())
    assert said.startswith("warning left out 1 denied calls that no row can name: ")
    assert said.endswith("tools/call 'close\\nticket' on ops-assistant by 'user:alice'")


def test_fmt_aligns_and_checks(ask: Any, desk: Path) -> None:
    assert ask("fmt", "--check").out == "ok  all columns are aligned\n"
    policy = desk / "policies" / "policy.csv"
    good = policy.read_text()
    policy.write_text(good.replace("p, role:viewer,  ", "p,role:viewer,"))
    checked = ask("fmt", "--check")
    assert (checked.code, checked.out) == (1, "not aligned  policy.csv\n")
    assert json.loads(ask("fmt", "--check", "--json").out) == {"ok": False, "changed": ["policy.csv"]}
    assert ask("fmt").out == "aligned  policy.csv\n"
    assert policy.read_text() == good


@pytest.mark.parametrize(
    "words",
    [
        ["explain", "--subject", "user:a", "tools/call", "x"],
        ["who-can", "tools/call", "x"],
        ["what-can", "user:a"],
        ["matrix"],
        ["suggest", "--log", "-"],
        ["test", "--coverage"],
    ],
    ids=lambda words: words[0],
)
def test_a_policy_that_does_not_load_answers_nothing_but_its_mistakes(ask: Any, desk: Path, words: list[str]) -> None:
    (desk / "policies" / "policy.csv").write_text("q\n")
    said = ask(*words)
    assert said.code == 1
    assert "policy.csv:1:1: unknown row kind `q`" in said.err


def test_what_cannot_be_written_is_told(ask: Any, desk: Path) -> None:
    said = ask("matrix", "--format", "html", "--output", desk / "no" / "m.html")
    assert said.code == 2
    assert "No such file" in said.err
