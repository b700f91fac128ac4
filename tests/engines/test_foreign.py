"""A policy that only Casbin can read: every row that it matched is named, and no doubt becomes a yes."""

import asyncio
from typing import Any

import pytest

from authz_sidecar.engines.casbin import CasbinEngine, PycasbinEngine
from authz_sidecar.engines.foreign import ForeignPolicy
from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.errors import EngineError, PolicyProblems
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse
from authz_sidecar.rules import Foreign, Rules, Verdict
from tests.policy.test_model import model

LOOSE = "(keyMatch2(r.obj, p.obj) || p.obj == 'any')"
MODEL = model("sub, dom, obj, act", f"g(r.sub, p.sub) && {LOOSE} && r.dom == p.dom && r.act == p.act", g="g = _, _")
ROWS = """\
p, role:a, ops, any, call, allow
p, user:ann, ops, t/:id, call, allow
p, role:out, ops, any, call, deny
p, role:a, ops, t/:id, call, allow
g, user:ann, role:a
"""


def checked(text: str = MODEL, rows: str = ROWS) -> Rules:
    found = Findings()
    rules = parse({"model.conf": text.encode(), "policy.csv": rows.encode()}, found).rules
    assert found.problems == ()
    return rules


def compiled(rules: Rules) -> ForeignPolicy:
    policy = CasbinEngine().compile(rules)
    assert isinstance(policy, ForeignPolicy)
    return policy


def judge(policy: ForeignPolicy, who: str = "user:ann", tool: str = "t/1", server: str = "ops") -> Verdict:
    return asyncio.run(policy.judge(frozenset(who.split()), server, "call", tool))


def lines(verdict: Verdict) -> tuple[list[int], list[int]]:
    return [rule.line for rule in verdict.allows], [rule.line for rule in verdict.denies]


@pytest.mark.parametrize(
    ("who", "tool", "expected"),
    [
        pytest.param("user:ann", "t/1", ([1, 2, 4], []), id="every allowing row"),
        pytest.param("user:ann role:out", "t/1", ([1, 2, 4], [3]), id="denies are not lost among several names"),
        pytest.param("user:ann", "u", ([1], []), id="by one row"),
        pytest.param("user:bob", "t/1", ([], []), id="silence"),
    ],
)
def test_every_row_that_casbin_matched_is_named(who: str, tool: str, expected: tuple[list[int], list[int]]) -> None:
    assert lines(judge(compiled(checked()), who, tool)) == expected


def test_both_casbin_engines_read_such_a_policy_and_no_other_does() -> None:
    rules = checked()
    assert isinstance(PycasbinEngine().compile(rules), ForeignPolicy)
    other = IndexEngine().compile(rules)
    assert not asyncio.run(other.judge(frozenset({"user:ann"}), "ops", "call", "t/1"))


def test_a_caller_is_each_of_its_names_but_not_the_roles_that_it_holds() -> None:
    text = model("sub, obj", "(r.sub == p.sub || g(r.sub, p.sub)) && r.sub == p.sub && r.obj == p.obj", g="g = _, _")
    policy = compiled(checked(text, "p, role:a, x, allow\np, user:b, x, allow\ng, user:ann, role:a\n"))
    assert lines(judge(policy, "user:ann", "x")) == ([], [])
    assert lines(judge(policy, "user:ann role:a user:b", "x")) == ([1, 2], [])


def test_roles_by_domain_and_groups_of_tools_are_followed() -> None:
    matcher = "g(r.sub, p.sub, r.dom) && (g2(r.obj, p.obj) || p.obj == 'any') && r.dom == p.dom"
    text = model("sub, dom, obj", matcher, g="g = _, _, _\ng2 = _, _")
    rows = "p, role:a, ops, grp, allow\np, role:a, two, grp, allow\ng, user:ann, role:a, ops\ng2, x, y\ng2, y, grp\n"
    policy = compiled(checked(text, rows))
    assert lines(judge(policy, "user:ann", "x")) == ([1], [])
    assert lines(judge(policy, "user:ann", "x", server="two")) == ([], [])
    assert lines(judge(policy, "user:ann", "z")) == ([], [])


def test_without_rows_casbin_is_not_asked() -> None:
    policy = compiled(checked(rows="# nothing\n"))
    policy._enforcer.enabled = False
    assert not judge(policy)


def test_an_enforcer_that_is_switched_off_is_an_error() -> None:
    policy = compiled(checked())
    policy._enforcer.enable_enforce(False)
    with pytest.raises(EngineError, match="switched off"):
        judge(policy)


def test_an_error_inside_casbin_is_ours() -> None:
    policy = compiled(checked(model("sub, obj", "r.sub == p.sub && ipMatch(r.obj, p.obj)"), "p, user:ann, x, allow\n"))
    with pytest.raises(EngineError, match="casbin failed"):
        judge(policy)


@pytest.mark.parametrize(
    ("matcher", "pattern"),
    [
        pytest.param("regexMatch(r.obj, p.obj)", "*", id="an expression that is none"),
        pytest.param("regexMatch( r.obj , p.obj )", "(a", id="with blanks in the matcher"),
    ],
)
def test_a_pattern_on_which_casbin_would_fail_at_every_question_is_refused_with_its_row(
    matcher: str, pattern: str
) -> None:
    rows = f"p, user:ann, 10.0.0.1, allow\np, user:ann, {pattern}, allow\n"
    with pytest.raises(PolicyProblems, match=r"policy\.csv:2: `\w+Match` cannot read"):
        CasbinEngine().compile(checked(model("sub, obj", f"r.sub == p.sub && {matcher}"), rows))


def test_a_star_may_stand_in_a_text_of_the_matcher() -> None:
    policy = compiled(
        checked(model("sub, obj", "r.sub == p.sub && (r.obj == p.obj || p.obj == '*')"), "p, user:ann, *, allow\n")
    )
    assert lines(judge(policy, "user:ann", "x")) == ([1], [])


class _Says:
    """An effector with an answer of its own."""

    def __init__(self, answer: int) -> None:
        self._answer = answer

    def final_effect(self, _effects: set[int]) -> int:
        return self._answer


@pytest.mark.parametrize(
    ("answer", "tool"),
    [pytest.param(0, "none", id="a yes without a row"), pytest.param(2, "t/1", id="a no against rows")],
)
def test_an_answer_against_the_rows_is_an_error(answer: int, tool: str) -> None:
    policy = compiled(checked(rows=ROWS.replace("any", "some")))
    policy._witness._effector = _Says(answer)  # type: ignore[assignment, misc]
    with pytest.raises(EngineError, match="the rows that it matched"):
        judge(policy, tool=tool)


def test_an_answer_that_is_no_answer_is_an_error() -> None:
    policy = compiled(checked())

    class Odd:
        enabled = True

        def enforce(self, *_asked: object) -> Any:
            return None

    policy._enforcer = Odd()  # type: ignore[misc]
    with pytest.raises(EngineError, match="casbin says None"):
        judge(policy)


def test_a_model_that_casbin_cannot_use_is_refused() -> None:
    with pytest.raises(PolicyProblems, match="casbin cannot use this model"):
        CasbinEngine().compile(Rules(foreign=Foreign(model="[x", rows=())))


async def test_a_long_batch_lets_other_callers_in() -> None:
    policy = compiled(checked())
    order: list[str] = []

    async def ask(name: str, times: int) -> None:
        for _ in range(times):
            await policy.judge(frozenset({"user:ann"}), "ops", "call", "t/1")
            order.append(name)

    await asyncio.gather(ask("batch", 3), ask("other", 1))
    assert order.index("other") < 2
