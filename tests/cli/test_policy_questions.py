"""The commands that ask a policy: why, who can, what can, and the matrix."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from tests.cli.test_terminal import seen


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
