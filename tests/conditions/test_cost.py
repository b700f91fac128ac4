"""The price of a condition bounds what it costs, whatever it looks at."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.conditions import look, patterns
from authz_sidecar.conditions.cost import Cost
from authz_sidecar.conditions.flaws import Misread
from authz_sidecar.conditions.price import BUDGET, ELEMENT, Price, by_size, fixed
from authz_sidecar.conditions.syntax import parse
from authz_sidecar.errors import ConditionError


def price(text: str) -> Price:
    return Cost().whole(parse(text))


def degree(text: str) -> int:
    return max(map(len, price(text).terms))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("true", 0, id="a constant"),
        pytest.param("args.a <= 100", 1, id="a comparison pays for handing over"),
        pytest.param("args.a == args.b", 1, id="an equation of two arguments"),
        pytest.param("args.a.all(x, x == 1)", 1, id="a macro with a constant body"),
        pytest.param("args.a.all(x, x.size() > 1)", 1, id="a body that looks at all of its element"),
        pytest.param("args.a.all(x, x in args.b)", 2, id="a look into a second list for each of the first"),
        pytest.param("args.a.all(x, args.b.exists(y, x == y))", 2, id="a macro inside a macro"),
        pytest.param("args.a.all(x, x.all(y, y == 1))", 1, id="a list of lists is as large as it is"),
        pytest.param("args.a.all(x, args.b.all(y, args.c.all(z, true)))", 3, id="three lists"),
        pytest.param("args.a.contains(args.b)", 2, id="a text in a text"),
        pytest.param("args.a.matches('a+')", 1, id="a pattern"),
    ],
)
def test_the_price_grows_as_what_is_looked_at(text: str, expected: int) -> None:
    assert degree(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("+".join(["'" + "x" * 200 + "'"] * 9) + " == args.a", id="long texts"),
        pytest.param("[1,2,3].all(a, [1,2,3].all(b, a < b))", id="small lists"),
        pytest.param("size(args.a) > 1 ? args.b == 'x' : has(args.c)", id="a choice"),
        pytest.param("now.getHours('Europe/Zurich') < 18 && now > timestamp('2026-01-01T00:00:00Z')", id="the time"),
        pytest.param(
            "string(args.a).startsWith('x') && dyn(args.b).endsWith('y') && int(args.c) % 2 == -1", id="others"
        ),
    ],
)
def test_what_people_write_costs_little(text: str) -> None:
    assert price(text).fixed < BUDGET / 100


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "".join(f"[1,2,3,4,5,6,7,8].all({name}, " for name in "abcdefgh") + "true" + ")" * 8, id="nested lists"
        ),
        pytest.param(
            "[1,2,3,4,5,6,7,8,9].all(a," * 1 + " || ".join(["'a'.matches('a{300}')"] * 60) + ")", id="patterns"
        ),
    ],
)
def test_what_is_too_dear_for_any_arguments_is_refused(text: str) -> None:
    with pytest.raises(Misread) as caught:
        price(text)
    assert caught.value.flaw.code == "condition-too-dear"


def test_terms_without_end_are_priced_out_of_reach() -> None:
    total = fixed(0)
    for number in range(300):
        total += by_size(f"args.a{number}")
    assert total.fixed > BUDGET


@given(
    st.lists(st.lists(st.integers(1, 50), max_size=4), max_size=5),
    st.dictionaries(st.lists(st.sampled_from(["element", "args.b"]), max_size=3).map(tuple), st.integers(1, 5)),
)
def test_paying_for_each_element_is_never_less_than_the_sum(
    lists: list[list[int]], terms: dict[tuple[str, ...], int]
) -> None:
    each = Price({tuple(sorted(names)): float(times) for names, times in terms.items()})
    whole = look.size(lists)
    paid = each.for_each("element", by_size("args.a")).of({"args.a": whole, "args.b": 7})
    summed = sum(each.of({"element": look.size(one), "args.b": 7}) for one in lists)
    assert paid >= summed * 0.999


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(None, 1, id="nothing"),
        pytest.param(7, 1, id="a number"),
        pytest.param([1, [2]], 4, id="a list"),
        pytest.param({"a": 1}, 3, id="an object"),
    ],
)
def test_a_size_counts_every_value(value: object, expected: int) -> None:
    assert look.size(value) // ELEMENT == expected


def test_a_size_counts_bytes() -> None:
    assert look.size("abc") == ELEMENT + 3
    assert look.size("\u00e9") >= ELEMENT + 2


def test_a_text_that_the_evaluator_would_cut_is_not_measured_but_refused() -> None:
    for value in ("a\0b", ["a\0"], {"a": {"b\0": 1}}):
        with pytest.raises(ConditionError, match="null character"):
            look.size(value)


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [
        pytest.param("abc", 3, 3, id="letters"),
        pytest.param("^[a-z]+@example\\.com$", 14, 40, id="an address"),
        pytest.param("a{30}", 30, 30, id="a count"),
        pytest.param("(?i)ks{3}", 16, 16, id="without case"),
        pytest.param("(ab){2,30}", 60, 90, id="a group with a count"),
        pytest.param("(?:a{5}){6}", 30, 40, id="counts inside counts"),
        pytest.param("(a|b)*c?", 5, 10, id="alternatives"),
        pytest.param("[^a]{10}", 80, 160, id="a class that reaches far"),
        pytest.param("[a-z ]{0,80}", 80, 80, id="a class of plain letters"),
        pytest.param("[\\x{100}-\\x{10ffff}]", 8, 16, id="a class by numbers"),
        pytest.param("a{2,}", 3, 3, id="an open count"),
        pytest.param("", 1, 1, id="nothing"),
        pytest.param("a{,5}{x}", 5, 20, id="brackets that count nothing"),
        pytest.param(")(", 1, 3, id="what no pattern is"),
    ],
)
def test_a_pattern_weighs_what_it_expands_to(pattern: str, least: int, most: int) -> None:
    assert least <= patterns.weight(pattern, 0) <= most


@pytest.mark.parametrize(
    "pattern",
    [
        "a{401}",
        "(a{30}){30}",
        "((a?b?){30}){30}c",
        "(?:[ab]?){1000}",
        "\\pL",
        "\\P{Greek}",
        ".{100}",
        "a" * 257,
        "\\Qa\\E",
    ],
)
def test_a_heavy_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(Misread):
        patterns.weight(pattern, 0)


@given(st.text(max_size=100))
def test_any_pattern_has_a_weight_or_is_refused(pattern: str) -> None:
    with suppress(Misread):
        assert 1 <= patterns.weight(pattern, 3) <= patterns.HEAVIEST


def test_a_computed_pattern_is_refused() -> None:
    with pytest.raises(Misread) as caught:
        price("args.a.matches(args.b)")
    assert (caught.value.flaw.offset, caught.value.flaw.code) == (20, "pattern-not-written")
