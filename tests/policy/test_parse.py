"""Rows of the policy: what they mean, and where they are wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import Problem
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse, parse_policy
from authz_sidecar.policy.tables import parse_expectations, parse_scopes
from authz_sidecar.rules import Effect, Pattern
from tests.policy.plainly import MODEL

SCOPES = "server,method,tool,scopes\n"
EXPECTATIONS = "subjects,server,method,tool,scopes,args,expect\n"


def problems(text: str) -> list[Problem]:
    found = Findings()
    parse_policy(text.encode(), {}, found)
    return list(found.problems)


def test_a_rule_is_read_with_its_place() -> None:
    found = Findings()
    (rule,), _ = parse_policy(b"# note\np, role:a,  s*, tools/call, \\*x*, deny\n", {}, found)
    assert found.problems == found.warnings == ()
    assert (rule.subject, rule.server, rule.method) == (Pattern("role:a"), Pattern("s", True), Pattern("tools/call"))
    assert (rule.tool, rule.effect) == (Pattern("*x", True), Effect.DENY)
    assert (rule.source, rule.line, rule.text) == (
        "policy.csv",
        2,
        "p, role:a, s*, tools/call, \\*x*, deny",
    )


def test_a_membership_is_read_with_its_place() -> None:
    _, (row,) = parse_policy(b"g, user:a, group:b\n", {}, Findings())
    assert (row.member, row.role, row.source, row.line, row.text) == (
        "user:a",
        "group:b",
        "policy.csv",
        1,
        "g, user:a, group:b",
    )


@pytest.mark.parametrize(
    ("text", "where", "code", "says"),
    [
        pytest.param("P, user:a, s, m, t, deny", "1:1", "unknown-row-kind", "`P`, expected `p`", id="upper-case kind"),
        pytest.param("g2, user:a, role:b", "1:1", "unknown-row-kind", "`g2`, expected `g`", id="second kind of g"),
        pytest.param("allow, x", "1:1", "unknown-row-kind", "expected `p` or `g`", id="no kind at all"),
        pytest.param(
            "p, user:a, s, m, t, Deny", "1:21", "unknown-effect", "`Deny`, expected `deny`", id="cased effect"
        ),
        pytest.param("p, user:a, s, m, t, alow", "1:21", "unknown-effect", "expected `allow`", id="misspelt effect"),
        pytest.param("p, user:a, s, m, t, x", "1:21", "unknown-effect", "expected `allow` or `deny`", id="odd effect"),
        pytest.param("p, user:a, s, m, t,", "1:20", "empty-field", "an empty effect", id="empty effect"),
        pytest.param("p, user:a, s, m, t", "1:1", "row-too-short", "has 5 fields, expected 6", id="short rule"),
        pytest.param("g, user:a", "1:1", "row-too-short", "has 2 fields, expected 3", id="short membership"),
        pytest.param("g, user:a, role:b, d", "1:20", "row-too-long", "has 4 fields", id="long membership"),
        pytest.param("p, user:a, s, m, t, deny, x, y", "1:30", "row-too-long", "has 8 fields", id="long rule"),
        pytest.param('p, user:a, s, m, t, deny, "", ""', "1:27", "row-too-long", "has 8 fields", id="quoted empty"),
        pytest.param('p, user:a, s, m, t, allow, "a < 1"', "1:28", "condition-not-available", "`when`", id="condition"),
        pytest.param("p, user:a, , m, t, deny", "1:12", "empty-field", "write `*`", id="empty server"),
        pytest.param(
            "p, alice, s, m, t, deny", "1:4", "unprefixed-subject", "for example `user:alice`", id="plain name"
        ),
        pytest.param("p, alice, s, m, t, deny", "1:4", "unprefixed-subject", "`role:`, `group:`", id="five prefixes"),
        pytest.param("p, User:a, s, m, t, deny", "1:4", "unprefixed-subject", "`user:a`", id="cased prefix"),
        pytest.param("p, al*, s, m, t, deny", "1:4", "unprefixed-subject", "`al*` needs", id="pattern without prefix"),
        pytest.param("p, x:y, s, m, t, deny", "1:4", "unprefixed-subject", "`x:y` needs", id="another prefix"),
        pytest.param("p, user:, s, m, t, deny", "1:9", "empty-name", "no name", id="prefix alone"),
        pytest.param("p, user: a, s, m, t, deny", "1:9", "blank-in-name", "blank", id="blank behind the prefix"),
        pytest.param("p, user:a, s*x, m, t, deny", "1:13", "star-inside", "`\\*`", id="star inside"),
        pytest.param("p, user:a, s**, m, t, deny", "1:13", "star-inside", "`\\*`", id="two stars"),
        pytest.param("p, user:a, s, m, t\\x, deny", "1:19", "lone-backslash", "only `\\*`", id="lone backslash"),
        pytest.param("p, user:a, s, m, t\\, deny", "1:19", "lone-backslash", "only `\\*`", id="backslash at the end"),
        pytest.param("p, user:a, s, m, t\\\\*, deny", "1:19", "lone-backslash", "escapes", id="two backslashes"),
        pytest.param('p, user:a, s, m, "a*b", deny', "1:18", "star-inside", "`a*b`", id="place of a quoted field"),
        pytest.param("g, user:*, role:b", "1:9", "pattern-not-allowed", "whole name", id="pattern as a member"),
        pytest.param("g, user:a, role:*", "1:17", "pattern-not-allowed", "whole name", id="pattern as a role"),
        pytest.param("g, a, role:b", "1:4", "unprefixed-subject", "`user:a`", id="plain member"),
        pytest.param("g, user:a, user:b", "1:12", "not-a-role", "`role:` or `group:`", id="user as a role"),
        pytest.param("g, user:a, b", "1:12", "unprefixed-subject", "needs", id="plain role"),
        pytest.param("g, role:a, role:a", "1:4", "self-membership", "member of itself", id="self-membership"),
        pytest.param(
            "p, user:a, s, resources/read, f://a/../b, deny", "1:31", "unsafe-uri", "dot segment", id="dot segment"
        ),
        pytest.param("p, user:a, s, resources/*, f://a/%2E, deny", "1:28", "unsafe-uri", "`%2E`", id="encoded dot"),
        pytest.param("p, user:a, s, resources/read, %2fx, deny", "1:31", "unsafe-uri", "`%2f`", id="encoded slash"),
        pytest.param("p, user:a, s, *, f://a%5Cb, deny", "1:18", "unsafe-uri", "`%5C`", id="encoded backslash"),
        pytest.param("p, user:a, s, *, f://a%00, deny", "1:18", "unsafe-uri", "`%00`", id="encoded NUL"),
        pytest.param('p, user:a, s, resources/read, "a\tb", deny', "1:31", "unsafe-uri", "refused", id="tab in a URI"),
        pytest.param("p, user:a, s, resources/read, ./a?x, deny", "1:31", "unsafe-uri", "dot", id="dot before a query"),
    ],
)
def test_a_wrong_row_is_reported_where_it_is_wrong(text: str, where: str, code: str, says: str) -> None:
    (problem,) = problems(text + "\n")
    assert f"{problem.line}:{problem.column}" == where
    assert problem.code == code
    assert says in problem.message
    assert str(problem).startswith(f"policy.csv:{where}: ")


@pytest.mark.parametrize(
    "tool",
    [
        pytest.param("files://a/.*", id="all hidden files"),
        pytest.param("files://a/.github/x", id="a hidden folder"),
        pytest.param("files://a/b..c", id="two dots in a name"),
        pytest.param("files://a/\\*", id="a literal star"),
    ],
)
def test_uris_that_everybody_reads_alike_are_taken(tool: str) -> None:
    assert problems(f"p, user:a, s, resources/read, {tool}, allow\n") == []


def test_every_field_of_a_row_is_reported() -> None:
    found = problems("p, a, s*s, m\\, , Allow # note\n")
    assert [problem.column for problem in found] == [4, 8, 13, 16, 18, 24]


def test_a_membership_cycle_is_named_whole_with_its_lines() -> None:
    text = "g, user:a, role:x\ng, role:x, role:y\ng, role:y, role:z\ng, role:z, role:x\n"
    (problem,) = problems(text)
    assert (problem.line, problem.column, problem.code) == (2, 4, "membership-cycle")
    assert "`role:x` (line 2) → `role:y` (line 3) → `role:z` (line 4) → `role:x`" in problem.message


def test_every_membership_cycle_is_reported() -> None:
    text = "".join(f"g, role:a{n}, role:b{n}\ng, role:b{n}, role:a{n}\n" for n in range(3))
    assert [problem.line for problem in problems(text)] == [1, 3, 5]


def test_countless_cycles_do_not_take_for_ever() -> None:
    text = "".join(f"g, role:a{n}, role:b{n}\ng, role:b{n}, role:a{n}\n" for n in range(50))
    assert len(problems(text)) == 20


def test_a_diamond_is_no_cycle() -> None:
    assert problems("g, user:a, role:b\ng, user:a, role:c\ng, role:b, role:d\ng, role:c, role:d\n") == []


def test_duplicate_rows_are_warnings() -> None:
    found = Findings()
    text = b"p,user:a,s,m,t,deny\np,user:a,s,m,t,allow\np, user:a,s,m,t,deny\ng,user:a,role:b\n g,user:a,role:b\n"
    parse_policy(text, {}, found)
    assert found.problems == ()
    assert [str(warning) for warning in found.warnings] == [
        "policy.csv:3:1: says the same as line 1",
        "policy.csv:5:4: says the same as line 4",
    ]


def test_scope_rows_are_read() -> None:
    found = Findings()
    text = SCOPES + "s,tools/*,t,  a:b  c\n"
    (row,) = parse_scopes("scopes.csv", text.encode(), {}, found)
    assert found.problems == ()
    assert (row.server, row.method, row.tool) == (Pattern("s"), Pattern("tools/", True), Pattern("t"))
    assert (row.scopes, row.source, row.line) == (("a:b", "c"), "scopes.csv", 2)


@pytest.mark.parametrize(
    ("text", "where", "code"),
    [
        pytest.param("", ":0:0", "no-header", id="empty file"),
        pytest.param("# nothing\n", ":0:0", "no-header", id="notes alone"),
        pytest.param("s,m,t,a\n", ":1:1", "no-header", id="no header"),
        pytest.param("server,method,tool\n", ":1:1", "no-header", id="short header"),
        pytest.param("Server,method,tool,scopes\n", ":1:1", "no-header", id="cased header"),
        pytest.param(SCOPES + "s,m,t,\n", ":2:7", "empty-field", id="no scopes"),
        pytest.param(SCOPES + 's,m,t,"a b\\c"\n', ":2:7", "bad-scope", id="backslash in a scope"),
        pytest.param(SCOPES + "s,m,t,a é\n", ":2:9", "bad-scope", id="scope beyond ASCII"),
        pytest.param(SCOPES + "s,m,t\n", ":2:1", "row-too-short", id="short row"),
        pytest.param(SCOPES + "s,m,t,a,b\n", ":2:9", "row-too-long", id="long row"),
        pytest.param(SCOPES + "s,resources/read,a/../b,x\n", ":2:18", "unsafe-uri", id="dot segment"),
        pytest.param(SCOPES + ",m,t,a\n", ":2:1", "empty-field", id="no server"),
    ],
)
def test_a_wrong_scope_row_is_reported_where_it_is_wrong(text: str, where: str, code: str) -> None:
    found = Findings()
    parse_scopes("scopes.csv", text.encode(), {}, found)
    (problem,) = found.problems
    assert (f":{problem.line}:{problem.column}", problem.code) == (where, code)


def test_an_unreadable_header_is_reported_once() -> None:
    found = Findings()
    parse_scopes("scopes.csv", b'"server\n', {}, found)
    assert [problem.code for problem in found.problems] == ["unbalanced-quote"]


def test_expectations_are_read() -> None:
    found = Findings()
    text = (
        EXPECTATIONS
        + 'user:a role:b,s,tools/call,t,x y,"{""n"": 1}",insufficient_scope\nagent:c,s,tools/list,,,,deny\n'
    )
    first, second = parse_expectations("expectations.csv", text.encode(), {}, found)
    assert found.problems == ()
    assert (first.subjects, first.scopes, first.arguments) == (("user:a", "role:b"), ("x", "y"), b'{"n": 1}')
    assert (first.expect, second.tool, second.expect) == ("insufficient_scope", "", "deny")


@pytest.mark.parametrize(
    ("row", "column", "code"),
    [
        pytest.param(",s,m,t,,,deny", 1, "empty-field", id="no subjects"),
        pytest.param("alice,s,m,t,,,deny", 1, "unprefixed-subject", id="plain subject"),
        pytest.param("user:*,s,m,t,,,deny", 6, "pattern-not-allowed", id="pattern as a subject"),
        pytest.param("user:a user:b,s,m,t,,,deny", 1, "too-many-subjects", id="two users"),
        pytest.param("user:a,s*,m,t,,,deny", 9, "pattern-not-allowed", id="pattern as a server"),
        pytest.param("user:a,s,m,t*,,,deny", 13, "pattern-not-allowed", id="pattern as a tool"),
        pytest.param("user:a,s,resources/read,../t,,,deny", 25, "unsafe-uri", id="dot segment"),
        pytest.param('user:a,s,m,t,"a""b",,deny', 14, "bad-scope", id="quote in a scope"),
        pytest.param("user:a,s,m,t,,{,deny", 15, "bad-arguments", id="broken JSON"),
        pytest.param("user:a,s,m,t,,[],deny", 15, "bad-arguments", id="arguments that are no object"),
        pytest.param('user:a,s,m,t,,"{""a"":1,""a"":2}",deny', 15, "bad-arguments", id="duplicate key"),
        pytest.param("user:a,s,m,t,,,", 16, "empty-field", id="no expectation"),
        pytest.param("user:a,s,m,t,,,Deny", 16, "unknown-expectation", id="cased expectation"),
        pytest.param("user:a,s,m,t,,,token_expired", 16, "unknown-expectation", id="a reason that cannot come"),
        pytest.param("user:a,s,m,t,,deny", 1, "row-too-short", id="short row"),
    ],
)
def test_a_wrong_expectation_is_reported_where_it_is_wrong(row: str, column: int, code: str) -> None:
    found = Findings()
    assert parse_expectations("expectations.csv", f"{EXPECTATIONS}{row}\n".encode(), {}, found) == ()
    (problem,) = found.problems
    assert (problem.line, problem.column, problem.code) == (2, column, code)


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_parse_or_are_refused(policy: bytes, scopes: bytes, expectations: bytes, model: bytes) -> None:
    files = {
        "policy.csv": policy,
        "scopes.csv": SCOPES.encode() + scopes,
        "expectations.csv": EXPECTATIONS.encode() + expectations,
        "model.conf": model,
    }
    found = Findings()
    parse(files, found)
    assert all(problem.file in files and problem.message for problem in found.problems)


WORDS = st.sampled_from(
    ["p", "g", "user:a", "role:b", "role:c", "*", "t*", "\\*", "a*b", "allow", "deny", "", '"', "#", " "]
)


@given(st.lists(st.lists(WORDS, min_size=1, max_size=8).map(",".join), max_size=8).map("\n".join))
def test_rows_of_likely_words_parse_or_are_refused(text: str) -> None:
    found = Findings()
    parsed = parse({"policy.csv": text.encode(), "model.conf": MODEL}, found)
    for rule in parsed.rules.rules:
        assert len(parsed.places[rule.source, rule.line]) >= 6
