"""Rows that are not suspected are covered by nothing, and the others are covered by the rows that are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.policy.covering import Cover, Names
from authz_sidecar.policy.holding import Holding
from authz_sidecar.policy.suspects import suspects
from authz_sidecar.rules import Effect, Membership, Pattern, Rule
from authz_sidecar.testing.cases import rows
from tests.policy.drawn import CALM

_text = st.sampled_from(["", "a", "ab", "abc", "b", "role:a", "role:ab", "user:a", "*"])
_pattern = st.builds(Pattern, _text, st.booleans())
_places = st.sampled_from(["", "a", "ab"])


def rule(line: int, fields: tuple[Pattern, Pattern, Pattern, Pattern], effect: Effect = Effect.ALLOW) -> Rule:
    subject, server, method, tool = fields
    return Rule(
        subject=subject, server=server, method=method, tool=tool, effect=effect, source="p", line=line, text=f"{line}"
    )


def member(name: str, role: str, server: str | None = None) -> Membership:
    return Membership(member=name, role=role, source="p", line=0, text="", server=server)


_rules = st.lists(
    st.tuples(st.tuples(_pattern, _pattern, _pattern, _pattern), st.sampled_from(Effect)), max_size=8
).map(lambda drawn: [rule(line, *one) for line, one in enumerate(drawn, 1)])
_roles = st.lists(st.builds(member, _text, _text, st.one_of(st.none(), _places)), max_size=4)
_groups = st.lists(st.builds(member, _text, _text), max_size=3)


@CALM
@given(_rules, _roles, _groups)
def test_a_row_is_covered_by_the_rows_that_are_kept_as_by_all(
    rules: list[Rule], roles: list[Membership], groups: list[Membership]
) -> None:
    holding, grouping = Holding(roles), Holding(groups)
    found = suspects(rules, holding, grouping)
    everything, kept = Cover(rules), Cover(found.rows)
    for place, one in enumerate(rules):
        held = holding.on("" if one.server.prefix else one.server.text).held(one.subject.text)
        names = Names(subjects=sorted(held), tools=sorted(grouping.held(one.tool.text)))
        for effect in Effect:
            covering = everything.over(one, names, lambda other, wanted=effect: other.effect is wanted)  # type: ignore[misc]
            if place in found.places:
                assert kept.over(one, names, lambda other, wanted=effect: other.effect is wanted) is covering  # type: ignore[misc]
            else:
                assert covering is None


@pytest.mark.parametrize(
    ("given_rows", "suspected"),
    [
        pytest.param([("role:a", "s", "m", "t"), ("role:a", "s", "m", "u")], [], id="other tools of one group"),
        pytest.param([("role:a", "s", "m", "t"), ("role:b", "s", "m", "t")], [], id="other roles"),
        pytest.param([("role:a", "s", "m", "t"), ("user:x", "*", "*", "*")], [], id="a broad row for somebody else"),
        pytest.param([("role:a", "s", "m", "t"), ("role:a", "s", "m", "t")], [1, 2], id="the same twice"),
        pytest.param([("role:a", "s", "m", "tt"), ("role:a", "s", "m", "t*")], [1], id="a beginning in the group"),
        pytest.param([("role:a", "s", "m", "t"), ("*", "*", "*", "*")], [1], id="everything"),
        pytest.param([("role:a", "s", "m", "t"), ("*", "*", "*", "u")], [], id="everywhere, but another tool"),
        pytest.param([("user:x", "s", "m", "t"), ("role:a", "s", "*", "t")], [1], id="by a role"),
        pytest.param([("user:x", "s", "m", "t"), ("role:here", "s", "m", "t")], [1], id="by a role held there"),
        pytest.param([("user:x", "z", "m", "t"), ("role:here", "z", "m", "t")], [], id="by a role held elsewhere"),
        pytest.param([("user:x", "*", "m", "t"), ("role:here", "*", "m", "t")], [], id="by a role not held everywhere"),
        pytest.param([("role:a", "s", "m", "t"), ("role:a", "s", "m", "group")], [1], id="by a group of tools"),
    ],
)
def test_a_row_is_suspected_only_where_another_one_says_as_much(
    given_rows: list[tuple[str, str, str, str]], suspected: list[int]
) -> None:
    policy = rows(
        *((*row, "allow") for row in given_rows),
        ("user:x", "role:a"),
        ("user:x", "role:here", "s"),
        ("g2", "t", "in", "group"),
    )
    found = suspects(policy.rules, Holding(policy.memberships), Holding(policy.tool_groups))
    assert sorted(place + 1 for place in found.places) == suspected
