"""Policies by other Casbin models: their rows become ours, or are refused with their place."""

import pytest

from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import Parsed, parse
from authz_sidecar.rules import Membership, Rule
from tests.policy.test_model import model

ACL = model("sub, obj, act", "r.sub == p.sub && r.obj == p.obj && r.act == p.act", p="sub, obj, act")
RBAC = model("sub, obj, act", "g(r.sub, p.sub) && keyMatch(r.obj, p.obj) && r.act == p.act", g="g = _, _")
DOMAINS = model(
    "sub, dom, obj, act",
    "g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.obj == p.obj && r.act == p.act",
    g="g = _, _, _",
)
GROUPS = model("sub, obj, act", "g(r.sub, p.sub) && g2(r.obj, p.obj) && r.act == p.act", g="g = _, _\ng2 = _, _")
OR = model("sub, obj, act", "g(r.sub, p.sub) && (r.obj == p.obj || p.obj == 'any') && r.act == p.act", g="g = _, _")
MATCH = model("sub, tool", "match(r.sub, p.sub) && match(r.tool, p.tool)")


def read(model_text: str, rows: str, *, plain: bool = False) -> tuple[Parsed, list[str]]:
    found = Findings()
    parsed = parse({"model.conf": model_text.encode(), "policy.csv": rows.encode()}, found, plain=plain)
    return parsed, [str(problem) for problem in found.problems]


def sound(model_text: str, rows: str, *, plain: bool = False) -> Parsed:
    parsed, problems = read(model_text, rows, plain=plain)
    assert problems == []
    return parsed


def spelled(rule: Rule) -> str:
    return f"{rule.subject} {rule.server} {rule.method} {rule.tool} {rule.effect}"


def held(row: Membership) -> tuple[str, str, str | None]:
    return row.member, row.role, row.server


def test_a_field_that_the_model_lacks_is_anything_and_no_effect_is_allow() -> None:
    parsed = sound(ACL, "p, user:ann, read, tools/call\n")
    assert [spelled(rule) for rule in parsed.rules.rules] == ["user:ann * tools/call read allow"]


def test_key_match_reads_a_trailing_star() -> None:
    parsed = sound(
        RBAC, "p, role:a, tick*, tools/call, deny\np, role:a, *, tools/call, allow\np, user:b, c, d, allow\n"
    )
    assert [spelled(rule) for rule in parsed.rules.rules] == [
        "role:a * tools/call tick* deny",
        "role:a * tools/call * allow",
        "user:b * d c allow",
    ]


def test_roles_by_domain_are_held_on_that_server() -> None:
    parsed = sound(DOMAINS, "p, role:a, ops, read, tools/call, allow\ng, user:ann, role:a, ops\n")
    assert [spelled(rule) for rule in parsed.rules.rules] == ["role:a ops tools/call read allow"]
    assert [held(row) for row in parsed.rules.memberships] == [("user:ann", "role:a", "ops")]


def test_groups_of_tools_are_kept_apart_from_roles() -> None:
    parsed = sound(GROUPS, "p, role:a, reading, tools/call, allow\ng2, read, reading\ng, user:ann, role:a\n")
    assert [held(row) for row in parsed.rules.tool_groups] == [("read", "reading", None)]
    assert [held(row) for row in parsed.rules.memberships] == [("user:ann", "role:a", None)]


def test_a_plain_name_is_a_role_where_somebody_holds_it_and_else_a_user() -> None:
    rows = "p, admin, write, tools/call, allow\np, bob, read, tools/call, deny\ng, alice, admin\ng, admin, staff\n"
    parsed = sound(RBAC, rows, plain=True)
    assert [str(rule.subject) for rule in parsed.rules.rules] == ["role:admin", "user:bob"]
    assert [held(row) for row in parsed.rules.memberships] == [
        ("user:alice", "role:admin", None),
        ("role:admin", "role:staff", None),
    ]
    assert parsed.rules.namesakes == {"user:admin", "user:staff"}


def test_plain_patterns_mean_users_and_a_star_means_everybody() -> None:
    text = model("sub, obj", "keyMatch(r.sub, p.sub) && r.obj == p.obj")
    parsed = sound(text, "p, al*, read, allow\np, *, read, allow\n", plain=True)
    assert [str(rule.subject) for rule in parsed.rules.rules] == ["user:al*", "*"]


def test_our_own_model_can_be_plain_as_well() -> None:
    own = "g(r.sub, p.sub) && match(r.server, p.server) && match(r.method, p.method) && match(r.tool, p.tool)"
    parsed = sound(
        model("sub, server, method, tool", own, g="g = _, _"),
        "p, a, *, tools/call, t*, allow\ng, bob, a\n",
        plain=True,
    )
    assert [spelled(rule) for rule in parsed.rules.rules] == ["role:a * tools/call t* allow"]


def test_rows_that_only_casbin_can_read_stand_apart() -> None:
    parsed = sound(OR, "p, role:a, any, tools/call, allow\ng, user:ann, role:a\n")
    assert parsed.rules.rules == ()
    assert parsed.rules.size == 1
    assert parsed.rules.foreign is not None
    (row,) = parsed.rules.foreign.rows
    assert row.values == ("role:a", "any", "tools/call", "allow")
    assert (row.rule.line, row.rule.text) == (1, "p, role:a, any, tools/call, allow")


def test_plain_names_of_foreign_rows_are_spelled_as_ours() -> None:
    parsed = sound(OR, "p, a, any, tools/call, allow\ng, ann, a\n", plain=True)
    assert parsed.rules.foreign is not None
    assert parsed.rules.foreign.rows[0].values[0] == "role:a"


@pytest.mark.parametrize(
    ("model_text", "row", "problem"),
    [
        pytest.param(ACL, "p, ann, read, x", "policy.csv:1:4: `ann` needs", id="no prefix"),
        pytest.param(ACL, "p, user:a, *, x", "policy.csv:1:12: `*` would only match itself", id="a star by =="),
        pytest.param(ACL, "p, user:a, , x", "policy.csv:1:12: an empty field", id="an empty field"),
        pytest.param(ACL, "p, user:*, read, x", "policy.csv:1:", id="a subject pattern by =="),
        pytest.param(
            ACL, "p, user:a, read, x, allow", "policy.csv:1:21: this p row has 5 fields, expected 4", id="long"
        ),
        pytest.param(ACL, "p, user:a, read", "policy.csv:1:1: this p row has 3 fields, expected 4", id="short"),
        pytest.param(ACL, "g, user:a, role:b", "policy.csv:1:1: unknown row kind `g`", id="roles in a model without"),
        pytest.param(RBAC, "g2, a, b", "policy.csv:1:1: unknown row kind `g2`", id="groups in a model without"),
        pytest.param(
            RBAC, "p, role:a, a*b, x, allow", "policy.csv:1:13: `a*b` has a `*` that is not", id="star inside"
        ),
        pytest.param(RBAC, "p, role:a, a\\*, x, allow", "policy.csv:1:13: `a\\*` has a backslash", id="an escape"),
        pytest.param(RBAC, "p, role:a, , x, allow", "policy.csv:1:12: an empty field, write `*`", id="empty pattern"),
        pytest.param(RBAC, "p, role:a, a, x, Deny", "policy.csv:1:18: unknown effect `Deny`", id="effect"),
        pytest.param(RBAC, "p, role:a, a, x, ", "policy.csv:1:1", id="no effect"),
        pytest.param(RBAC, "p, role:a, res://a/%2e, x, deny", "refused in resource URIs", id="a doubtful uri"),
        pytest.param(RBAC, "g, user:a, user:b", "policy.csv:1:12: `user:b` can hold no members", id="a user as a role"),
        pytest.param(RBAC, "g, role:a, role:b\ng, role:b, role:a", "membership cycle", id="cycle of roles"),
        pytest.param(
            DOMAINS, "g, user:a, role:b", "policy.csv:1:1: this g row has 3 fields, expected 4", id="no domain"
        ),
        pytest.param(DOMAINS, "g, user:a, role:b, *", "policy.csv:1:20: `*` would only match itself", id="any domain"),
        pytest.param(GROUPS, "g2, a, b\ng2, b, a", "membership cycle", id="cycle of groups"),
        pytest.param(GROUPS, "g2, a, *", "policy.csv:1:8: `*` would only match itself", id="a pattern as a group"),
        pytest.param(GROUPS, "g2, a", "policy.csv:1:1: this g2 row has 2 fields, expected 3", id="a short group"),
        pytest.param(MATCH, "p, us*, a, allow", "policy.csv:1:4: `us*` needs", id="a pattern without a prefix"),
        pytest.param(OR, "p, role:a, , x, allow", "policy.csv:1:12: an empty field", id="an empty foreign field"),
    ],
)
def test_a_row_that_does_not_fit_the_model_is_refused_where_it_errs(model_text: str, row: str, problem: str) -> None:
    _, problems = read(model_text, row + "\n")
    assert any(problem in one for one in problems), problems


def test_a_cycle_of_roles_over_two_servers_is_none() -> None:
    sound(DOMAINS, "g, role:a, role:b, ops\ng, role:b, role:a, billing\n")


def test_places_are_those_of_our_own_columns() -> None:
    parsed = sound(RBAC, "p, role:a, read, tools/call, allow\n")
    assert parsed.places["policy.csv", 1] == (1, 4, 1, 18, 12, 30)
