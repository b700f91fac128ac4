"""Conditions mean what CEL says."""

import pytest

from authz_sidecar.errors import ConditionError, ConditionFlaws
from authz_sidecar.facts import Facts
from tests.conditions.language import CALL, NOW, facts, outcome, read


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
