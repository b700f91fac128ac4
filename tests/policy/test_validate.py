"""Rows against the configured servers and issuers: a typo that would open something is an error."""

from collections.abc import Mapping

import pytest

from authz_sidecar.errors import Problem
from authz_sidecar.model import Server
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse
from authz_sidecar.policy.validate import validate
from tests.policy.plainly import MODEL

SERVERS = {
    "desk": Server(name="desk", audience="https://desk.example"),
    "lab": Server(name="lab", audience="https://lab.example", methods=frozenset({"lab/mix"})),
}
HEADERS = {
    "scopes.csv": "server,method,tool,scopes\n",
    "expectations.csv": "subjects,server,method,tool,scopes,args,expect\n",
}


def findings(
    rows: Mapping[str, str], qualified_by: frozenset[str] = frozenset()
) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    files = {name: (HEADERS.get(name, "") + text + "\n").encode() for name, text in rows.items()}
    found = Findings()
    parsed = parse({"policy.csv": b"", "model.conf": MODEL} | files, found)
    validate(parsed, SERVERS, qualified_by, found)
    return found.problems, found.warnings


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        pytest.param("p, user:a, dsk, tools/call, t, {}", 12, "`dsk`, did you mean `desk`", id="misspelt server"),
        pytest.param("p, user:a, zzz*, tools/call, t, {}", 12, "matches `zzz*`", id="server pattern"),
        pytest.param("p, user:a, desk, tools/cal, t, {}", 18, "did you mean `tools/call`", id="misspelt method"),
        pytest.param("p, user:a, desk, zzz/*, t, {}", 18, "matches `zzz/*`", id="method pattern"),
        pytest.param("p, user:a, desk, lab/mix, t, {}", 18, "matches `lab/mix`", id="method of another server"),
    ],
)
def test_a_name_that_matches_nothing_is_an_error_where_it_opens(row: str, column: int, says: str) -> None:
    problems, warnings = findings({"policy.csv": row.format("deny")})
    assert ([problem.column for problem in problems], warnings) == ([column], ())
    assert says in problems[0].message
    problems, warnings = findings({"policy.csv": row.format("allow")})
    assert (problems, [warning.column for warning in warnings]) == ((), [column])
    assert says in warnings[0].message


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        pytest.param("dsk,tools/call,t,x", 1, "unknown-server", id="server"),
        pytest.param("desk,tools/cal,t,x", 6, "unknown-method", id="method"),
        pytest.param("desk,initialize,t,x", 6, "method-passes", id="method that passes"),
    ],
)
def test_a_scope_row_that_guards_nothing_is_an_error(row: str, column: int, code: str) -> None:
    problems, _ = findings({"policy.csv": "p,user:a,*,*,*,allow", "scopes.csv": row})
    assert [(problem.file, problem.line, problem.column, problem.code) for problem in problems] == [
        ("scopes.csv", 2, column, code)
    ]


def test_a_scope_row_for_a_list_is_a_warning() -> None:
    problems, warnings = findings({"policy.csv": "p,user:a,*,*,*,allow", "scopes.csv": "desk,tools/list,*,x"})
    assert (problems, [warning.code for warning in warnings]) == ((), ["scope-on-list"])


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("p, user:a, *, *, *, deny", id="everything"),
        pytest.param("p, user:a, d*, tools/*, t*, deny", id="patterns"),
        pytest.param("p, user:a, lab, lab/mix, t, deny", id="method of the server"),
        pytest.param("p, user:a, *, lab/mix, t, deny", id="method of one of the servers"),
    ],
)
def test_names_that_match_something_are_taken(row: str) -> None:
    assert findings({"policy.csv": row}) == ((), ())


@pytest.mark.parametrize("effect", ["allow", "deny"])
@pytest.mark.parametrize("method", ["initialize", "ping", "notifications/cancelled", "notifications/*", "session/*"])
def test_a_row_for_methods_that_every_valid_token_may_do_is_an_error(method: str, effect: str) -> None:
    (problem,), _ = findings({"policy.csv": f"p, user:a, desk, {method}, *, {effect}"})
    assert (problem.column, problem.code) == (18, "method-passes")
    assert "needs a valid token and nothing else; this row would do nothing" in problem.message


@pytest.mark.parametrize("text", ["", "# notes alone", "g, user:a, role:b"])
def test_an_empty_policy_is_a_warning(text: str) -> None:
    problems, warnings = findings({"policy.csv": text})
    assert (problems, [warning.code for warning in warnings]) == ((), ["empty-policy"])


def test_a_policy_of_broken_rows_is_not_called_empty() -> None:
    problems, warnings = findings({"policy.csv": "P, user:a, *, *, *, deny"})
    assert (len(problems), warnings) == (1, ())


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        pytest.param("user:a,dsk,tools/call,t,,,deny", 8, "unknown-server", id="server"),
        pytest.param("user:a,desk,tools/cal,t,,,deny", 13, "unknown-method", id="method"),
    ],
)
def test_an_expectation_about_nothing_is_an_error(row: str, column: int, code: str) -> None:
    (problem,), _ = findings({"policy.csv": "p,user:a,*,*,*,allow", "expectations.csv": row})
    assert (problem.line, problem.column, problem.code) == (2, column, code)
    assert "did you mean" in problem.message


def test_an_expectation_may_say_that_a_method_is_unknown() -> None:
    rows = {"policy.csv": "p,user:a,*,*,*,allow", "expectations.csv": "user:a,desk,x/y,t,,,method_unknown"}
    assert findings(rows) == ((), ())


ALIASES = frozenset({"corp", "labs"})


@pytest.mark.parametrize(
    ("row", "column", "says"),
    [
        pytest.param("p, user:a, *, *, *, deny", 4, "write `user:corp/a` or `user:labs/a`", id="user"),
        pytest.param("p, user:*, *, *, *, deny", 4, "write `user:corp/*` or `user:labs/*`", id="every user"),
        pytest.param("p, client:c, *, *, *, deny", 4, "`client:corp/c`", id="client"),
        pytest.param("p, agent:c, *, *, *, deny", 4, "`agent:corp/c`", id="agent"),
        pytest.param("p, role:r, *, *, *, deny", 4, "`role:corp/r`", id="role that no row makes"),
        pytest.param("p, group:r, *, *, *, deny", 4, "`group:corp/r`", id="group"),
        pytest.param("p, role:*, *, *, *, deny", 4, "`role:corp/*`", id="every role"),
        pytest.param("p, user:corq/a, *, *, *, deny", 4, "issuer `corq`, did you mean `corp`", id="misspelt alias"),
        pytest.param("p, user:zzz/a, *, *, *, deny", 4, "aliases are `corp` or `labs`", id="unknown alias"),
        pytest.param("p, user:co*, *, *, *, deny", 4, "`user:corp/co*`", id="beginning of an alias"),
        pytest.param("g, user:a, role:r\np,*,*,*,*,allow", 4, "`user:corp/a`", id="member"),
        pytest.param("g, role:q, role:r\np,*,*,*,*,allow", 4, "`role:corp/q`", id="role as a member"),
    ],
)
def test_an_unqualified_name_is_an_error_beside_a_second_issuer(row: str, column: int, says: str) -> None:
    problems, _ = findings({"policy.csv": row}, ALIASES)
    assert [problem.column for problem in problems] == [column]
    assert says in problems[0].message


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param("p, user:corp/a, *, *, *, deny", id="user"),
        pytest.param("p, user:corp/*, *, *, *, deny", id="every user of an issuer"),
        pytest.param("p, *, *, *, *, deny", id="everybody"),
        pytest.param("p, role:corp/r, *, *, *, deny", id="role of an issuer"),
        pytest.param("g, user:corp/a, role:r\np, role:r, *, *, *, deny", id="role that a row makes"),
        pytest.param("g, user:corp/a, role:ops-x\np, role:ops-*, *, *, *, deny", id="roles that rows make"),
        pytest.param("g, user:corp/a, role:r\ng, role:r, group:s\np,*,*,*,*,allow", id="made role as a member"),
        pytest.param("g, user:corp/a, role:corp/r\np,*,*,*,*,allow", id="role of an issuer on the right"),
    ],
)
def test_names_that_say_their_issuer_are_taken(rows: str) -> None:
    assert findings({"policy.csv": rows}, ALIASES) == ((), ())


def test_expectations_say_their_issuer_too() -> None:
    rows = {"policy.csv": "p,*,*,*,*,allow", "expectations.csv": "user:a role:corp/r,desk,tools/call,t,,,allow"}
    (problem,), _ = findings(rows, ALIASES)
    assert (problem.file, problem.line, problem.column, problem.code) == ("expectations.csv", 2, 1, "unqualified-name")


def test_with_one_issuer_names_stand_as_they_are() -> None:
    assert findings({"policy.csv": "p, user:a, *, *, *, deny"}) == ((), ())
