"""The quick reader of plain rows says what the careful one says."""

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz_sidecar.policy.cells import Columns
from authz_sidecar.policy.csvrows import Plain, each_or, read
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse_rows
from authz_sidecar.policy.plainrows import LazyColumns, plain_rules
from authz_sidecar.rules import Rule

_cell = st.one_of(
    st.sampled_from(
        ["p", "g", "user:a", "role:*", "*", "ops", "tools/call", "resources/read", "a*", "a\\*", "a*b", "allow", "deny"]
    ),
    st.text(alphabet="ab:*\\/%. \u00e9", max_size=5),
)
_blank = st.sampled_from(["", " ", "  "])
_line = st.lists(st.tuples(_blank, _cell, _blank).map("".join), min_size=1, max_size=8).map(",".join)
_almost = st.tuples(
    st.just("p"),
    _cell,
    _cell,
    st.sampled_from(["tools/call", "resources/read"]),
    _cell,
    st.sampled_from(["allow", "deny"]),
).map(", ".join)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(_line, _almost), max_size=6).map(lambda lines: "\n".join([*lines, ""]).encode()))
def test_quick_and_careful_reading_give_the_same_rules_places_and_problems(data: bytes) -> None:
    careful, quick = Findings(), Findings()
    slow: Columns = {}
    fast = LazyColumns({"policy.csv": data})
    expected = parse_rows(read("policy.csv", data, careful), slow, careful)
    rows = each_or(plain_rules("policy.csv"), "policy.csv", data, quick)
    assert parse_rows(rows, fast, quick) == expected
    assert (quick.problems, quick.warnings) == (careful.problems, careful.warnings)
    assert {place: fast[place] for place in slow} == slow


def test_most_rows_are_read_quickly() -> None:
    rule = plain_rules("policy.csv")(1, "p,  role:a , ops, tools/call, tick*, deny", 5.0)
    assert rule is not None
    assert type(rule) is Rule
    with pytest.raises(FrozenInstanceError):
        rule.line = 2  # type: ignore[misc] # it is frozen
    assert replace(rule, line=2).until == 5.0
    assert (str(rule.tool), rule.text, rule.line) == ("tick*", "p, role:a , ops, tools/call, tick*, deny", 1)


def test_rows_in_doubt_are_left_to_the_careful_reader() -> None:
    quick = plain_rules("policy.csv")
    odd = ("g, user:a, role:b", "p, a, b, c, d, allow", "p, user:a, b, c, d, Deny", "p, user:a, b, c, d, allow, true")
    assert [quick(1, text, None) for text in odd] == [None] * 4


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_an_end_above_a_row_belongs_to_it_and_to_no_other(end: str) -> None:
    data = f"p,user:a,*,*,*,allow\n# until 2027-01-31\np,user:b,*,*,*,allow\np,user:c,*,*,*,allow{end}".encode()
    rules = [*each_or(plain_rules("policy.csv"), "policy.csv", data, Findings(), ends=True)]
    assert [getattr(rule, "until", 0) is not None for rule in rules] == [False, True, False]


def test_fields_compare_as_what_they_are() -> None:
    assert Plain("a, b") == Plain("a, b")
    assert Plain("a, b") != Plain("a,  b"), "the column is another"
    assert hash(Plain("a, b")) == hash(tuple(Plain("a, b")))
    assert Plain("a, b") == tuple(Plain("a, b"))
    assert Plain("a, b")[1:] == tuple(Plain("a, b"))[1:]
    assert len(Plain("a, b")) == 2


def test_columns_are_counted_when_asked_for() -> None:
    columns = LazyColumns({"policy.csv": b"# note\r\np,  role:a\r\n"})
    assert len(columns) == 0
    assert columns["policy.csv", 2] == (1, 5)
