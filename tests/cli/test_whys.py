"""`policy explain`: by the files and by what is in force, with the facts that conditions need, and its mistakes."""

import asyncio
import json
from pathlib import Path

import pytest
import structlog

from tests.app.running import House, house, running
from tests.cli.conftest import Run

MODEL = """\
[request_definition]
r = sub, dom, obj, act
[policy_definition]
p = sub, dom, obj, act, eft
[role_definition]
g = _, _, _
g2 = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub, r.dom) && r.dom == p.dom && g2(r.obj, p.obj) && r.act == p.act
"""


async def test_the_running_sidecar_is_asked_by_what_is_in_force(run: Run) -> None:
    with house() as home, structlog.testing.capture_logs():
        asked = ("policy", "explain", "--subject", "user:alice", "tools/call", "echo", "--config", home.config)
        async with running(home):
            home.policy.write_text("p, user:alice, ops, tools/call, echo, deny\np, broken\n")
            said = await asyncio.to_thread(run, *asked, "--sidecar")
            by_token = await _by_token(run, home)
        files = await asyncio.to_thread(run, *asked)
        silent = await asyncio.to_thread(run, *asked, "--sidecar")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("allowed  tools/call echo  on ops  because allowed_by_rule\n")
    assert "policy.csv:1\tallows it\tp, role:user, ops, tools/call, echo, allow\n" in said.out
    assert by_token == 0
    assert files.code == 1
    assert "error policy.csv:2" in files.err
    assert silent.code == 3
    assert "nobody answers" in silent.err


async def _by_token(run: Run, home: House) -> int:
    words = ("policy", "explain", "--token-file", "-", "tools/call", "echo", "--config", home.config, "--sidecar")
    return (await asyncio.to_thread(run, *words, stdin=home.token().encode())).code


def _condition(home: House) -> None:
    home.configure(issuers=home.issuer(), extra='[context]\nkeys = ["ip"]\n')
    home.policy.write_text("p, user:alice, ops, tools/call, echo, allow, \"context.ip == '10.0.0.1'\"\n")


def test_facts_for_conditions_can_be_given(run: Run) -> None:
    with house() as home:
        _condition(home)
        asked = ("policy", "explain", "--subject", "user:alice", "tools/call", "echo", "--config", home.config)
        inside = run(*asked, "--context", "ip=10.0.0.1")
        outside = run(*asked, "--context", "ip=10.0.0.2")
        wrong = run(*asked, "--context", "ip")
    assert (inside.code, inside.err) == (0, "")
    assert outside.code == 1
    assert "missing   the condition `context.ip == '10.0.0.1'` does not hold  policy.csv:1\n" in outside.out
    assert wrong.code == 2
    assert "expected NAME=VALUE" in wrong.err


def test_groups_of_tools_are_shown_with_the_rows_that_make_them(run: Run) -> None:
    with house() as home:
        (home.policy.parent / "model.conf").write_text(MODEL)
        home.policy.write_text("p, role:r, ops, grp, tools/call, allow\ng, user:alice, role:r, ops\ng2, echo, grp\n")
        asked = ("policy", "explain", "--subject", "user:alice", "tools/call", "echo", "--config", home.config)
        said = run(*asked)
        told = json.loads(run(*asked, "--json").out)
    assert said.code == 0
    assert "grp\techo -> grp (policy.csv:3)\n" in said.out
    assert told["groups"][1] == {
        "name": "grp",
        "by": [{"file": "policy.csv", "line": 3, "text": "g2, echo, grp"}],
    }


def test_what_no_row_of_ours_decided_is_named_all_the_same(run: Run) -> None:
    with house() as home:
        said = run("policy", "explain", "--subject", "user:bob", "ping", "--config", home.config)
    assert said.code == 0
    assert "rule      builtin  needs a valid token and nothing else\n" in said.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param((), "name the caller", id="nobody"),
        pytest.param(("--subject", "alice"), "`alice` is no name, write for example `user:alice`", id="no prefix"),
        pytest.param(
            ("--subject", "user:a", "--subject", "user:b"), "`user:a` and `user:b` are two callers", id="two users"
        ),
        pytest.param(
            ("--subject", "user:a", "--sidecar", "--policy", "policies"), "name one", id="in force and in a directory"
        ),
        pytest.param(("--subject", "user:a", "--arguments", "[1]"), "is not a JSON object", id="no object"),
    ],
)
def test_a_mistake_in_the_question_is_told(run: Run, words: tuple[str, ...], says: str, tmp_path: Path) -> None:
    with house() as home:
        said = run("policy", "explain", "tools/call", "echo", *words, "--config", home.config)
    assert said.code == 2
    assert says in said.err.replace("\n", " ")


def test_names_that_are_no_caller_are_told_by_what_can_too(run: Run) -> None:
    with house() as home:
        said = run("policy", "what-can", "alice", "--config", home.config)
    assert said.code == 2
    assert "write for example `user:alice`" in said.err
