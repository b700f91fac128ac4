"""The difference of two policies: who gains and who loses what, the same as by asking both about everything."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given

from authz_sidecar.policy.diff import Change, Difference, compare
from authz_sidecar.policy.people import names
from authz_sidecar.policy.questions import Questions
from authz_sidecar.policy.tools import Tools
from authz_sidecar.policy.universe import Universe
from authz_sidecar.ports import Policy
from tests.policy.drawn import CALM, HIERARCHY, SERVERS, loaded, policies, scopes


def differences(old: Policy, new: Policy) -> Sequence[Difference]:
    return asyncio.run(compare(old, new, SERVERS, HIERARCHY, Tools()))


def said(old: str, new: str, **scopes: str) -> list[str]:
    before = loaded(old, scopes=scopes.get("before", ""))
    after = loaded(new, scopes=scopes.get("after", ""))
    return [" ".join((one.change, one.name.label, one.target.label, *one.also)) for one in differences(before, after)]


ROW = "p, role:r, desk, tools/call, t, allow\n"


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        pytest.param(ROW, ROW, [], id="the same"),
        pytest.param(ROW, f"# note\n\n{ROW}{ROW}", [], id="text that means the same"),
        pytest.param(ROW, f"{ROW}p, role:r, desk, tools/call, u, allow\n", ["gains role:r u"], id="a row more"),
        pytest.param(f"{ROW}p, role:r, desk, tools/call, u, allow\n", ROW, ["loses role:r u"], id="a row less"),
        pytest.param(
            ROW, f"{ROW}p, role:r, desk, tools/call, t*, allow\n", ["gains role:r t*"], id="a pattern beside a name"
        ),
        pytest.param(ROW, f"{ROW}g, user:a, role:r\n", ["gains user:a t"], id="a membership"),
        pytest.param(
            f"{ROW}g, user:a, role:r\ng, user:b, role:r\n",
            f"{ROW}p, role:r, desk, tools/call, u, allow\ng, user:a, role:r\ng, user:b, role:r\n",
            ["gains role:r u user:a user:b"],
            id="those who hold the role are named beside it",
        ),
        pytest.param(
            f"{ROW}g, user:a, role:s\n",
            f"{ROW}g, user:a, role:s\ng, role:s, role:r\n",
            ["gains role:s t user:a"],
            id="a role that comes to hold another one",
        ),
        pytest.param(ROW, f"{ROW}p, *, *, *, t, deny\n", ["loses role:r t"], id="a deny row"),
        pytest.param(
            f"{ROW}p, role:r, desk, tools/call, t, deny\n", ROW, ["gains role:r t"], id="a deny row that goes opens"
        ),
        pytest.param(f"{ROW}p, user:b, desk, *, *, deny\n", ROW, [], id="a deny row that kept nobody from anything"),
    ],
)
def test_the_difference_is_what_changes_for_people(old: str, new: str, changes: list[str]) -> None:
    assert said(old, new) == changes


def test_scopes_that_come_and_go_are_changes() -> None:
    assert said(ROW, ROW, after="desk,tools/call,t,s1\n") == ["needs_more role:r t"]
    assert said(ROW, ROW, before="desk,tools/call,t,s1\n") == ["needs_less role:r t"]
    assert said(ROW, ROW, before="desk,tools/call,t,s1\n", after="desk,tools/call,t,s2\n") == ["needs_less role:r t"]


@pytest.mark.parametrize(
    ("change", "opens"),
    [(Change.GAINS, True), (Change.NEEDS_LESS, True), (Change.CONDITION, True), (Change.LOSES, False)],
)
def test_what_may_open_counts_as_opening(change: Change, opens: bool) -> None:
    assert change.opens is opens


@CALM
@given(policies, scopes, policies, scopes)
def test_nothing_is_missed_and_nothing_invented(old: str, old_scopes: str, new: str, new_scopes: str) -> None:
    before, after = loaded(old, scopes=old_scopes), loaded(new, scopes=new_scopes)
    found: set[tuple[str, str, object, bool]] = set()
    for one in differences(before, after):
        for label in (one.name.label, *one.also):
            found.add((one.change, label, one.target, one.change.opens))
    assert found == set(asyncio.run(_by_asking(before, after)))


async def _by_asking(before: Policy, after: Policy) -> list[tuple[str, str, object, bool]]:
    universe = Universe((before.rules, after.rules), SERVERS, Tools())
    old, new = (
        Questions(policy=one, servers=SERVERS, hierarchy=HIERARCHY, tools=Tools(), universe=universe)
        for one in (before, after)
    )
    found: list[tuple[str, str, object, bool]] = []
    for name in names((before.rules, after.rules)):
        for target in universe:
            was, now = await old.ask((name.name,), target), await new.ask((name.name,), target)
            which = None
            if was.permitted != now.permitted:
                which = Change.GAINS if now.permitted else Change.LOSES
            elif now.permitted and set(was.scopes) != set(now.scopes):
                which = Change.NEEDS_MORE if set(was.scopes) < set(now.scopes) else Change.NEEDS_LESS
            if which is not None:
                found.append((which, name.label, target, which.opens))
    return found
