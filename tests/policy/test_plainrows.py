"""The quick reader of plain rows says what the careful one says."""

from hypothesis import given, settings
from hypothesis import strategies as st

from authz_sidecar.policy.cells import Columns
from authz_sidecar.policy.csvrows import Plain, read
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse_rows
from authz_sidecar.policy.plainrows import LazyColumns, plain_rule

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
    assert parse_rows(read("policy.csv", data, quick), fast, quick) == expected
    assert (quick.problems, quick.warnings) == (careful.problems, careful.warnings)
    assert {place: fast[place] for place in slow} == slow


def test_most_rows_are_read_quickly() -> None:
    (row,) = read("policy.csv", b"p,  role:a , ops, tools/call, tick*, deny\n", Findings())
    rule = plain_rule(row)
    assert rule is not None
    assert (str(rule.tool), rule.text, rule.line) == ("tick*", "p, role:a , ops, tools/call, tick*, deny", 1)


def test_rows_in_doubt_are_left_to_the_careful_reader() -> None:
    odd = b'g, user:a, role:b\np, a, b, c, d, allow\np, "user:a", b, c, d, allow\np, user:a, b, c, d, Deny\n'
    assert [plain_rule(row) for row in read("policy.csv", odd, Findings())] == [None] * 4


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
