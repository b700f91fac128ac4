"""Conditions: any text compiles or is refused, and what compiles answers or errs, whatever the arguments."""

from typing import Final

from authz_sidecar.conditions.cel import Cel
from authz_sidecar.errors import ConditionError, ConditionFlaws
from authz_sidecar.facts import Facts
from authz_sidecar.ports import Known
from tests.fuzz.target import Limit

LIMIT: Final = Limit(steps=10_000, steps_a_byte=400, memory=400_000, memory_a_byte=4_000)
WORDS: Final = (
    *("args", "claims", "context", "now", "size(", ".size()", "matches(", ".matches('", "timestamp('", "duration('"),
    *(".all(x, ", ".exists(x, ", ".exists_one(x, ", ".map(", "has(", "type(", "dyn(", "string(", "int(", "double("),
    *(
        "&&",
        "||",
        "? ",
        ": ",
        "==",
        "!=",
        "<=",
        " in ",
        "'",
        '"',
        "r'",
        "b'",
        "'''",
        "\\u0000",
        "\\x",
        "0x",
        "1u",
        "1e",
    ),
    *("9223372036854775807", "-9223372036854775808", "(a+)+$", "{1,1000}", "[[", "{{", "google.protobuf", ".", "\n"),
)
SEEDS: Final = tuple(
    f"{text}\n{arguments}".encode()
    for text, arguments in (
        ("args.amount <= 100 && args.currency == 'EUR'", '{"amount": 5, "currency": "EUR"}'),
        ("args.to.all(t, t.endsWith('@x.ch')) || claims.tenant in ['a', 'b']", '{"to": ["a@x.ch"]}'),
        ("has(args.a) ? args.a.b[0] > 1.5 : now < timestamp('2027-01-01T00:00:00Z')", '{"a": {"b": [2]}}'),
        ("args.text.matches('^(a|b)*c{2,3}$')", '{"text": "ababcc"}'),
        ("size(args.list) < 3 && args.list.exists(x, x == {'k': 1u})", '{"list": [1, {"k": 1}]}'),
        ("context.ip.startsWith('10.') && now.getHours('Europe/Zurich') >= 8", "{}"),
        ("int(args.n) / 0 == 1 || string(args.n) + 'x' == '1x'", '{"n": 1}'),
    )
)

_CEL: Final = Cel()
_KNOWN: Final = Known(claims=frozenset({"tenant", "tags"}), context=frozenset({"ip"}))
_CLAIMS: Final = {"tenant": "a", "tags": ("x", "y")}


def run(data: bytes) -> None:
    """Compile the first line and evaluate it over the rest."""
    text, _, arguments = data.partition(b"\n")
    written = text.decode("utf-8", "replace")
    try:
        condition = _CEL.read(written, _KNOWN).condition
    except ConditionFlaws as error:
        _placed(error, written)
        return
    assert condition.text == written
    first, again = _outcome(condition, arguments), _outcome(condition, arguments)
    assert first == again, "two answers to one question"
    if not condition.needs_arguments:
        assert _outcome(condition, b'{"other": 1}') == first, "it looks at arguments after all"


def _placed(error: ConditionFlaws, text: str) -> None:
    assert error.flaws
    assert all(0 <= flaw.offset <= len(text) for flaw in error.flaws), "a flaw beyond the text"


def _outcome(condition: object, arguments: bytes) -> object:
    facts = Facts(arguments=arguments, claims=_CLAIMS, context={"ip": "10.0.0.1"}, now=1_800_000_000.0)
    try:
        found = condition.holds(facts)  # type: ignore[attr-defined] # a condition
    except ConditionError as error:
        return str(error)
    assert isinstance(found, bool)
    return found
