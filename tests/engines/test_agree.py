"""All engines must allow: what one says only sometimes, no yes of another outlives, whatever the facts and the hour."""

import asyncio
import json
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.engines.agree import Agreed
from authz_sidecar.engines.compose import ComposedEngine
from authz_sidecar.errors import ConditionError
from authz_sidecar.facts import Facts
from authz_sidecar.policy.ending import EndingPolicy
from authz_sidecar.rules import Condition, Effect, Rule, Rules, Verdict
from authz_sidecar.testing.cases import rows
from authz_sidecar.weigh import weigh

ROW = rows(("user:ann", "ops", "call", "x", "allow")).rules[0]
NOW = 100.0


@dataclass(frozen=True)
class Flag:
    """Is what the arguments say under this name; errs where they say neither."""

    text: str

    @property
    def needs_arguments(self) -> bool:
        return True

    def holds(self, facts: Facts) -> bool:
        value = json.loads(facts.arguments).get(self.text)
        if not isinstance(value, bool):
            raise ConditionError(f"`{self.text}` is not there")
        return value


@dataclass
class Gives:
    """An engine that finds these rows."""

    found: tuple[Rule, ...]
    name: str = "gives"

    def compile(self, _rules: Rules) -> "Gives":
        return self

    async def judge(self, _subjects: frozenset[str], _server: str, _method: str, _tool: str) -> Verdict:
        return Verdict(
            allows=tuple(rule for rule in self.found if rule.effect is Effect.ALLOW),
            denies=tuple(rule for rule in self.found if rule.effect is Effect.DENY),
        )


def row(line: int, when: str = "", until: float | None = None, effect: Effect = Effect.ALLOW) -> Rule:
    return replace(ROW, line=line, when=Flag(when) if when else None, until=until, effect=effect)


def judged(engines: list[tuple[Rule, ...]], facts: Facts, *, listing: bool = False) -> Verdict:
    """Ask as the store does: the composition, then the clock, then the conditions."""
    names = ",".join(map(str, range(len(engines))))
    composed = ComposedEngine(f"all:{names}", "all", [Gives(found) for found in engines]).compile(Rules())
    ending = EndingPolicy(composed, Rules(), lambda: NOW)
    return weigh(asyncio.run(ending.judge(frozenset({"user:ann"}), "ops", "call", "x")), facts, listing=listing)


def alone(found: tuple[Rule, ...], facts: Facts) -> Verdict:
    live = tuple(rule for rule in found if rule.effect is Effect.DENY or rule.until is None or rule.until > NOW)
    return weigh(asyncio.run(Gives(live).judge(frozenset(), "", "", "")), facts, listing=False)


_rows = st.lists(
    st.builds(
        row,
        st.integers(1, 9),
        when=st.sampled_from(["", "a", "b", "c"]),
        until=st.sampled_from([None, None, NOW - 1, NOW + 1]),
        effect=st.sampled_from([Effect.ALLOW, Effect.ALLOW, Effect.ALLOW, Effect.DENY]),
    ),
    max_size=3,
).map(tuple)


@given(st.lists(_rows, min_size=2, max_size=3), st.dictionaries(st.sampled_from("abc"), st.booleans()))
def test_all_allow_together_just_when_each_allows_alone(engines: list[tuple[Rule, ...]], said: dict[str, bool]) -> None:
    facts = Facts(arguments=json.dumps(said).encode(), now=NOW)
    assert bool(judged(engines, facts)) is all(alone(found, facts) for found in engines)


@given(st.lists(_rows, min_size=2, max_size=3), st.dictionaries(st.sampled_from("abc"), st.booleans()), st.data())
def test_an_allow_row_less_never_grants(
    engines: list[tuple[Rule, ...]], said: dict[str, bool], data: st.DataObject
) -> None:
    facts = Facts(arguments=json.dumps(said).encode(), now=NOW)
    fewer = [
        tuple(rule for rule in found if rule.effect is Effect.DENY or data.draw(st.booleans())) for found in engines
    ]
    assert bool(judged(engines, facts)) or not judged(fewer, facts)


def test_every_deciding_row_is_named() -> None:
    found = judged([(row(1, "a"),), (row(2),)], Facts(arguments=b'{"a": true}', now=NOW))
    assert [rule.line for rule in found.allows] == [1, 2]


def test_a_list_shows_what_could_be_called() -> None:
    assert judged([(row(1, "a"),), (row(2),)], Facts(now=NOW), listing=True)


@pytest.mark.parametrize(
    ("condition", "text", "arguments"),
    [
        pytest.param(Agreed(Flag("a"), (((Flag("b"), None), (Flag("c"), None)),)), "a && (b) || (c)", True, id="three"),
        pytest.param(Agreed(None, (((None, 7.0), (Flag("c"), None)),)), "(c)", True, id="an end among them"),
        pytest.param(Agreed(None, ()), "", False, id="nothing"),
    ],
)
def test_the_conditions_are_told_together(condition: Condition, text: str, arguments: bool) -> None:
    assert (condition.text, condition.needs_arguments) == (text, arguments)


def test_an_end_without_a_clock_is_no_yes() -> None:
    with pytest.raises(ConditionError, match="nobody knows the time"):
        Agreed(None, (((None, 7.0), (Flag("c"), None)),)).holds(Facts(arguments=b'{"c": false}'))


def test_an_error_counts_only_where_nobody_says_yes() -> None:
    either = Agreed(None, (((Flag("a"), None), (Flag("b"), None)),))
    assert either.holds(Facts(arguments=b'{"b": true}'))
    with pytest.raises(ConditionError):
        either.holds(Facts(arguments=b'{"b": false}'))
