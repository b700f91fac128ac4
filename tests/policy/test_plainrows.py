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
from tests.effort import examples

_cell = st.one_of(
    st.sampled_from(
        [
            "p",
            "g",
            "user:a",
            "role:*",
            "*",
            "ops",
            "tools/call",
            "resources/read",
            "a*",
            "a\\*",
            "a*b",
            "a/../b",
            "allow",
            "deny",
        ]
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


_note = st.sampled_from(
    ["# until 2027-01-31", "# note", "", ",,,", '"# until 2027-01-31",,', 'p,"user:a",*,*,*,deny', "p,\t*"]
)


@settings(max_examples=examples(400), deadline=None)
@given(st.lists(st.one_of(_line, _almost, _note), max_size=6).map(lambda lines: "\n".join([*lines, ""]).encode()))
def test_quick_and_careful_reading_give_the_same_rules_places_and_problems(data: bytes) -> None:
    careful, quick = Findings(), Findings()
    slow: Columns = {}
    fast = LazyColumns({"policy.csv": data})
    expected = parse_rows(read("policy.csv", data, careful, ends=True), slow, careful)
    rows = each_or(plain_rules("policy.csv"), "policy.csv", data, quick, ends=True)
    assert parse_rows(rows, fast, quick) == expected
    assert (quick.problems, quick.warnings) == (careful.problems, careful.warnings)
    assert {place: fast[place] for place in slow} == slow


def test_most_rows_are_read_quickly() -> None:
    lines = iter([(1, "p,  role:a , ops, tools/call, tick*, deny")])
    (rule,), left = plain_rules("policy.csv")(lines, 5.0, True)
    assert left is None
    assert type(rule) is Rule
    with pytest.raises(FrozenInstanceError):
        rule.line = 2  # type: ignore[misc] # it is frozen
    assert replace(rule, line=2).until == 5.0
    assert (str(rule.tool), rule.text, rule.line) == ("tick*", "p, role:a , ops, tools/call, tick*, deny", 1)


def test_rows_in_doubt_are_left_to_the_careful_reader() -> None:
    quick = plain_rules("policy.csv")
    odd = ("g, user:a, role:b", "p, a, b, c, d, allow", "p, user:a, b, c, d, Deny", "p, user:a, b, c, d, allow, true")
    assert [quick(iter([(1, text)]), None, True) for text in odd] == [([], (1, text)) for text in odd]


@pytest.mark.parametrize("tool", ["db://x/../y", "db://%2e", "x/./y"])
def test_what_is_refused_once_is_refused_in_every_row(tool: str) -> None:
    quick = plain_rules("policy.csv")
    for line in (1, 2, 3):
        odd = (line, f"p, user:a, ops, resources/read, {tool}, deny")
        assert quick(iter([odd]), None, True) == ([], odd)


@pytest.mark.parametrize("odd", ['"', "#", "\t", "\u00e9"], ids=["a quote", "a hash", "a tab", "beyond ASCII"])
def test_a_doubtful_line_is_left_alone_unless_somebody_is_sure(odd: str) -> None:
    lines = (1, "p, user:a, b, c, d, allow"), (2, f"p, user:a, b, c, d{odd}, allow"), (3, "p, user:b, b, c, d, allow")
    read, left = plain_rules("policy.csv")(iter(lines), None, False)
    assert ([rule.line for rule in read], left) == ([1], lines[1])
    assert [rule.line for rule in plain_rules("policy.csv")(iter(lines), None, True)[0]] == [1, 2, 3]


@pytest.mark.parametrize(
    "around", [b"", b"# note\n", b'p, "user:q", *, *, *, deny\n', b"\n", b"p, user:\xc3\xa9, *, *, x, deny\n"]
)
def test_many_rows_of_many_blocks_keep_their_order_and_their_lines(around: bytes) -> None:
    data = around.join(b"p, role:r%d,  ops, tools/call, t%d, allow\n" % (n % 7, n) for n in range(2_000))
    expected = parse_rows(read("policy.csv", data, Findings()), {}, Findings())
    rows = each_or(plain_rules("policy.csv"), "policy.csv", data, Findings())
    assert parse_rows(rows, LazyColumns({"policy.csv": data}), Findings()) == expected


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_an_end_above_a_row_belongs_to_it_and_to_no_other(end: str) -> None:
    data = f"p,user:a,*,*,*,allow\n# until 2027-01-31\np,user:b,*,*,*,allow\np,user:c,*,*,*,allow{end}".encode()
    some = each_or(plain_rules("policy.csv"), "policy.csv", data, Findings(), ends=True)
    rules = [rule for made in some if isinstance(made, list) for rule in made]
    assert [rule.until is not None for rule in rules] == [False, True, False]


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
