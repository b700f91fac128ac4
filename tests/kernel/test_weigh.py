"""What conditions do to a decision."""

import asyncio
from dataclasses import replace

import pytest

from authz_sidecar.facts import Facts
from authz_sidecar.judge import judge
from authz_sidecar.model import Decision, Principal, Query, Question, RawToken, Reason
from authz_sidecar.rules import Rules, ScopeHierarchy, Verdict
from authz_sidecar.testing.cases import rows
from authz_sidecar.weigh import weigh
from tests.kernel.house import OPS, Fixed, LinearPolicy, ask, caller, conditional, house, lines, policy

CALL = "tools/call"
ALLOW = ("user:ann", "ops", CALL, "read", "allow")
DENY = ("user:ann", "ops", CALL, "read", "deny")
YES, NO, ERRS = Fixed(True), Fixed(False), Fixed(None)
LATER = Fixed(None, needs_arguments=True)


def judged(rules: Rules, who: Principal | None = None, method: str = CALL) -> Decision:
    return ask(rules, who or caller(), method, "read")


@pytest.mark.parametrize(
    ("allow", "deny", "reason", "deciding"),
    [
        pytest.param(YES, NO, Reason.ALLOWED_BY_RULE, [1], id="an allow row whose condition holds allows"),
        pytest.param(NO, NO, Reason.NO_MATCHING_RULE, [], id="a condition that does not hold is silence"),
        pytest.param(YES, YES, Reason.DENIED_BY_RULE, [2], id="a deny row whose condition holds denies"),
        pytest.param(NO, YES, Reason.DENIED_BY_RULE, [2], id="a deny row denies without an allow row"),
        pytest.param(YES, ERRS, Reason.CONDITION_ERROR, [2], id="a deny row that errs denies"),
        pytest.param(NO, ERRS, Reason.CONDITION_ERROR, [2], id="a deny row that errs denies silence too"),
        pytest.param(ERRS, NO, Reason.CONDITION_ERROR, [1], id="an allow row that errs grants nothing"),
        pytest.param(ERRS, YES, Reason.DENIED_BY_RULE, [2], id="an error that changes nothing is not the reason"),
        pytest.param(ERRS, ERRS, Reason.CONDITION_ERROR, [2], id="the deny row's error comes first"),
        pytest.param(None, NO, Reason.ALLOWED_BY_RULE, [1], id="a row without a condition counts as ever"),
        pytest.param(None, ERRS, Reason.CONDITION_ERROR, [2], id="a deny that errs beats a plain allow"),
    ],
)
def test_a_condition_decides_whether_its_row_speaks(
    allow: Fixed | None, deny: Fixed, reason: Reason, deciding: list[int]
) -> None:
    rules = rows(ALLOW, DENY)
    rules = conditional(rules, line_2=deny) if allow is None else conditional(rules, line_1=allow, line_2=deny)
    decision = judged(rules)
    assert (decision.reason, lines(decision)) == (reason, deciding)


def test_an_allow_row_that_errs_spoils_no_other() -> None:
    decision = judged(conditional(rows(ALLOW, ALLOW), line_1=ERRS))
    assert decision.allowed
    assert lines(decision) == [2]
    assert decision.detail == "policy.csv:1: a field is not there"


def test_every_condition_is_asked_whatever_the_others_say() -> None:
    conditions = [Fixed(outcome) for outcome in (True, False, None, True)]
    rules = conditional(
        rows(DENY, DENY, DENY, ALLOW), **{f"line_{line}": one for line, one in enumerate(conditions, 1)}
    )
    assert lines(judged(rules)) == [1, 3]
    assert [len(one.asked) for one in conditions] == [1, 1, 1, 1]


def test_a_true_deny_and_one_that_errs_are_both_named() -> None:
    decision = judged(conditional(rows(DENY, DENY), line_1=ERRS, line_2=YES))
    assert decision.reason is Reason.DENIED_BY_RULE
    assert lines(decision) == [1, 2]


@pytest.mark.parametrize(
    ("allow", "deny", "shown"),
    [
        pytest.param(LATER, NO, True, id="what depends on arguments counts as allowed"),
        pytest.param(YES, LATER, True, id="what depends on arguments does not hide"),
        pytest.param(NO, NO, False, id="what does not depend on them is evaluated"),
        pytest.param(YES, YES, False, id="a deny row that does not depend on them hides"),
        pytest.param(YES, ERRS, False, id="one that errs hides"),
        pytest.param(ERRS, NO, False, id="an allow row that errs shows nothing"),
    ],
)
def test_a_list_shows_what_could_be_called_with_some_arguments(allow: Fixed, deny: Fixed, *, shown: bool) -> None:
    rules = conditional(rows(ALLOW, DENY), line_1=allow, line_2=deny)
    assert judged(rules, method="tools/list").allowed is shown
    assert LATER.asked == []


def test_rows_without_a_condition_cost_no_look_at_the_arguments() -> None:
    class Untouchable(Facts):
        def once(self, key: object, make: object) -> object:  # type: ignore[override]
            raise AssertionError("nobody asked")

    verdict = Verdict(allows=rows(ALLOW).rules, denies=rows(DENY).rules)
    assert weigh(verdict, Untouchable(arguments=b"not json"), listing=False) is verdict


CLIENT_ALLOW = ("client:cli", "ops", CALL, "read", "allow")
CLIENT_DENY = ("client:cli", "ops", CALL, "read", "deny")
AGENT_ALLOW = ("agent:bot", "ops", CALL, "read", "allow")
AGENT_DENY = ("agent:bot", "ops", CALL, "read", "deny")


@pytest.mark.parametrize(
    ("second", "user", "other", "reason", "deciding"),
    [
        pytest.param(CLIENT_DENY, YES, ERRS, Reason.CONDITION_ERROR, [2], id="a client's deny that errs denies"),
        pytest.param(CLIENT_ALLOW, NO, YES, Reason.NO_MATCHING_RULE, [], id="a client's condition adds nothing"),
        pytest.param(CLIENT_ALLOW, NO, ERRS, Reason.NO_MATCHING_RULE, [], id="nor does its error decide"),
        pytest.param(AGENT_ALLOW, YES, YES, Reason.ALLOWED_BY_RULE, [1, 2], id="both hold"),
        pytest.param(AGENT_ALLOW, YES, NO, Reason.NO_MATCHING_RULE, [], id="the agent's does not hold"),
        pytest.param(AGENT_ALLOW, YES, ERRS, Reason.CONDITION_ERROR, [2], id="the agent's errs"),
        pytest.param(AGENT_ALLOW, ERRS, YES, Reason.CONDITION_ERROR, [1], id="the user's errs"),
        pytest.param(
            AGENT_ALLOW, ERRS, NO, Reason.NO_MATCHING_RULE, [], id="an error beside silence is not the reason"
        ),
        pytest.param(AGENT_DENY, ERRS, ERRS, Reason.CONDITION_ERROR, [2], id="the agent's deny errs"),
    ],
)
def test_client_and_agent_narrow_with_conditions_too(
    second: tuple[str, ...], user: Fixed, other: Fixed, reason: Reason, deciding: list[int]
) -> None:
    who = caller(client="client:cli") if second[0].startswith("client") else caller(agent="agent:bot")
    decision = judged(conditional(rows(ALLOW, second), line_1=user, line_2=other), who)
    assert (decision.reason, lines(decision)) == (reason, deciding)


def test_a_right_that_follows_keeps_its_condition() -> None:
    rules = rows(("user:ann", "ops", "resources/read", "read", "allow"))
    assert judged(conditional(rules, line_1=YES), method="resources/subscribe").allowed
    assert judged(conditional(rules, line_1=ERRS), method="resources/subscribe").reason is Reason.CONDITION_ERROR


def test_a_condition_sees_arguments_claims_context_and_the_time() -> None:
    seen: list[Facts] = []

    class Curious(Fixed):
        def holds(self, facts: Facts) -> bool:
            seen.append(facts)
            return True

    rules = conditional(rows(ALLOW), line_1=Curious(True))
    who = replace(caller(), claims={"tenant": "a"})
    question = Question(method=CALL, tool="read", arguments=b'{"a": 1}')
    asyncio.run(judge(policy(rules), who, OPS, question, ScopeHierarchy(), context={"ip": "::1"}, now=7.0))
    (facts,) = seen
    assert (facts.arguments, facts.claims, facts.context, facts.now) == (b'{"a": 1}', {"tenant": "a"}, {"ip": "::1"}, 7)


def test_the_log_hears_which_conditions_erred_each_once() -> None:
    rules = conditional(rows(ALLOW), line_1=ERRS)
    built = house(policy(rules, LinearPolicy(rules)))
    asked = tuple(Question(method=CALL, tool="read") for _ in range(3))
    answer = built.decide(Query(token=RawToken("ann"), server="ops", questions=asked, batch=True))
    assert [decision.reason for decision in answer.decisions] == [Reason.CONDITION_ERROR] * 3
    assert built.log.kept[0][2] == "policy.csv:1: a field is not there"


def test_facts_make_a_thing_once() -> None:
    made: list[int] = []
    facts = Facts()
    for _ in range(2):
        assert facts.once("a", lambda _: made.append(1) or len(made)) == 1
    assert made == [1]
