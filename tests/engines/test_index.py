"""The index says what the plain engine says, whatever the policy."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz_sidecar.engines.casbin import PycasbinEngine
from authz_sidecar.engines.index import IndexEngine, Memory, Step, find
from authz_sidecar.engines.plain import PlainEngine
from authz_sidecar.ports import PolicyEngine
from authz_sidecar.rules import Effect, Membership, Pattern, Rule, Rules
from authz_sidecar.testing.cases import rows
from tests.effort import examples

# Few letters, so that beginnings of one another are common; a star, a comma, a quote, a NUL and two that fold.
_text = st.text(alphabet='ab*,"\0\u00e9\u0301\U0001f510', max_size=4)
_word = st.one_of(_text, st.text(max_size=6))
_pattern = st.builds(Pattern, _word, st.booleans())
_subject = st.one_of(
    st.sampled_from(["user:a", "user:ab", "role:a", "role:b", "role:c", "group:a"]), _text.map("user:{}".format)
)
_subjects = st.one_of(
    st.builds(Pattern, _subject, st.booleans()),
    st.sampled_from([Pattern("", prefix=True), Pattern("user:", prefix=True), Pattern("role:", prefix=True)]),
)
_rule = st.builds(
    lambda subject, server, method, tool, effect: (subject, server, method, tool, effect),
    _subjects,
    _pattern,
    _pattern,
    _pattern,
    st.sampled_from(list(Effect)),
)


def _policy(drawn: list[tuple[Pattern, Pattern, Pattern, Pattern, Effect]], pairs: list[tuple[str, str]]) -> Rules:
    return Rules(
        rules=tuple(
            Rule(subject=s, server=v, method=m, tool=t, effect=e, source="policy.csv", line=n, text=f"row {n}")
            for n, (s, v, m, t, e) in enumerate(drawn, 1)
        ),
        memberships=tuple(
            Membership(member=member, role=role, source="policy.csv", line=n, text="")
            for n, (member, role) in enumerate(pairs, 1)
        ),
    )


_policies = st.builds(_policy, st.lists(_rule, max_size=25), st.lists(st.tuples(_subject, _subject), max_size=8))
_calls = st.lists(st.tuples(st.frozensets(_subject, max_size=4), _word, _word, _word), min_size=1, max_size=6)


def _near(rules: Rules, pick: Callable[[int], int]) -> tuple[str, str, str]:
    """Make a call that some row is about, so that random questions do not all miss."""
    rule = rules.rules[pick(len(rules.rules))]
    return rule.server.text, rule.method.text, rule.tool.text


@pytest.mark.parametrize("engine", [IndexEngine(), PycasbinEngine()], ids=["index", "pycasbin"])
@settings(max_examples=examples(150), deadline=None)
@given(rules=_policies, calls=_calls, data=st.data())
def test_every_engine_agrees_with_the_plain_one(
    engine: PolicyEngine,
    rules: Rules,
    calls: list[tuple[frozenset[str], str, str, str]],
    data: st.DataObject,
) -> None:
    plain = PlainEngine().compile(rules)
    compiled = engine.compile(rules)
    if rules.rules:
        near = _near(rules, lambda count: data.draw(st.integers(0, count - 1)))
        calls = [*calls, *((subjects, *near) for subjects, *_ in calls)]
    for subjects, server, method, tool in calls:
        expected = plain.verdict(subjects, server, method, tool)
        assert asyncio.run(compiled.judge(subjects, server, method, tool)) == expected


def test_rows_come_in_the_order_of_the_file_whatever_leads_to_them() -> None:
    policy = IndexEngine().compile(
        rows(
            ("role:z", "*", "*", "*", "allow"),
            ("user:ann", "ops", "tools/call", "read", "allow"),
            ("role:a", "ops", "*", "re*", "deny"),
            ("*", "*", "*", "*", "allow"),
            ("role:*", "ops", "tools/call", "read", "deny"),
        )
    )
    verdict = asyncio.run(policy.judge(frozenset({"user:ann", "role:z", "role:a"}), "ops", "tools/call", "read"))
    assert [rule.line for rule in verdict.allows] == [1, 2, 4]
    assert [rule.line for rule in verdict.denies] == [3, 5]


def test_rows_of_other_subjects_are_not_looked_at() -> None:
    lines = [(f"user:{n}", f"server{n}", "tools/call", f"tool{n}*", "allow") for n in range(2_000)]
    policy = IndexEngine().compile(rows(*lines))
    assert len(policy._literal) == 2_000
    assert policy._patterns is None
    assert len(policy._find_tables(frozenset({"user:7"}), "server7", "tools/call")) == 1


def test_beginnings_cost_one_look_up_for_each_length() -> None:
    step = Step({Pattern(f"tool{n:04}", prefix=True): n for n in range(1_000)})
    assert len(step.beginnings) == 1
    assert find([step], ("tool0042x",)) == [42]
    assert find([step], ("tool",)) == []


async def test_many_rows_of_one_kind_are_a_table_before_anybody_asks() -> None:
    lines = [("role:a", "ops", "tools/call", f"tool{n}", "allow") for n in range(150)]
    few = [("role:c", "ops", "tools/call", f"tool{n}", "allow") for n in range(2)]
    policy = IndexEngine().compile(rows(*lines, ("role:b", "ops", "tools/call", "tool1", "deny"), *few))
    kinds = {key[0]: type(some) for key, some in policy._literal.items()}
    assert kinds == {"role:a": Step, "role:b": int, "role:c": list}
    verdict = await policy.judge(frozenset({"role:a", "role:b", "role:c"}), "ops", "tools/call", "tool1")
    assert ([rule.line for rule in verdict.allows], [rule.line for rule in verdict.denies]) == ([2, 153], [151])


def test_a_memory_that_is_full_begins_anew() -> None:
    memory = Memory[str, int](room=10)
    assert memory.keep("a", 1, 6) == 1
    assert memory.keep("b", 2, 4) == 2
    assert memory.known == {"a": 1, "b": 2}
    assert memory.keep("c", 3, 1) == 3
    assert memory.known == {"c": 3}


async def test_what_is_remembered_and_what_is_forgotten_changes_no_answer() -> None:
    policy = IndexEngine().compile(
        rows(("role:*", "*", "tools/*", "t*", "allow"), ("user:ann", "ops", "*", "t", "deny"))
    )
    question = frozenset({"user:ann", "role:a"}), "ops", "tools/call", "t"
    first = await policy.judge(*question)
    assert await policy.judge(*question) is first
    policy.forget()
    assert await policy.judge(*question) == first


async def test_a_hundred_thousand_members_and_a_thousand_deep_chain_get_the_plain_answers() -> None:
    chain = [(f"role:{depth}", f"role:{depth + 1}") for depth in range(1_000)]
    members = [(f"user:{n}", f"role:{n % 1_000}") for n in range(100_000)]
    rules = rows(
        *chain,
        *members,
        ("role:1000", "ops", "tools/call", "read", "allow"),
        ("role:700", "ops", "tools/call", "read", "deny"),
        ("role:3", "*", "tools/call", "re*", "allow"),
    )
    plain, index = PlainEngine().compile(rules), IndexEngine().compile(rules)
    for n in (0, 3, 4, 700, 701, 999, 99_999):
        question = frozenset({f"user:{n}"}), "ops", "tools/call", "read"
        verdict = await index.judge(*question)
        assert verdict == plain.verdict(*question)
        assert bool(verdict) is (n % 1_000 > 700)
