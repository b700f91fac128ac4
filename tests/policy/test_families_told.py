"""What lint, explanations and suggestions say where a policy has domains, groups, or rows that only Casbin reads."""

import asyncio
from dataclasses import replace

import pytest

from authz_sidecar.errors import ConfigError
from authz_sidecar.model import Question
from authz_sidecar.policy.callers import caller
from authz_sidecar.policy.diff import compare
from authz_sidecar.policy.explain import Explainer, Explanation
from authz_sidecar.policy.matrix import fill
from authz_sidecar.policy.opaque import unproved, unsaid
from authz_sidecar.policy.questions import target
from authz_sidecar.policy.spelling import Spelling
from authz_sidecar.policy.suggest import suggest
from authz_sidecar.policy.tools import Tools
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Rules
from tests.policy.drawn import HIERARCHY, SERVERS, questions
from tests.policy.families import (
    ACL,
    BOTH,
    DOMAINS,
    FOREIGN,
    GROUPS,
    Case,
    built,
    compiled,
    covered,
    policy,
)
from tests.policy.test_replay import event, log

TOOLS = '{"desk": {"tools": [{"name": "t"}, {"name": "u"}]}, "shop": {"tools": [{"name": "t"}]}}'


def explained(made: Policy, subjects: str, tool: str, *, server: str = "desk", now: float | None = None) -> Explanation:
    explainer = Explainer(policy=made, servers=SERVERS, hierarchy=HIERARCHY)
    question = Question(method="tools/call", tool=tool)
    return asyncio.run(explainer.explain(caller(subjects.split()), server, question, now=now))


def advice(found: Explanation) -> str:
    assert found.miss is not None
    return found.miss.advice


RULES = """\
p, role:r, desk, grp, tools/call, allow
p, role:s, shop, t,   tools/call, allow
g, user:a, role:r, desk
g, user:a, role:s, desk
g2, t, grp
g2, u, grp
"""


def test_the_way_to_a_right_is_that_of_its_server() -> None:
    rows = "p, role:r, desk, t, tools/call, allow\ng, user:a, role:r, shop\n"
    made = policy((DOMAINS, f"{rows}g, user:a, role:q, desk\ng, role:q, role:r, desk\n"))

    async def ask() -> list[int]:
        found = questions(made).who_can(target("desk", "tools/call", "t"))
        return [row.line for grant in [one async for one in found] if grant.name.name == "user:a" for row in grant.path]

    assert asyncio.run(ask()) == [3, 4]


def test_a_group_is_explained_by_the_rows_that_make_it() -> None:
    found = explained(policy((BOTH, RULES)), "user:a", "t")
    assert found.decision.allowed
    assert {name: [row.line for row in way] for name, way in found.groups.items()} == {"t": [], "grp": [5]}
    assert [(one.rule.line, one.missing, one.decides) for one in found.considered] == [
        (1, (), True),
        (2, ("server",), False),
    ]


@pytest.mark.parametrize(
    ("subjects", "tool", "server", "said"),
    [
        pytest.param("user:a", "v", "desk", "`v` is not in the group `grp`", id="a group"),
        pytest.param("user:b", "t", "desk", "the caller does not hold `role:r` on `desk`", id="a role there"),
        pytest.param("user:a", "t", "shop", "the caller does not hold `role:s` on `shop`", id="a role elsewhere"),
    ],
)
def test_the_one_thing_that_is_missing_is_told_for_domains_and_groups(
    subjects: str, tool: str, server: str, said: str
) -> None:
    assert advice(explained(policy((BOTH, RULES)), subjects, tool, server=server)) == said


def test_a_grant_that_has_ended_is_what_is_missing() -> None:
    rows = "# until 2026-01-31\np, role:r, desk, t, tools/call, allow\np, role:s, desk, u, tools/call, allow\n"
    made = policy((GROUPS, f"{rows}g, user:a, role:r\n# until 2026-01-31\ng, user:a, role:s\n"))
    silent = replace(made, compiled=compiled(Rules()).compiled)  # as the clock would have it
    later = 2_000_000_000.0
    assert (
        advice(explained(silent, "user:a", "t", now=later))
        == "the grant has ended: `# until 2026-01-31` at policy.csv:2"
    )
    assert (
        advice(explained(silent, "user:a", "u", now=later))
        == "the grant has ended: `# until 2026-01-31` at policy.csv:6"
    )
    assert "ended" not in advice(explained(silent, "user:a", "u", now=0.0))


@pytest.mark.parametrize(
    ("case", "said"),
    [
        pytest.param((BOTH, RULES), [(2, "unheld-role"), (4, "idle-role")], id="a role that is held elsewhere"),
        pytest.param(
            (BOTH, "p, role:r, *, grp, tools/call, allow\ng, user:a, role:r, shop\ng2, t, grp\ng2, t, grup\n"),
            [(4, "idle-group")],
            id="a group that no row is about",
        ),
        pytest.param(
            (GROUPS, ("p, role:r, desk, grp, tools/call, allow\np, user:a, desk, t, tools/call, allow\n"
                     "g, user:a, role:r\ng2, t, grp\n")),
            [(2, "shadowed-by-allow")],
            id="a row for a tool that one for its group covers",
        ),
        pytest.param(
            (DOMAINS, ("p, role:r, desk, t, tools/call, allow\np, user:a, desk, t, tools/call, allow\n"
                      "p, user:a, shop, t, tools/call, allow\ng, user:a, role:r, desk\n")),
            [(2, "shadowed-by-allow")],
            id="a row that a role on its server covers",
        ),
        pytest.param(
            (DOMAINS, "p, user:a, desk, t, tools/call, allow\n" * 2), [(2, "duplicate-row")], id="rows said twice"
        ),
        pytest.param(
            (GROUPS, ("p, user:a, desk, t, tools/call, allow\np, user:a, desk, T, tools/call, allow\n"
                     "g2, x, Grp\ng2, x, grp\np, user:a, desk, Grp, tools/call, allow\n"
                     "p, user:a, desk, grp, tools/call, allow\n")),
            [(2, "differs-by-case"), (6, "differs-by-case")],
            id="groups that differ by case",
        ),
    ],
)  # fmt: skip
def test_lint_follows_domains_and_groups(case: Case, said: list[tuple[int, str]]) -> None:
    found = asyncio.run(built(case, carried=frozenset({"user:"})))
    assert found.problems == ()
    assert [(one.line, one.code) for one in found.warnings] == said


def test_tools_in_groups_are_held_against_the_recorded_lists() -> None:
    rows = "p, user:a, *, grp, tools/call, allow\ng2, t, grp\ng2, uu, grp\ng2, all, grp\ng2, u, all\n"
    found = asyncio.run(built((GROUPS, rows), tools=TOOLS))
    assert [(one.line, one.code) for one in found.warnings] == [(3, "unknown-tool")]


def test_a_scope_row_for_a_group_is_refused_since_it_would_guard_nothing() -> None:
    found = asyncio.run(built((BOTH, RULES), scopes="desk,tools/call,t,s1\ndesk, tools/call, grp, s1\n"))
    assert [(one.file, one.line, one.column, one.code) for one in found.problems] == [
        ("scopes.csv", 3, 19, "scope-on-group")
    ]


def test_a_scope_row_for_a_tool_of_an_allowed_group_applies() -> None:
    found = asyncio.run(built((BOTH, RULES), scopes="desk,tools/call,t,s1\ndesk,tools/call,v,s1\n"))
    assert [(one.line, one.code) for one in found.warnings if one.file == "scopes.csv"] == [(3, "scope-never-applies")]


FOREIGN_ROWS = """\
p, role:r, desk, t,    tools/call, allow
p, role:r, desk, u/:x, tools/call, allow
g, user:a, role:r, desk
"""


def test_what_only_an_engine_reads_is_asked_by_the_names_beside_it_and_said() -> None:
    made = policy((FOREIGN, FOREIGN_ROWS), expectations="user:b,desk,tools/call,u/1,,,deny\n")
    assert "only Casbin can read" in unsaid(made.rules)
    assert "only the engine can read" in unsaid(Rules(sources={"engine.d/x.cedar": b"x"}))
    table = asyncio.run(fill(questions(made), servers=frozenset(), kinds=frozenset()))
    assert sorted({(name, one.tool) for name, one in table.grants}) == [
        ("role:r", "t"), ("role:r", "u/1"), ("user:a", "t"), ("user:a", "u/1"),
    ]  # fmt: skip


def test_no_near_row_is_made_up_where_only_an_engine_reads_them() -> None:
    found = explained(policy((FOREIGN, FOREIGN_ROWS)), "user:b", "t")
    assert found.considered == ()
    assert advice(found).startswith("no row allows this call to this caller; only Casbin can read")


def test_rows_that_only_casbin_reads_are_covered_like_others() -> None:
    found = covered(policy((FOREIGN, FOREIGN_ROWS), expectations="user:a,desk,tools/call,u/1,,,allow\n"))
    assert [rule.line for rule in found.unexercised] == [1]
    assert [row.line for row in found.deletable] == [1]


def test_a_user_called_like_a_role_is_told_what_stands_in_the_way() -> None:
    made = policy((FOREIGN, FOREIGN_ROWS))
    made = replace(made, rules=replace(made.rules, namesakes=frozenset({"user:r"})))
    found = explained(made, "user:r", "t")
    assert found.miss is not None
    assert found.miss.missing == "claim"


def test_a_name_that_becomes_a_role_is_part_of_the_difference() -> None:
    rows = "p, role:r, desk, t, tools/call, allow\np, user:r, desk, t, tools/call, allow\n"
    old = policy((DOMAINS, rows))
    new = replace(old, rules=replace(old.rules, namesakes=frozenset({"user:r"})))
    told = asyncio.run(compare(old, new, SERVERS, HIERARCHY, Tools()))
    assert [(one.change, one.name.label) for one in told] == [("loses", "user:r")]


def test_no_row_is_suggested_where_only_an_engine_could_read_it() -> None:
    with pytest.raises(ConfigError, match="only Casbin can read the rows of this model, so none can be suggested"):
        asyncio.run(suggest(log(event("user:b")), policy((FOREIGN, FOREIGN_ROWS)), SERVERS, HIERARCHY))


@pytest.mark.parametrize(
    ("case", "row"),
    [
        pytest.param((BOTH, RULES), "p, role:r, desk, v, tools/call, allow", id="in the order of the model"),
        pytest.param((ACL, "p, user:b, t, tools/call, allow\n"), "p, user:a, v, tools/call, allow", id="no servers"),
    ],
)
def test_rows_are_suggested_as_the_model_has_them(case: Case, row: str) -> None:
    made = asyncio.run(built(case))
    assert made.policy is not None
    spelling = Spelling(shape=made.parsed.shape)
    found = asyncio.run(
        suggest(log(event("user:a", tool="v")), made.policy, SERVERS, HIERARCHY, spelling=spelling)
    ).rows
    assert [one.row for one in found] == [row]
    again = policy((case[0], f"{case[1]}{row}\n"))
    assert asyncio.run(suggest(log(event("user:a", tool="v")), again, SERVERS, HIERARCHY)).rows == []


def test_a_name_that_the_model_cannot_spell_is_not_suggested() -> None:
    spelling = Spelling(shape=asyncio.run(built((DOMAINS, "p, user:a, desk, t, tools/call, allow\n"))).parsed.shape)
    call = ("user:a", "desk", "tools/call", "t*")
    assert spelling.row(call) == "p, user:a, desk, t*, tools/call, allow"
    assert not spelling.sound(spelling.row(call), call)


def test_plain_names_are_suggested_without_a_prefix() -> None:
    assert Spelling(plain=True).row(("user:a", "desk", "tools/call", "t")) == "p, a, desk, tools/call, t, allow"


def test_nothing_is_said_to_change_where_rows_only_move() -> None:
    old = policy((FOREIGN, FOREIGN_ROWS)).rules
    assert unproved(old, policy((FOREIGN, f"# note\n{FOREIGN_ROWS}")).rules) == ""
    assert "only Casbin" in unproved(old, policy((FOREIGN, FOREIGN_ROWS.replace("user:a", "user:b"))).rules)
    assert unproved(Rules(), policy((BOTH, RULES)).rules) == ""


def test_memberships_beside_engine_d_are_not_measured() -> None:
    made = policy((BOTH, "g, user:a, role:r, desk\n"))
    made = replace(made, rules=replace(made.rules, sources={"engine.d/x": b"x"}))
    assert (covered(made).rows, covered(made).rules) == (0, 0)
