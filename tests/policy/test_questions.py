"""Who may do something and what somebody may do: the same as asking about each, and patterns stand for the rest."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import ConfigError
from authz_sidecar.policy.matrix import as_csv, fill
from authz_sidecar.policy.questions import Grant, Questions, target
from authz_sidecar.policy.tools import Offer, Tools
from authz_sidecar.policy.universe import unlike
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Membership
from tests.policy.agreed import assert_agreed
from tests.policy.drawn import CALM, HIERARCHY, SERVERS, loaded, policies, questions, scopes, without

RULES = """\
p, role:r,   desk, tools/call, t,  allow
p, role:r,   desk, tools/call, u*, allow
p, role:s,   desk, tools/call, v,  allow
p, user:*,   desk, tools/call, w,  allow
p, user:m,   *,    *,          *,  deny
p, client:c, desk, tools/call, t,  allow
p, agent:x,  desk, tools/call, t,  allow
g, user:a,   role:r
g, role:s,   role:r
"""


def who(policy: Policy, tool: str) -> dict[str, Grant]:
    async def ask() -> dict[str, Grant]:
        found = questions(policy).who_can(target("desk", "tools/call", tool))
        return {grant.name.label: grant async for grant in found if grant.permitted}

    return asyncio.run(ask())


def what(policy: Policy, *subjects: str) -> dict[str, Grant]:
    async def ask() -> dict[str, Grant]:
        found = questions(policy).what_can(subjects)
        return {str(grant.target): grant async for grant in found if grant.permitted}

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("tool", "names"),
    [
        pytest.param("t", ["user:a", "role:r", "role:s", "client:c", "agent:x"], id="by roles, and clients and agents"),
        pytest.param("u1", ["user:a", "role:r", "role:s"], id="by a pattern"),
        pytest.param("v", ["role:s"], id="a role above gives nothing to the one below"),
        pytest.param("w", ["user:a", "user:*", "role:r", "role:s"], id="every user, also one who is not named"),
        pytest.param("z", [], id="nobody"),
    ],
)
def test_who_can(tool: str, names: list[str]) -> None:
    assert list(who(loaded(RULES), tool)) == names


def test_the_way_to_a_right_is_told() -> None:
    assert [row.line for row in who(loaded(RULES), "t")["user:a"].path] == [8]
    assert [row.line for row in who(loaded(RULES), "t")["role:s"].path] == [9]
    assert who(loaded(RULES), "t")["role:r"].path == ()


@pytest.mark.parametrize(
    ("subjects", "calls"),
    [
        pytest.param(["user:a"], ["tools/call t", "tools/call w", "tools/call u*"], id="a user and the roles held"),
        pytest.param(
            ["user:b", "role:s"],
            ["tools/call t", "tools/call v", "tools/call w", "tools/call u*"],
            id="several names are one caller",
        ),
        pytest.param(["user:m", "role:r"], [], id="locked out"),
        pytest.param(["agent:x"], ["tools/call t"], id="an agent for itself"),
    ],
)
def test_what_can(subjects: list[str], calls: list[str]) -> None:
    assert list(what(loaded(RULES), *subjects)) == calls


def test_what_stands_for_the_rest_is_no_name_that_a_row_knows() -> None:
    rows = "p, role:r, desk, tools/call, t*, allow\np, role:r, desk, tools/call, t~, deny\n"
    policy = loaded(rows + "p, role:r, desk, tools/call, t~~*, deny\np, user:~, desk, tools/call, u, allow\n")
    assert list(what(policy, "role:r")) == ["tools/call t*"]
    (rest,) = what(policy, "role:r").values()
    assert not rest.target.tool.startswith("t~~")


@given(st.sets(st.text(alphabet="~aB", max_size=4)), st.text(alphabet="~aB", max_size=3))
def test_there_is_always_another_name(known: set[str], beginning: str) -> None:
    other = unlike(beginning, sorted(known))
    assert other.startswith(beginning)
    assert not any(other.startswith(name) for name in known if name.startswith(beginning) and name != beginning)


def test_tools_that_are_grouped_are_asked_about_by_their_own_names() -> None:
    bare = loaded("p, role:r, desk, tools/call, group:g, allow\n")
    group = Membership(member="t", role="group:g", source="policy.csv", line=2, text="g2, t, group:g")
    policy = without(bare, replace(bare.rules, tool_groups=(group,)))
    assert "tools/call t" in what(policy, "role:r")


def test_scopes_are_told_with_the_right() -> None:
    policy = loaded(RULES, scopes="desk,tools/call,t,s1 s2\n")
    assert what(policy, "user:a")["tools/call t"].scopes == ("s1", "s2")


def test_recorded_tools_are_named_one_by_one() -> None:
    tools = Tools(offers={("desk", "tools/call"): Offer(names=frozenset({"u1", "u2", "zz"}))})
    asked = Questions(policy=loaded(RULES), servers=SERVERS, hierarchy=HIERARCHY, tools=tools)

    async def ask() -> list[str]:
        return [str(grant.target) async for grant in asked.what_can(["role:r"]) if grant.permitted]

    assert asyncio.run(ask()) == ["tools/call t", "tools/call u1", "tools/call u2", "tools/call w", "tools/call u*"]


def test_a_list_is_asked_about_where_a_row_speaks_of_it_alone() -> None:
    policy = loaded("p, role:r, desk, tools/list, t, allow\np, role:r, desk, tools/call, u, allow\n")
    assert list(what(policy, "role:r")) == ["tools/call u", "tools/list t", "tools/list u"]


@CALM
@given(policies, scopes)
def test_who_what_and_the_matrix_agree_with_asking(policy: str, scope_rows: str) -> None:
    assert_agreed(loaded(policy, scopes=scope_rows))


@CALM
@given(policies, scopes)
def test_the_matrix_as_csv_holds_as_a_test_of_its_own_policy(policy: str, scope_rows: str) -> None:
    table = asyncio.run(fill(questions(loaded(policy, scopes=scope_rows)), servers=frozenset(), kinds=frozenset()))
    with suppress(ConfigError):  # nothing that could stand there
        loaded(policy, scopes=scope_rows, matrix="".join(f"{line}\n" for line in as_csv(table)))
