"""Fewer allows, more denies or more scopes never grant (promise P3)."""

import asyncio
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from authz_sidecar.judge import judge
from authz_sidecar.methods import METHODS
from authz_sidecar.model import Principal, Question
from authz_sidecar.rules import Effect, Membership, Pattern, Rule, Rules, ScopeHierarchy, ScopeRow
from tests.effort import examples
from tests.kernel.house import OPS, Fixed, caller, policy

_METHODS = [*METHODS, "acme/report", "notifications/x", "no/such"]
_TOOLS = ["", "a", "ab", "b", "ref/prompt:a", "ref/resource:ab"]
_SUBJECTS = ["user:ann", "role:a", "role:b", "group:g", "client:cli", "agent:bot"]
_OUTCOMES = (True, False, None)


def _patterns(words: list[str]) -> st.SearchStrategy[Pattern]:
    anything = st.just(Pattern("", prefix=True))
    beginnings = st.sampled_from(words).flatmap(
        lambda word: st.integers(0, len(word)).map(lambda n: Pattern(word[:n], prefix=True))
    )
    return st.one_of(st.sampled_from(words).map(Pattern), anything, beginnings)


def _rules(effects: list[Effect]) -> st.SearchStrategy[Rule]:
    return st.builds(
        Rule,
        subject=_patterns(_SUBJECTS),
        server=_patterns(["ops", "other"]),
        method=_patterns(_METHODS),
        tool=_patterns(_TOOLS),
        effect=st.sampled_from(effects),
        source=st.just("policy.csv"),
        line=st.integers(1, 99),
        text=st.just(""),
        when=st.sampled_from(
            [None, None, *(Fixed(outcome, needs) for outcome in _OUTCOMES for needs in (True, False))]
        ),
    )


_scope_rows = st.builds(
    ScopeRow,
    server=_patterns(["ops", "other"]),
    method=_patterns(_METHODS),
    tool=_patterns(_TOOLS),
    scopes=st.lists(st.sampled_from(["r", "w"]), min_size=1, max_size=2).map(tuple),
    source=st.just("scopes.csv"),
    line=st.just(2),
)
_memberships = st.builds(
    Membership,
    member=st.sampled_from(_SUBJECTS),
    role=st.sampled_from(["role:a", "role:b"]),
    source=st.just("policy.csv"),
    line=st.just(1),
    text=st.just(""),
)
_policies = st.builds(
    Rules,
    rules=st.lists(_rules([Effect.ALLOW, Effect.ALLOW, Effect.DENY]), max_size=10).map(tuple),
    memberships=st.lists(_memberships, max_size=3).map(tuple),
    scopes=st.lists(_scope_rows, max_size=3).map(tuple),
)
_callers = st.builds(
    lambda user, groups, client, agent, scopes: caller(
        user, *groups, client=client if user else "client:cli", agent=agent, scopes=" ".join(scopes)
    ),
    st.sampled_from(["user:ann", None]),
    st.lists(st.sampled_from(["role:a", "group:g"]), max_size=2),
    st.sampled_from([None, "client:cli"]),
    st.sampled_from([None, None, "agent:bot"]),
    st.lists(st.sampled_from(["r", "w", "rw"]), max_size=2),
)
_questions = st.builds(Question, method=st.sampled_from(_METHODS), tool=st.sampled_from(_TOOLS))
_HIERARCHY = ScopeHierarchy(implies={"rw": frozenset({"r", "w"})})


def _allowed(rules: Rules, who: Principal, asked: Question) -> bool:
    return asyncio.run(judge(policy(rules), who, OPS, asked, _HIERARCHY)).allowed


@settings(max_examples=examples(400), deadline=None)
@given(rules=_policies, who=_callers, asked=_questions, data=st.data())
def test_removing_an_allow_row_never_grants(rules: Rules, who: Principal, asked: Question, data: st.DataObject) -> None:
    allows = [place for place, rule in enumerate(rules.rules) if rule.effect is Effect.ALLOW]
    gone = data.draw(st.sets(st.sampled_from(allows))) if allows else set()
    fewer = replace(rules, rules=tuple(rule for place, rule in enumerate(rules.rules) if place not in gone))
    assert _allowed(rules, who, asked) >= _allowed(fewer, who, asked)


@settings(max_examples=examples(400), deadline=None)
@given(rules=_policies, deny=_rules([Effect.DENY]), who=_callers, asked=_questions, data=st.data())
def test_adding_a_deny_row_never_grants(
    rules: Rules, deny: Rule, who: Principal, asked: Question, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(rules.rules)))
    more = replace(rules, rules=(*rules.rules[:at], deny, *rules.rules[at:]))
    assert _allowed(rules, who, asked) >= _allowed(more, who, asked)


@settings(max_examples=examples(300), deadline=None)
@given(rules=_policies, row=_scope_rows, who=_callers, asked=_questions)
def test_adding_a_scope_row_never_grants(rules: Rules, row: ScopeRow, who: Principal, asked: Question) -> None:
    assert _allowed(rules, who, asked) >= _allowed(replace(rules, scopes=(*rules.scopes, row)), who, asked)


@settings(max_examples=examples(300), deadline=None)
@given(rules=_policies, who=_callers, asked=_questions)
def test_naming_a_client_or_an_agent_never_grants_to_a_user(rules: Rules, who: Principal, asked: Question) -> None:
    alone = replace(who, client=None, agent=None) if who.user else replace(who, agent=None)
    assert _allowed(rules, alone, asked) >= _allowed(rules, who, asked)
