"""Lint: each warning with its code and place, nothing said about a good policy, and that a flagged row is idle."""

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import given

from authz_sidecar.policy.check import check
from authz_sidecar.policy.lint import CODES
from tests.policy import plainly
from tests.policy.drawn import ANYONE, CALM, answers, files, loaded, made, policies, scopes, without
from tests.policy.plainly import SHIPPED

TOOLS = json.dumps(
    {
        "desk": {
            "tools": [{"name": "echo", "inputSchema": {"type": "object"}}, {"name": "tickets_add"}],
            "resources": [{"uri": "doc://a", "name": "a"}],
            "resourceTemplates": [{"uriTemplate": "db://{table}/rows"}],
            "prompts": [{"name": "greet"}],
        }
    }
)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param(
            "p, role:r, desk, tools/call, t, allow\np, role:r, *, tools/call, *, deny",
            [(1, 1, "shadowed-by-deny")],
            id="a deny covers an allow",
        ),
        pytest.param(
            "p, role:r, desk, tools/call, t, allow\np, role:s, *, *, *, deny\ng, role:r, role:s",
            [(1, 1, "shadowed-by-deny")],
            id="a deny of a role that is held covers an allow",
        ),
        pytest.param(
            "p, role:r, desk, tools/call, t, allow\np, role:r, desk, tools/call, t*, allow",
            [(1, 1, "shadowed-by-allow")],
            id="a broader allow covers an allow",
        ),
        pytest.param(
            "p, role:r, desk, tools/call, t, deny\np, role:*, desk, tools/call, t*, deny",
            [(1, 1, "redundant-deny")],
            id="a broader deny covers a deny",
        ),
        pytest.param(
            "p, role:t*, desk, tools/call, t, allow\np, role:*, desk, tools/call, t, allow",
            [(1, 1, "shadowed-by-allow")],
            id="a broader subject pattern covers a subject pattern",
        ),
        pytest.param(
            "p, role:r, desk, tools/call, t, allow\np, role:r, desk, tools/call, t, allow",
            [(2, 1, "duplicate-row")],
            id="a duplicate is not a shadow",
        ),
        pytest.param(
            "p, role:r, desk, tools/list, t, allow\np, role:r, desk, *, *, allow\np, role:q, desk, tools/call, *, deny",
            [],
            id="a row for a list alone is the last word, and not idle",
        ),
        pytest.param("p, role:r, desk, tools/call, t*, allow\np, role:r, desk, tools/call, u*, deny", [], id="apart"),
        pytest.param(
            "p, role:r, desk, tools/call, t, allow\n# until 2999-01-01\np, role:r, desk, tools/call, *, allow",
            [],
            id="a broader row that ends first",
        ),
        pytest.param(
            "# until 2998-01-01\np, role:r, desk, tools/call, t, allow\n"
            "# until 2999-01-01\np, role:r, desk, tools/call, *, allow",
            [(2, 1, "shadowed-by-allow")],
            id="a broader row that ends later",
        ),
        pytest.param("p, *, desk, tools/call, *, allow", [(1, 4, "allows-everybody")], id="everything to everybody"),
        pytest.param("p, user:*, desk, *, *, allow", [(1, 4, "allows-everybody")], id="everything to every user"),
        pytest.param("p, user:*, desk, tools/call, t, allow", [], id="one tool to every user is fine"),
        pytest.param("p, role:r, desk, logging/setLevel, t, allow", [(1, 36, "never-matches")], id="acts on nothing"),
        pytest.param("p, role:r, desk, resources/read, doc, allow", [(1, 34, "never-matches")], id="no URI"),
        pytest.param("p, role:r, desk, resources/read, doc*, allow", [], id="the beginning of a URI"),
        pytest.param(
            "p, role:r, desk, completion/complete, greet, allow", [(1, 39, "never-matches")], id="no reference"
        ),
        pytest.param("p, role:r, desk, completion/complete, ref/prompt:greet, allow", [], id="a reference"),
        pytest.param(
            "p, role:support, desk, tools/call, t, allow\np, role:Support, desk, tools/call, u, allow",
            [(2, 4, "differs-by-case")],
            id="subjects that differ by case",
        ),
        pytest.param(
            "p, role:r, desk, tools/call, Echo, allow\np, role:r, desk, tools/call, echo, allow",
            [(2, 30, "differs-by-case")],
            id="tools that differ by case",
        ),
        pytest.param(
            "p, role:r, desk, tools/call, t, allow\ng, user:a, role:r\ng, user:b, role:rr",
            [(3, 12, "idle-role")],
            id="a role that no row is about",
        ),
        pytest.param(
            "p, role:r*, desk, tools/call, t, allow\ng, user:b, role:rr",
            [],
            id="a role that a pattern is about",
        ),
        pytest.param("p, role:r, nowhere, tools/call, t, allow", [(1, 12, "unknown-server")], id="an unknown server"),
    ],
)
async def test_what_is_surely_not_meant_is_said_where_it_stands(rows: str, said: list[tuple[int, int, str]]) -> None:
    built = await made(files(rows + "\n"))
    assert built.problems == ()
    assert [(one.line, one.column, one.code) for one in built.warnings] == said
    assert {one.code for one in built.warnings} <= CODES.keys()


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param(
            "p, role:r, desk, tools/call, t, allow", ["unheld-role"], id="no g row, and no token carries roles"
        ),
        pytest.param("p, role:r, desk, tools/call, t, allow\ng, user:a, role:r", [], id="a g row"),
        pytest.param(
            "p, role:r, desk, tools/call, t, allow\ng, role:q, role:r", ["unheld-role"], id="a g row from nobody"
        ),
        pytest.param("p, group:g, desk, tools/call, t, allow", ["unheld-role"], id="a group"),
        pytest.param("p, user:a, desk, tools/call, t, allow", [], id="a user"),
    ],
)
async def test_a_role_that_nobody_can_have_is_said(rows: str, said: list[str]) -> None:
    built = await made(files(rows + "\n"), carried=frozenset({"user:", "client:", "agent:"}))
    assert [one.code for one in built.warnings] == said


@pytest.mark.parametrize(
    ("row", "code"),
    [
        pytest.param("p, role:r, desk, tools/call, echo, allow", None, id="a recorded tool"),
        pytest.param("p, role:r, desk, tools/call, ecco, allow", "unknown-tool", id="a slip of the pen"),
        pytest.param("p, role:r, desk, tools/call, tickets_*, allow", None, id="a beginning of a recorded tool"),
        pytest.param("p, role:r, desk, tools/call, orders_*, allow", "unknown-tool", id="a beginning of none"),
        pytest.param("p, role:r, desk, tools/list, ecco, deny", "unknown-tool", id="a list of what can be called"),
        pytest.param("p, role:r, shop, tools/call, ecco, allow", None, id="a server that was not recorded"),
        pytest.param("p, role:r, *, tools/call, ecco, allow", None, id="a server among them was not recorded"),
        pytest.param("p, role:r, desk, resources/read, doc://a, allow", None, id="a recorded resource"),
        pytest.param("p, role:r, desk, resources/read, db://x/rows, allow", None, id="a resource of a template"),
        pytest.param("p, role:r, desk, resources/read, doc://b, allow", "unknown-tool", id="another resource"),
        pytest.param("p, role:r, desk, prompts/get, greet, allow", None, id="a recorded prompt"),
    ],
)
async def test_tools_are_held_against_the_recorded_lists(row: str, code: str | None) -> None:
    built = await made(files(row + "\n", tools=TOOLS))
    assert [one.code for one in built.warnings] == ([code] if code else [])


async def test_a_slip_of_the_pen_is_told_with_what_was_meant() -> None:
    built = await made(files("p, role:r, desk, tools/call, ecco, allow\n", tools=TOOLS))
    assert built.warnings[0].message.endswith("as recorded in tools.json, did you mean `echo`")


@pytest.mark.parametrize(
    ("policy", "row", "code"),
    [
        pytest.param("p, role:r, desk, tools/call, t, allow", "desk,tools/call,t,s", None, id="guards an allowed tool"),
        pytest.param(
            "p, role:r, desk, tools/call, t, allow", "desk,tools/call,u,s", "scope-never-applies", id="nobody"
        ),
        pytest.param("p, role:r, desk, tools/call, t*, allow", "desk,tools/call,tt*,s", None, id="inside a beginning"),
        pytest.param("p, role:r, desk, tools/call, tt, allow", "desk,tools/call,t*,s", None, id="round a literal"),
        pytest.param(
            "p, role:r, desk, tasks/get, t, allow", "desk,tools/call,t,s", None, id="by a method that follows"
        ),
        pytest.param("p, role:r, desk, tools/call, t, allow", "desk,tasks/get,t,s", None, id="a method that follows"),
        pytest.param("p, role:r, desk, *, *, allow", "desk,completion/complete,*,s", None, id="completion"),
    ],
)
async def test_a_scope_row_that_guards_nothing_is_said(policy: str, row: str, code: str | None) -> None:
    built = await made(files(policy + "\n", scopes=row + "\n"))
    assert [one.code for one in built.warnings] == ([code] if code else [])


async def test_scope_rows_that_say_the_same_are_told() -> None:
    built = await made(files("p, role:r, desk, *, *, allow\n", scopes="desk,tools/call,t,a b\ndesk,tools/call,t,b a\n"))
    assert [(one.line, one.code) for one in built.warnings] == [(3, "duplicate-row")]


async def test_the_shipped_policy_is_quiet_also_when_no_token_carries_roles() -> None:
    carried = ANYONE - {"role:", "group:"}
    report = await check(SHIPPED, engine=plainly.LinearEngine(), servers=plainly.SERVERS, carried=carried)
    assert report.warnings == ()


async def test_hints_stay_cheap_in_a_large_policy() -> None:
    rows = "".join(f"p, role:r{number}, desk, tools/call, t{number}, allow\n" for number in range(2_500))
    built = await made(files(rows), carried=frozenset({"user:"}))
    assert {one.code for one in built.warnings} == {"unheld-role", "more"}


@CALM
@given(policies, scopes)
def test_a_row_that_lint_calls_idle_can_go_and_nobody_notices(policy: str, scope_rows: str) -> None:
    whole = loaded(policy, scopes=scope_rows)
    built = asyncio.run(made(files(policy, scopes=scope_rows)))
    idle = {"shadowed-by-deny", "shadowed-by-allow", "redundant-deny"}
    for line in {one.line for one in built.warnings if one.code in idle and one.file == "policy.csv"}:
        left = tuple(rule for rule in whole.rules.rules if rule.line != line)
        assert answers(without(whole, replace(whole.rules, rules=left)), like=whole) == answers(whole)


@CALM
@given(policies, scopes)
def test_a_scope_row_that_never_applies_can_go_and_nobody_notices(policy: str, scope_rows: str) -> None:
    whole = loaded(policy, scopes=scope_rows)
    built = asyncio.run(made(files(policy, scopes=scope_rows)))
    for line in {one.line for one in built.warnings if one.code == "scope-never-applies"}:
        left = tuple(row for row in whole.rules.scopes if row.line != line)
        assert answers(without(whole, replace(whole.rules, scopes=left)), like=whole) == answers(whole)
