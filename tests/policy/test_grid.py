"""`matrix.csv`: expectations as a table."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import PolicyProblems
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.grid import parse_matrix
from tests.policy.drawn import files, made

RULES = "p, role:r, desk, tools/call, t, allow\np, role:r, desk, tools/call, u, allow\n"


async def test_each_cell_is_an_expectation_and_an_empty_one_is_none() -> None:
    matrix = """\
# what must be
server, method,     tool, scopes, user:a role:r,      user:b
desk,   tools/call, t,    s1,     allow,              deny
desk,   tools/call, t,    ,       insufficient_scope,
desk,   tools/list, ,     ,       allow,              allow
"""
    built = await made(files(RULES, matrix=matrix, scopes="desk,tools/call,t,s1\n"))
    assert built.problems == ()
    assert built.expectations_run == 5
    said = [(row.subjects, row.tool, row.scopes, row.expect, row.line) for row in built.rules.expectations]
    assert said[:2] == [
        (("user:a", "role:r"), "t", ("s1",), "allow", 3),
        (("user:b",), "t", ("s1",), "deny", 3),
    ]


async def test_it_stands_beside_expectations_and_fails_at_its_cell() -> None:
    tests = "role:r,desk,tools/call,u,,,allow\n"
    matrix = "server,method,tool,role:r,role:s\ndesk,tools/call,t,allow,allow\n"
    built = await made(files(RULES, expectations=tests, matrix=matrix))
    assert [str(problem) for problem in built.problems] == [
        "matrix.csv:2:25: expected `allow` for role:s: tools/call t, got `no_matching_rule`"
    ]


@pytest.mark.parametrize(
    ("matrix", "problem"),
    [
        pytest.param("", "matrix.csv: is empty, expected the header `server,method,tool,<subjects>…`", id="empty"),
        pytest.param("# a\n", "matrix.csv: is empty, expected the header `server,method,tool,<subjects>…`", id="bare"),
        pytest.param(
            "server,method,tool\n",
            "matrix.csv:1:1: expected the header `server,method,tool,<subjects>…`, for example "
            "`server,method,tool,user:a",
            id="no subjects",
        ),
        pytest.param("server,method,tool,scopes\n", "matrix.csv:1:1: expected the header", id="scopes alone"),
        pytest.param("a,b\n", "matrix.csv:1:1: expected the header", id="another header"),
        pytest.param("server,method,tool,alice\n", "matrix.csv:1:20: `alice` needs `user:`", id="no prefix"),
        pytest.param(
            "server,method,tool,user:a\ndesk,tools/call,t,yes\n",
            "matrix.csv:2:19: unknown expectation `yes`",
            id="cell",
        ),
        pytest.param(
            "server,method,tool,user:a\ndesk,tools/call,t\n", "matrix.csv:2:1: this row has 3 fields", id="short"
        ),
        pytest.param("server,method,tool,user:a\nx,tools/call,t,deny\n", "matrix.csv:2:1: no configured", id="server"),
        pytest.param("server,method,tool,user:a\ndesk,x,t,deny\n", "matrix.csv:2:6: no known method", id="method"),
        pytest.param("server,method,tool,user:a\ndesk,*,t,deny\n", "matrix.csv:2:6: `*` is a pattern", id="pattern"),
    ],
)
async def test_mistakes_are_told_where_they_stand(matrix: str, problem: str) -> None:
    built = await made(files(RULES, matrix=matrix))
    assert len(built.problems) == 1
    assert str(built.problems[0]).startswith(problem)


async def test_it_decides_nothing() -> None:
    bare, tested = await made(files(RULES)), await made(files(RULES, matrix="server,method,tool,user:a\n"))
    assert bare.revision == tested.revision


@given(st.binary(max_size=200) | st.text(alphabet='server,mthodl:ua*\n"# ', max_size=120).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(PolicyProblems):
        parse_matrix("matrix.csv", data, {}, Findings())
        asyncio.run(made(files(RULES) | {"matrix.csv": data}))
