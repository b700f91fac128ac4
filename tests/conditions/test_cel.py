"""Conditions mean what CEL says, and no input makes them mean or cost anything else."""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz_sidecar.conditions.price import BUDGET
from authz_sidecar.errors import ConditionError, ConditionFlaws
from authz_sidecar.facts import Facts
from authz_sidecar.ports import Known
from tests.conditions.language import CEL, NOW, facts, outcome, read

CALL = {"amount": 50, "currency": "EUR", "to": ["a@x.ch", "b@x.ch"], "deep": {"a": {"b": [1, 2, 3]}}, "none": None}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("args.amount <= 100", True),
        ("args.amount > 100", False),
        ("args.amount == 50.0 && args.amount < 50.5", True),
        ("args.amount * 2 - 1 == 99 && args.amount / 7 == 7 && args.amount % 7 == 1", True),
        ("args.amount / 0 == 1", "a division by zero"),
        ("args.amount + 9223372036854775807 > 0", "a number beyond 64 bits"),
        ("args.amount < 'x'", "values of kinds that do not go together"),
        ("args.missing == 1", "a field is not there"),
        ("args.missing == 1 || true", True),
        ("args.missing == 1 && false", False),
        ("has(args.missing) && args.missing == 1", False),
        ("args.none == null && args.amount != null", True),
        ("args.amount.cents == 1", "a field is asked of what has none"),
        ("args.deep.a.b[1] == 2 && args['deep']['a'].b.size() == 3", True),
        ("args.deep.a.b[7] == 2", "a place beyond the list"),
        ("args.to.all(t, t.endsWith('@x.ch'))", True),
        ("args.to.exists(t, t == 'c@x.ch') || args.to.exists_one(t, t.startsWith('a'))", True),
        ("args.to.all(t, t.missing == 1)", "a field is asked of what has none"),
        ("[1, 2].exists(n, n / 0 == 1 || n == 2)", True),
        ("'a@x.ch' in args.to && 'amount' in args && 50 in [1, 50]", True),
        ("args.currency.matches('^[A-Z]{3}$') && !matches(args.currency, '^[a-z]')", True),
        ("size(args.currency) == 3 && '\u00fc\U0001f510'.size() == 2", True),
        ("args.currency + '!' == 'EUR!' && string(args.amount) == '50' && int('7') == 7", True),
        ("{'EUR': 100, 'CHF': 10}[args.currency] >= args.amount", True),
        ("{'EUR': 100}['USD'] >= args.amount", "a field is not there"),
        ("args.amount > 10 ? args.currency == 'EUR' : args.missing == 1", True),
        ("type(args.amount) == int && type(args.none) == null_type", True),
        ("double(args.amount) < 50.5 && bool('true')", True),
        ("claims.tenant == 'a' && 'x' in claims.tags && claims.level >= 2", True),
        ("claims['tenant'] != 'a'", False),
        ("context.ip.startsWith('10.')", True),
        ("now > timestamp('2026-01-01T00:00:00Z') && now < timestamp('2027-01-01T00:00:00Z')", True),
        ("now.getDayOfWeek('Europe/Zurich') == 0 && now.getHours('Europe/Zurich') == 10 && now.getHours() == 9", True),
        ("now - duration('1h') < now && timestamp('2026-03-01T09:00:00Z') == now", True),
        ("args", "a condition that is neither true nor false"),
        ("args.currency", "a condition that is neither true nor false"),
        ("args.none", "a condition that is neither true nor false"),
        ("true", True),
        ("args == {} || claims.tenant == args.currency", False),
    ],
)
def test_a_condition_is_true_false_or_an_error_in_our_words(text: str, expected: bool | str) -> None:
    about = facts(CALL, {"tenant": "a", "tags": ("x", "y"), "level": 3}, {"ip": "10.0.0.1", "other": "x"})
    if text == "args":
        with pytest.raises(ConditionFlaws):
            read(text)
        return
    assert outcome(text, about) == expected


@pytest.mark.parametrize("value", ["true", "false", "x", 1, 0, None, [], {}, [True], {"a": True}, 1.0])
def test_only_boolean_true_counts(value: object) -> None:
    assert outcome("args.x", facts({"x": value})) == "a condition that is neither true nor false"
    assert outcome("args.x", facts({"x": True})) is True
    assert outcome("args.x", facts({"x": False})) is False


@pytest.mark.parametrize(
    ("digits", "same"),
    [
        ("9007199254740993", True),
        ("9007199254740992", False),
        ("90071992547409930", False),
    ],
)
def test_integers_stay_exact(digits: str, *, same: bool) -> None:
    assert outcome("args.n == 9007199254740993", facts(b'{"n": %s}' % digits.encode())) is same


def test_integers_of_sixty_four_bits_compare() -> None:
    about = facts(b'{"most": 18446744073709551615, "least": -9223372036854775808}')
    assert outcome("args.most > 9223372036854775807 && args.least < 0 && args.least < args.most", about) is True


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"{", "the arguments cannot be read: JSON that", id="no JSON"),
        pytest.param(b"[1]", "the arguments are not an object", id="a list"),
        pytest.param(b'{"x": 1, "x": 2}', "has a duplicate key", id="the same name twice"),
        pytest.param(b'{"x": 1, "X": 2}', "differ only by case", id="names that differ by case"),
        pytest.param(b'{"x": NaN}', "NaN", id="no number"),
        pytest.param(b'{"x": ' + b"[" * 100 + b"]" * 100 + b"}", "nested deeper", id="too deep"),
        pytest.param(b'{"x": "a\\u0000b"}', "a text has a null character", id="a null character"),
        pytest.param(b'{"x": "\\ud800"}', "lone surrogate", id="half a character"),
        pytest.param(b"\xff", "not UTF-8", id="no text"),
    ],
)
def test_arguments_that_can_be_misread_are_an_error(data: bytes, why: str) -> None:
    about = facts(data)
    for _ in range(2):
        assert why in str(outcome("args.x == 'a'", about))
    assert outcome("claims.tenant == 'a' || true", about) is True


def test_no_arguments_are_an_empty_object() -> None:
    assert outcome("args == {} && !has(args.x)", facts()) is True


def test_a_null_character_elsewhere_in_the_arguments_does_not_matter() -> None:
    about = facts(b'{"x": "a", "y": "b\\u0000"}')
    assert outcome("args.x == 'a'", about) is True
    assert outcome("args.y == 'b'", about) == "a text has a null character"
    assert outcome("args == {}", about) == "a text has a null character"


def test_the_time_is_unknown_where_nobody_tells_it() -> None:
    condition = read("now > timestamp('2020-01-01T00:00:00Z')")
    with pytest.raises(ConditionError, match="what time it is"):
        condition.holds(Facts())
    assert condition.holds(Facts(now=NOW)) is True


def test_an_error_never_tells_what_was_in_the_arguments() -> None:
    secret = "s3cr3t"
    for text in ("args.a[args.b] == 1", "int(args.b) == 1", "args.b + 1 == 2", "args.b.x == 1", "args[args.b]"):
        said = outcome(text, facts({"a": {}, "b": secret}))
        assert isinstance(said, str)
        assert secret not in said


def test_conditions_are_equal_when_their_texts_are() -> None:
    assert read("args.a == 1") == read("args.a == 1")
    assert len({read("args.a == 1"), read("args.a == 1"), read("args.a == 2")}) == 2
    assert read("args.a == 1").needs_arguments
    assert not read("claims.tenant == 'a' && now.getHours() == 1").needs_arguments
    assert read("args.a == 1").text == "args.a == 1"


@pytest.mark.parametrize(
    ("text", "offset", "code"),
    [
        pytest.param("'a' < 1 || args.x", 4, "wrong-kind", id="two constants that never compare"),
        pytest.param("1 + 1", 2, "not-a-condition", id="a number"),
        pytest.param("size(1) == 1", 4, "condition-type", id="a size of a number"),
        pytest.param("1.5 % 2.0 == 0.0", 4, "condition-type", id="an operator that is not there"),
        pytest.param("1 == 1.0", 2, "condition-type", id="constants of two kinds of number"),
        pytest.param("args.a == ------'x'", 0, "condition-type", id="what CEL refuses only as we spell it"),
        pytest.param("args.x.matches('(a')", 15, "bad-pattern", id="a broken pattern"),
        pytest.param("now.getHours('Nowhere/At') == 1", 13, "bad-zone", id="an unknown zone"),
        pytest.param("now > timestamp('yesterday')", 6, "bad-value", id="a day that is none"),
        pytest.param("now - duration('long') > now", 6, "bad-value", id="a duration that is none"),
        pytest.param("int('x') == 1", 0, "bad-value", id="a number that is none"),
    ],
)
def test_what_would_fail_at_every_question_fails_at_load(
    text: str, offset: int, code: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConditionFlaws) as caught:
        read(text)
    assert next((flaw.offset, flaw.code) for flaw in caught.value.flaws) == (offset, code)
    capfd.readouterr()  # the library tells broken patterns on standard error


# -- hostile input ------------------------------------------------------------------------------------------------

LIST = list(range(60_000))
HOSTILE: dict[str, tuple[str, object]] = {
    "a list in a list": ("args.a.all(x, x in args.b)", {"a": LIST[:9_000], "b": LIST[:30_000]}),
    "lists three deep": ("args.a.all(x, args.a.all(y, args.a.all(z, x + y + z >= 0)))", {"a": LIST[:5_000]}),
    "a longer list than is gone through": ("args.a.all(x, x >= 0)", {"a": LIST}),
    "texts inside texts": ("args.a.contains(args.b)", {"a": "a" * 150_000, "b": "a" * 50_000 + "b"}),
    "texts inside texts for each": (
        "args.c.all(x, args.a.contains(x))",
        {"a": "a" * 99_000, "c": ["a" * 999] * 99},
    ),
    "texts that grow": (
        "args.a.all(x, (x + args.b + args.b + args.b).size() > 0)",
        {"a": LIST[:9_000], "b": "b" * 99_000},
    ),
    "the same great list compared": (" && ".join(["args.a == args.b"] * 90), {"a": LIST, "b": LIST}),
    "a pattern that other matchers fear": ("args.a.matches('^(a+)+$')", {"a": "a" * 250_000 + "!"}),
    "a pattern of many states": ("args.a.matches('([ab]?){40}c')", {"a": "ab" * 120_000}),
    "a pattern for each": ("args.a.all(x, x.matches('([ab]?){40}c'))", {"a": ["ab" * 10] * 9_000}),
    "many names": ("args.a.all(k, k != '')", {"a": {f"k{n}": n for n in range(20_000)}}),
    "a look-up for each name": ("args.a.all(k, args.a[k] >= 0)", {"a": {f"k{n}": n for n in range(9_000)}}),
    "lists of lists": ("args.a.all(x, x.all(y, y.all(z, z == 1)))", {"a": [[[1] * 10] * 30] * 100}),
    "a deep value": ("args == args", {"a": __import__("json").loads("[" * 60 + "]" * 60)}),
    "a great whole": ("size(args) > 0", {f"k{n}": "x" * 20 for n in range(8_000)}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_arguments_take_more_than_the_budget(name: str) -> None:
    text, arguments = HOSTILE[name]
    condition, about = read(text), facts(arguments)
    about_price = []
    started = time.process_time()
    try:
        condition.holds(about)
    except ConditionError as error:
        about_price.append(str(error))
    # Not a timing of ours: the bound is 20 ms, and only what escapes it altogether takes seconds.
    assert time.process_time() - started < 5
    assert set(about_price) <= {
        "arguments so large that this would cost more than a decision may",
        "a list too long to go through",
    }


@pytest.mark.parametrize(
    "text",
    [
        "(" * 3_000 + "1" + ")" * 3_000,
        "!" * 2_000 + "true",
        "[" * 1_000 + "]" * 1_000,
        "args" + ".a" * 1_000,
        "true ? " * 200 + "true" + " : true" * 200,
        "args.a.map(x, x + x).map(x, x + x)",
        "args.a.matches('((a{100}){100}){100}')",
        "args.a.matches('\\\\pL{1000}')",
        "a" * 3_000,
        "[1,2,3,4,5,6,7,8,9].all(a," * 20 + "true" + ")" * 20,
        "'" + "\\u00e9" * 500,
    ],
)
def test_no_text_of_a_condition_does_more_than_be_refused(text: str) -> None:
    with pytest.raises(ConditionFlaws):
        read(text)


@pytest.mark.parametrize("text", ["(" * 31 + "true" + ")" * 31, "!" * 28 + "true", "a" + " + a" * 29 + " == 1"])
def test_what_is_too_deep_for_the_library_is_refused(text: str) -> None:
    with contextlib.suppress(ConditionFlaws):
        assert outcome(text.replace("a", "args.a") if "+" in text else text, facts({"a": 1})) in (True, False)


def test_a_list_that_the_library_does_not_go_through_is_an_error() -> None:
    assert outcome("args.a.all(x, true)", facts({"a": LIST[:12_000]})) == "a list too long to go through"


def test_a_long_condition_of_many_parts_is_read() -> None:
    assert outcome(" || ".join(f"args.amount == {n}" for n in range(90)), facts(CALL)) is True


@given(
    st.text(max_size=80) | st.lists(st.sampled_from(["args", ".a", "==", "'x'", "&&", "(", ")", "!", "1"])).map("".join)
)
@settings(max_examples=200)
def test_any_text_is_a_condition_or_refused(text: str) -> None:
    try:
        condition = CEL.read(text, Known()).condition
    except ConditionFlaws as error:
        assert error.flaws  # noqa: PT017 - either is right
        return
    assert outcome(condition.text, facts({})) in (True, False) or isinstance(outcome(condition.text, facts({})), str)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
ASKED = [
    read(text)
    for text in (
        "args.a == args.b",
        "args.a < args.b",
        "args.a + args.b == args.c",
        "args.a.all(x, x in args.b)",
        "args.a.b == args.c[0]",
        "size(args.a) > 1 || args.b.startsWith(args.c)",
        "args.a ? args.b == 1 : args.c == 2",
        "string(args.a) == args.b || int(args.c) == 1",
        "args.a.matches('a.*b') && timestamp(args.b) > now",
    )
]


@given(st.dictionaries(st.sampled_from("abc"), JSON, max_size=3))
def test_any_arguments_give_an_answer_or_our_error(arguments: dict[str, object]) -> None:
    for condition in ASKED:
        answers = []
        for _ in range(2):
            try:
                answers.append(condition.holds(facts(arguments)))
            except ConditionError as error:
                answers.append(str(error))
        assert answers[0] == answers[1]


def test_several_threads_evaluate_and_compile_at_once() -> None:
    condition = read("args.to.all(t, t.endsWith('@x.ch')) && args.amount <= 100")

    def work(number: int) -> bool:
        fresh = read(f"args.amount == {number}").holds(facts({"amount": number}))
        return fresh and all(condition.holds(facts(CALL)) for _ in range(20))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(40), timeout=10))


def test_the_budget_is_what_the_note_says() -> None:
    assert BUDGET == 20_000_000


# -- against an evaluator of our own ------------------------------------------------------------------------------

Answer = bool | int | str | None


class _Err(Exception):
    """What the small evaluator gives where CEL gives an error."""


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _Err
    return value


def _sum(one: Answer, other: Answer) -> Answer:
    if isinstance(one, str) and isinstance(other, str):
        return one + other
    return _fits(_number(one) + _number(other))


def _fits(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise _Err
    return value


def _less(one: Answer, other: Answer) -> bool:
    if type(one) is not type(other) or one is None:
        raise _Err
    return one < other  # type: ignore[operator] # of one kind


def _quotient(one: Answer, other: Answer) -> int:
    a, b = _number(one), _number(other)
    if b == 0:
        raise _Err
    return _fits(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))


OPERATORS: dict[str, Callable[[Answer, Answer], Answer]] = {
    "==": lambda a, b: type(a) is type(b) and a == b,
    "!=": lambda a, b: not (type(a) is type(b) and a == b),
    "<": _less,
    ">=": lambda a, b: not _less(a, b),
    "+": _sum,
    "-": lambda a, b: _fits(_number(a) - _number(b)),
    "*": lambda a, b: _fits(_number(a) * _number(b)),
    "/": _quotient,
}
Tree = tuple[object, ...]
VALUES = {"i": 3, "j": -7, "big": 2**62, "s": "ab", "t": "", "yes": True, "no": False, "nil": None}


def evaluate(tree: Tree) -> Answer:
    """Evaluate as the definition of CEL says; errors are absorbed by `&&` and `||` where the other side decides."""
    match tree:
        case ("arg", str(name)):
            if name not in VALUES:
                raise _Err
            return VALUES[name]
        case ("not", tuple(inner)):
            return not _truth(evaluate(inner))
        case ("in", tuple(one), tuple(several)):
            sought = evaluate(one)
            return any(type(sought) is type(found) and sought == found for found in list(map(evaluate, several)))  # type: ignore[arg-type]
        case ("&&" | "||" as operator, tuple(one), tuple(other)):
            return _joined(operator == "||", one, other)
        case (str(operator), tuple(one), tuple(other)):
            return OPERATORS[operator](evaluate(one), evaluate(other))
        case _:
            raise AssertionError(tree)


def _truth(value: Answer) -> bool:
    if not isinstance(value, bool):
        raise _Err
    return value


def _joined(decides: bool, *sides: Tree) -> bool:
    found = []
    for side in sides:
        try:
            found.append(_truth(evaluate(side)))
        except _Err:
            found.append(None)
    if decides in found:
        return decides
    if None in found:
        raise _Err
    return not decides


def spelled(tree: Tree) -> str:
    match tree:
        case ("arg", str(name)):
            return f"args.{name}"
        case ("not", tuple(inner)):
            return f"!({spelled(inner)})"
        case ("in", tuple(one), tuple(several)):
            return f"({spelled(one)}) in [{', '.join(map(spelled, several))}]"  # type: ignore[arg-type]
        case (str(operator), tuple(one), tuple(other)):
            return f"({spelled(one)}) {operator} ({spelled(other)})"
        case _:
            raise AssertionError(tree)


LEAVES = st.tuples(st.just("arg"), st.sampled_from([*VALUES, "gone"]))
TREES: st.SearchStrategy[Tree] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.tuples(st.sampled_from([*OPERATORS, "&&", "||", "&&", "||"]), inner, inner),
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("in"), inner, st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=12,
)


@given(TREES)
@settings(max_examples=400)
def test_the_library_agrees_with_a_small_evaluator(tree: Tree) -> None:
    try:
        expected: object = evaluate(tree)
    except _Err:
        expected = "an error"
    try:
        condition = CEL.read(spelled(tree), Known()).condition
    except ConditionFlaws:
        return  # never a condition, or too deep; the two are not asked the same
    try:
        found: object = condition.holds(facts(VALUES))
    except ConditionError:
        found = "an error"
    assert found == (expected if isinstance(expected, bool) else "an error")
