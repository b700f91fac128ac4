"""Coverage: which rows expectations exercise, and which could go, the same as by leaving each one out."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.policy.coverage import Coverage, measure
from authz_sidecar.policy.expect import trials
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Rules
from tests.policy.drawn import CALM, HIERARCHY, SERVERS, answers, loaded, policies, questions, scopes, without


def covered(policy: Policy) -> Coverage:
    return asyncio.run(measure(policy, SERVERS, HIERARCHY))


RULES = """\
p, role:r, desk, tools/call, t,  allow
p, role:r, desk, tools/call, u,  allow
p, role:s, desk, tools/call, t*, allow
p, user:m, *,    *,          *,  deny
g, user:a, role:r
g, user:b, role:s
g, role:s, role:r
"""


@pytest.mark.parametrize(
    ("tests", "unexercised", "deletable"),
    [
        pytest.param("", [1, 2, 3, 4], [1, 2, 3, 4, 5, 6, 7], id="no test at all"),
        pytest.param("user:a,desk,tools/call,t,,,allow\n", [2, 3, 4], [2, 3, 4, 6, 7], id="one right"),
        pytest.param("user:b,desk,tools/call,t,,,allow\n", [2, 4], [1, 2, 3, 4, 5, 7], id="a right that two rows give"),
        pytest.param("user:b,desk,tools/call,u,,,allow\n", [1, 3, 4], [1, 3, 4, 5], id="a right by two memberships"),
        pytest.param(
            "user:m,desk,tools/call,t,,,deny\n", [1, 2, 3], [1, 2, 3, 4, 5, 6, 7], id="silence denies as well"
        ),
        pytest.param(
            "user:m,desk,tools/call,t,,,denied_by_rule\n",
            [1, 2, 3],
            [1, 2, 3, 5, 6, 7],
            id="the reason tells them apart",
        ),
    ],
)
def test_rows_are_exercised_and_guarded(tests: str, unexercised: list[int], deletable: list[int]) -> None:
    found = covered(loaded(RULES, expectations=tests))
    assert [rule.line for rule in found.unexercised] == unexercised
    assert [row.line for row in found.deletable] == deletable
    assert found.percent == 25 * (4 - len(unexercised))
    assert found.guarded_percent == pytest.approx(100 * (7 - len(deletable)) / 7)


def test_scope_rows_are_guarded_by_what_needs_the_scope() -> None:
    tests = "user:a,desk,tools/call,t,,,insufficient_scope\n"
    found = covered(loaded(RULES, scopes="desk,tools/call,t,s1\ndesk,tools/call,u,s1\n", expectations=tests))
    assert [(row.source, row.line) for row in found.deletable if row.source == "scopes.csv"] == [("scopes.csv", 3)]


def test_a_matrix_counts_as_tests() -> None:
    found = covered(loaded(RULES, matrix="server,method,tool,user:a,user:b\ndesk,tools/call,t,allow,\n"))
    assert [rule.line for rule in found.unexercised] == [2, 3, 4]


def test_an_empty_policy_is_covered() -> None:
    found = covered(loaded("# nothing\n"))
    assert (found.percent, found.guarded_percent) == (100, 100)


@CALM
@given(policies, scopes, st.data())
def test_what_could_go_is_what_could_go(policy: str, scope_rows: str, data: st.DataObject) -> None:
    bare = loaded(policy, scopes=scope_rows)
    known = [(name, target) for name in questions(bare).names for target in questions(bare).universe]
    chosen = data.draw(st.lists(st.sampled_from(known), max_size=5))
    said = answers(bare)
    tests = "".join(
        f"{name.name},{target.server},{target.method},{target.tool},{data.draw(st.sampled_from(['', 's1', 'all']))},,"
        f"{'allow' if said[name.name, target] == (True, ()) else 'deny'}\n"
        for name, target in chosen
        if not name.name.startswith("agent:")
        and (said[name.name, target] == (True, ()) or not said[name.name, target][0])
    )
    whole = loaded(policy, scopes=scope_rows, expectations=tests)
    assert {(row.source, row.line) for row in covered(whole).deletable} == set(_could_go(whole))


def _could_go(whole: Policy) -> list[tuple[str, int]]:
    found = []
    rules = whole.rules
    for row in (*rules.rules, *rules.memberships, *rules.scopes):
        left = replace(
            rules,
            rules=tuple(one for one in rules.rules if one is not row),
            memberships=tuple(one for one in rules.memberships if one is not row),
            scopes=tuple(one for one in rules.scopes if one is not row),
        )
        if asyncio.run(_all_hold(whole, left)):
            found.append((row.source, row.line))
    return found


async def _all_hold(whole: Policy, left: Rules) -> bool:
    return all([bool(trial) async for trial in trials(without(whole, left), SERVERS, HIERARCHY)])
