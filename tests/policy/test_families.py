"""Questions, coverage, comparison and lint agree with asking about everything, by every model that we compile."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.policy.diff import compare
from authz_sidecar.policy.expect import trials
from authz_sidecar.policy.people import names
from authz_sidecar.policy.questions import Questions
from authz_sidecar.policy.tools import Tools
from authz_sidecar.policy.universe import Universe
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Rules
from tests.policy.agreed import assert_agreed
from tests.policy.drawn import CALM, HIERARCHY, SERVERS, answers
from tests.policy.families import Case, built, compiled, covered, foreign, pairs, policy, read


@CALM
@given(st.one_of(read, foreign))
def test_who_what_and_the_matrix_agree_with_asking(case: Case) -> None:
    assert_agreed(policy(case))


def _shared(old: Policy, new: Policy) -> tuple[Questions, Questions]:
    universe = Universe((old.rules, new.rules), SERVERS, Tools())
    both = [
        Questions(policy=one, servers=SERVERS, hierarchy=HIERARCHY, tools=Tools(), universe=universe)
        for one in (old, new)
    ]
    return both[0], both[1]


@CALM
@given(st.one_of(pairs, st.tuples(foreign, foreign)))
def test_the_difference_is_what_asking_both_about_everything_gives(cases: tuple[Case, Case]) -> None:
    old, new = map(policy, cases)
    before, after = _shared(old, new)

    async def ask() -> set[tuple[str, object]]:
        return {
            (name.label, one)
            for name in names((old.rules, new.rules))
            for one in before.universe
            if (await before.ask((name.name,), one)).permitted != (await after.ask((name.name,), one)).permitted
        }

    told = asyncio.run(compare(old, new, SERVERS, HIERARCHY, Tools()))
    assert {(name, one.target) for one in told for name in (one.name.label, *one.also)} == asyncio.run(ask())


@CALM
@given(read)
def test_a_row_that_lint_calls_idle_can_go_and_nobody_notices(case: Case) -> None:
    whole = policy(case)
    idle = {"shadowed-by-deny", "shadowed-by-allow", "redundant-deny"}
    for line in {one.line for one in asyncio.run(built(case)).warnings if one.code in idle}:
        left = compiled(replace(whole.rules, rules=tuple(row for row in whole.rules.rules if row.line != line)))
        assert answers(left, like=whole) == answers(whole)


@CALM
@given(read)
def test_a_role_or_group_that_lint_calls_idle_or_unheld_gives_users_nothing(case: Case) -> None:
    whole = policy(case)
    found = asyncio.run(built(case, carried=frozenset({"user:"}))).warnings
    lines = {one.line for one in found if one.code == "unheld-role"}
    left = compiled(replace(whole.rules, rules=tuple(row for row in whole.rules.rules if row.line not in lines)))
    users = {key: said for key, said in answers(whole).items() if key[0].startswith("user:")}
    assert users.items() <= answers(left, like=whole).items()


def _could_go(whole: Policy) -> Iterator[int]:
    rules = whole.rules
    for row in (*rules.rules, *rules.memberships, *rules.tool_groups):
        left = replace(
            rules,
            rules=tuple(one for one in rules.rules if one is not row),
            memberships=tuple(one for one in rules.memberships if one is not row),
            tool_groups=tuple(one for one in rules.tool_groups if one is not row),
        )
        if asyncio.run(_all_hold(left)):
            yield row.line


async def _all_hold(left: Rules) -> bool:
    return all([bool(trial) async for trial in trials(compiled(left), SERVERS, HIERARCHY)])


@CALM
@given(read, st.data())
def test_what_could_go_is_what_could_go(case: Case, data: st.DataObject) -> None:
    said = answers(policy(case))
    chosen = data.draw(st.lists(st.sampled_from(sorted(said, key=str)), max_size=5)) if said else []
    tests = "".join(
        f"{name},{one.server},{one.method},{one.tool},,,{'allow' if said[name, one][0] else 'deny'}\n"
        for name, one in chosen
    )
    whole = policy(case, expectations=tests)
    assert sorted(row.line for row in covered(whole).deletable) == sorted(_could_go(whole))
