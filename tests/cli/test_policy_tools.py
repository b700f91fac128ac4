"""The commands that ask, test, compare and mend a policy: their words and their exit codes."""

import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from authz_sidecar.events import DecisionEvent, Who, encode
from tests.cli.conftest import Run
from tests.cli.test_terminal import seen

SHIPPED = Path(__file__).parents[2] / "policies"


@pytest.fixture
def desk(run: Run, tmp_path: Path) -> Path:
    """Give a home with the shipped policy."""
    assert run("init", tmp_path, "--server", "ops-assistant").code == 0
    shutil.rmtree(tmp_path / "policies")
    shutil.copytree(SHIPPED, tmp_path / "policies")
    return tmp_path


@pytest.fixture
def ask(run: Run, desk: Path) -> Any:
    def command(*words: Any) -> Any:
        return run("policy", *words, "--config", desk / "authz.toml")

    return command


@pytest.fixture
def edited(desk: Path) -> Path:
    """Give a copy of the policy in which support may also delete."""
    new = shutil.copytree(desk / "policies", desk / "next")
    rows = (new / "policy.csv").read_text().replace("role:admin,   ops-assistant", "role:support, ops-assistant")
    (new / "policy.csv").write_text(rows)
    (new / "expectations.csv").unlink()
    return new


def log(desk: Path, *tools: str, user: str = "user:alice") -> Path:
    path = desk / "decisions.jsonl"
    events = [
        DecisionEvent(
            v=1,
            time="2026-03-04T05:06:07.000000Z",
            decision_id="d",
            server="ops-assistant",
            allowed=False,
            reason="no_matching_rule",
            mode="enforce",
            revision="r",
            method="tools/call",
            tool=tool,
            who=Who(subjects=(user,)),
        )
        for tool in tools
    ]
    path.write_bytes(b"".join(map(encode, events)))
    return path


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


def test_explain_says_what_is_missing_and_how_roles_are_held(ask: Any) -> None:
    denied = ask("explain", "--subject", "user:alice", "tools/call", "delete_ticket")
    assert denied.code == 1
    assert denied.out.startswith("denied  tools/call delete_ticket  on ops-assistant  because no_matching_rule\n")
    assert "missing   the caller does not hold `role:admin`  policy.csv:34\n" in denied.out
    assert "role:viewer\tuser:alice -> role:support (policy.csv:43) -> role:viewer (policy.csv:39)\n" in denied.out
    allowed = ask("explain", "--subject", "user:alice", "--scope", "tickets:write", "tools/call", "create_ticket")
    assert allowed.code == 0
    assert "policy.csv:30\tallows it\t" in allowed.out
    told = json.loads(ask("explain", "--subject", "role:admin", "tools/call", "delete_ticket", "--json").out)
    assert (told["allowed"], told["miss"], told["considered"][0]["decides"]) == (True, None, True)


def test_explain_shows_all_rows_on_demand(ask: Any, desk: Path) -> None:
    with (desk / "policies" / "policy.csv").open("a") as rows:
        rows.write("".join(f"p, user:alice, ops-assistant, tools/call, t{at}, allow\n" for at in range(30)))
    short = ask("explain", "--subject", "user:alice", "tools/call", "list_tickets")
    assert "more that miss by more, see --all" in short.out
    whole = ask("explain", "--subject", "user:alice", "tools/call", "list_tickets", "--all")
    assert len(whole.out) > len(short.out)


def test_explain_takes_a_token(run: Run, ask: Any, desk: Path) -> None:
    token = desk / "alice.token"
    token.write_text(run("token", "mint", "--sub", "alice", "--config", desk / "authz.toml").out)
    assert ask("explain", "--token-file", token, "tools/call", "list_tickets").code == 0
    token.write_text("x.y.z")
    bad = ask("explain", "--token-file", token, "tools/call", "list_tickets")
    assert (bad.code, bad.out.split("\n")[0]) == (
        1,
        "denied  tools/call list_tickets  on ops-assistant  because token_malformed",
    )
    assert "missing   the token is not accepted: " in bad.out
    told = json.loads(ask("explain", "--token-file", token, "tools/call", "list_tickets", "--json").out)
    assert told["reason"] == "token_malformed"
    assert ask("explain", "--token-file", token, "tools/call", "x", "--server", "no").code == 2


@pytest.mark.parametrize("words", [[], ["--subject", "user:a", "--token-file", "x"]])
def test_explain_needs_one_caller(ask: Any, words: list[str]) -> None:
    assert ask("explain", "tools/call", "x", *words).code == 2


def test_who_can_and_what_can(ask: Any) -> None:
    said = ask("who-can", "tools/call", "delete_ticket")
    assert said.code == 0
    assert [line.split("\t")[0] for line in said.out.splitlines()] == ["user:adam", "role:admin"]
    assert "locked out by a deny row, whatever else they hold: user:mallory" in said.err
    nobody = ask("who-can", "tools/call", "sing")
    assert (nobody.code, nobody.out) == (1, "nobody may do tools/call sing\n")
    mine = ask("what-can", "user:vera")
    assert mine.code == 0
    assert "ops-assistant\tresources/read\tinventory://* (any other)\t" in mine.out
    assert "a pattern stands for every name" in mine.err
    assert ask("what-can", "user:mallory").out == "user:mallory may do nothing\n"
    told = json.loads(ask("what-can", "user:alice", "--json").out)
    assert [one["required_scopes"] for one in told if one["tool"] == "create_ticket"] == [["tickets:write"]]
    assert [one["who"] for one in json.loads(ask("who-can", "tools/call", "delete_ticket", "--json").out)]
    assert ask("who-can", "tools/call", "x", "--server", "no").code == 2


def test_the_matrix_in_every_form(ask: Any, desk: Path) -> None:
    head, *rows = ask("matrix", "--who", "roles").out.splitlines()
    assert head.split("\t") == ["server", "method", "tool", "role:admin", "role:support", "role:viewer"]
    assert "ops-assistant\ttools/call\tcreate_ticket\twith tickets:write\twith tickets:write\t-" in rows
    told = json.loads(ask("matrix", "--json").out)
    assert {one["who"] for one in told if one["allowed"] and one["tool"] == "delete_ticket"} == {
        "user:adam",
        "role:admin",
    }
    page = desk / "matrix.html"
    assert ask("matrix", "--format", "html", "--output", page).code == 0
    assert page.read_text().startswith("<!doctype html>")
    again = desk / "matrix.json"
    assert ask("matrix", "--format", "json", "--output", again).code == 0
    assert json.loads(again.read_text()) == told
    assert ask("matrix", "--server", "no").code == 2


def test_the_matrix_as_csv_is_a_test_that_holds(ask: Any, desk: Path) -> None:
    assert ask("matrix", "--format", "csv", "--output", desk / "policies" / "matrix.csv").code == 0
    said = ask("test")
    assert said.code == 0
    assert said.out == "ok  62 expectations hold\n"


@pytest.mark.process
@pytest.mark.timeout(60)
def test_the_matrix_fits_the_window_with_columns_or_lists(desk: Path) -> None:
    wide = seen(160, "policy", "matrix", "--config", desk / "authz.toml").splitlines()
    assert wide[0] == "ops-assistant"
    assert wide[1].split() == ["method", "tool", *(f"user:{one}" for one in ("adam", "alice", "mallory", "vera")),
                               *(f"role:{one}" for one in ("admin", "support", "viewer"))]  # fmt: skip
    assert any("create_ticket" in line and "with scope" in line for line in wide)
    narrow = seen(80, "policy", "matrix", "--config", desk / "authz.toml")
    assert max(map(len, narrow.splitlines())) <= 80
    assert "delete_ticket" in narrow
    assert narrow.splitlines()[1].split() == ["method", "tool", "who"]


def test_many_names_are_listed_beside_each_call(ask: Any, desk: Path) -> None:
    with (desk / "policies" / "policy.csv").open("a") as rows:
        rows.write("".join(f"g, user:u{at}, role:viewer\n" for at in range(9)))
    assert "user:u8, user:vera" in ask("matrix").out


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
