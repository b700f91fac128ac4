"""Rights that hang on a condition: each tool names the condition and promises nothing more."""

import asyncio
import json
import re
from dataclasses import dataclass

import pytest

from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.errors import ConditionError, ConditionFlaws, Flaw
from authz_sidecar.facts import Facts
from authz_sidecar.model import Question
from authz_sidecar.policy.build import Built, Setting, build
from authz_sidecar.policy.callers import caller
from authz_sidecar.policy.diff import compare
from authz_sidecar.policy.explain import Explainer, Miss
from authz_sidecar.policy.matrix import as_csv, fill
from authz_sidecar.policy.page import page
from authz_sidecar.policy.questions import Grant, target
from authz_sidecar.policy.tools import Tools
from authz_sidecar.policy.whens import Conditions
from authz_sidecar.ports import Known, Policy, Read
from tests.policy.drawn import HIERARCHY, SERVERS, files, questions
from tests.policy.test_replay import event, log, replayed, suggested

REFUND = 'p, role:r, desk, tools/call, refund, allow, "args.amount <= 100"\n'


@dataclass(frozen=True, slots=True)
class Amount:
    """A condition on `args.amount`; anything but a number errs."""

    text: str
    needs_arguments: bool = True

    def holds(self, facts: Facts) -> bool:
        amount = json.loads(facts.arguments or b"{}").get("amount")
        if not isinstance(amount, int):
            raise ConditionError("no such number")
        _, sign, limit = self.text.split()
        return amount <= int(limit) if sign == "<=" else amount > int(limit)


class Amounts:
    """A language of two conditions."""

    def read(self, text: str, known: Known) -> Read:
        if not re.fullmatch(r"args\.amount (<=|>) \d+", text):
            raise ConditionFlaws([Flaw(0, "odd", "another condition")])
        return Read(condition=Amount(text))


async def made(policy: str) -> Built:
    setting = Setting(
        engine=IndexEngine(), servers=SERVERS, hierarchy=HIERARCHY, conditions=Conditions(language=Amounts())
    )
    return await build(files(policy), setting)


def loaded(policy: str) -> Policy:
    built = asyncio.run(made(policy))
    assert built.problems == ()
    assert built.policy is not None
    return built.policy


def who(policy: Policy) -> dict[str, Grant]:
    async def ask() -> dict[str, Grant]:
        found = questions(policy).who_can(target("desk", "tools/call", "refund"))
        return {grant.name.label: grant async for grant in found if grant.permitted}

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("policy", "when", "unless"),
    [
        pytest.param(REFUND, ("args.amount <= 100",), (), id="an allow row"),
        pytest.param(f"{REFUND}p, role:r, desk, tools/call, re*, allow\n", (), (), id="beside a row without one"),
        pytest.param(
            'p, role:r, desk, tools/call, *, allow\np, *, desk, *, refund, deny, "args.amount > 5"\n',
            (),
            ("args.amount > 5",),
            id="a deny row",
        ),
    ],
)
def test_what_a_right_hangs_on_is_named(policy: str, when: tuple[str, ...], unless: tuple[str, ...]) -> None:
    grant = who(loaded(policy))["role:r"]
    assert (grant.when, grant.unless) == (when, unless)


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        pytest.param(REFUND, REFUND, None, id="the same"),
        pytest.param(REFUND, REFUND.replace("100", "900"), "condition", id="another condition"),
        pytest.param(REFUND, "p, role:r, desk, tools/call, refund, allow\n", "needs_less", id="none any more"),
        pytest.param("p, role:r, desk, tools/call, refund, allow\n", REFUND, "needs_more", id="one by now"),
        pytest.param(
            "p, role:r, desk, tools/call, refund, allow\n",
            "p, role:r, desk, tools/call, refund, allow\n" + 'p, role:r, desk, *, *, deny, "args.amount > 5"\n',
            "needs_more",
            id="a deny row with one by now",
        ),
    ],
)
def test_a_change_of_a_condition_is_a_difference(old: str, new: str, change: str | None) -> None:
    found = asyncio.run(compare(loaded(old), loaded(new), SERVERS, HIERARCHY, Tools()))
    assert {one.change for one in found if one.target.label == "refund"} == ({change} if change else set())


def missing(policy: Policy, arguments: bytes) -> Miss | None:
    explainer = Explainer(policy=policy, servers=SERVERS, hierarchy=HIERARCHY)
    question = Question(method="tools/call", tool="refund", arguments=arguments)
    return asyncio.run(explainer.explain(caller(["role:r"]), "desk", question, now=0.0)).miss


def test_a_condition_that_does_not_hold_is_what_is_missing() -> None:
    policy = loaded(REFUND)
    assert missing(policy, b'{"amount": 7}') is None
    too_much = missing(policy, b'{"amount": 700}')
    assert too_much is not None
    assert (too_much.missing, too_much.advice) == ("condition", "the condition `args.amount <= 100` does not hold")
    erred = missing(policy, b'{"amount": "x"}')
    assert erred is not None
    assert erred.advice.startswith("a condition cannot be evaluated: policy.csv:1: ")


def test_a_row_with_a_condition_makes_no_other_idle() -> None:
    rows = f'{REFUND}p, role:r, desk, tools/call, re*, allow, "args.amount <= 5"\n'
    assert asyncio.run(made(rows)).warnings == ()
    whole = asyncio.run(made(f"{REFUND}p, role:r, desk, tools/call, re*, allow\n"))
    assert [(one.line, one.code) for one in whole.warnings] == [(1, "shadowed-by-allow")]


def test_a_replay_without_the_arguments_claims_nothing() -> None:
    found = log(event("role:r", tool="refund", allowed=True, reason="allowed_by_rule"))
    (unknown,) = replayed(loaded(REFUND), found)
    assert (unknown.hangs_on, unknown.opens, unknown.closes) == (("args.amount <= 100",), False, False)
    assert found.conditional == 1
    assert suggested(log(event("role:r", tool="refund"))) != []


def test_the_matrix_says_so_and_its_csv_leaves_it_open() -> None:
    policy = loaded(REFUND + "p, role:r, desk, tools/call, t, allow\n")
    table = asyncio.run(fill(questions(policy), servers=frozenset(), kinds=frozenset()))
    assert list(as_csv(table)) == [
        "server, method, tool, role:r",
        "desk, tools/call, refund, ",
        "desk, tools/call, t, allow",
    ]
    assert "when args.amount &lt;= 100" in page(table, title="t", revision="r")
