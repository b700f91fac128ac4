"""A name that cannot exist, and values that never compare, are mistakes at load."""

import pytest

from authz_sidecar.conditions.check import Check
from authz_sidecar.conditions.syntax import parse
from authz_sidecar.ports import Known

REFUND = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "count": {"type": "integer"},
        "currency": {"enum": ["EUR", "CHF"]},
        "kind": {"const": 1},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "either": {"type": ["string", "number"]},
        "to": {"type": "array", "items": {"$ref": "#/$defs/Address"}},
        "names": {"type": "array", "items": {"type": "string"}},
        "pair": {"type": "array", "prefixItems": [{"type": "string"}], "items": {"type": "number"}},
        "urgent": {"type": "boolean"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "open": {"type": "object"},
        "odd": {"allOf": [{"type": "string"}]},
        "patterned": {"type": "object", "patternProperties": {"^x": {}}},
        "circle": {"$ref": "#/properties/circle"},
        "away": {"$ref": "https://elsewhere/"},
        "free": {},
        "mixed": {"enum": [None, True, 1.5, [1], {"a": 1}]},
    },
    "additionalProperties": False,
    "$defs": {"Address": {"properties": {"mail": {"type": "string"}}}},
}
LENIENT = {"type": "object", "properties": {"amount": {"type": "string"}}}


def checked(text: str, *schemas: dict[str, object]) -> Check:
    known = Known(claims=frozenset({"tenant", "realm.roles"}), context=frozenset({"ip"}), schemas=schemas or None)
    check = Check(known)
    check.whole(parse(text))
    return check


@pytest.mark.parametrize(
    "text",
    [
        "args.amount <= 100 && args.count != 5 && args.currency == 'EUR'",
        "args.note == null || args.note.startsWith('a')",
        "args.either == 1 || args.either == 'a'",
        "args.to.all(t, t.mail.endsWith('@example.com'))",
        "args.to[0].mail == 'a' && args['to'].size() < 5",
        "args.names.exists(n, n in ['a', 'b']) && 'x' in args.names",
        "args.pair[0] == 1 || args.pair.all(p, p == 'a')",
        "args.urgent && !args.urgent",
        "args.urgent ? args.amount > 1.5 : has(args.note)",
        "args.labels.team == 'a' && 'team' in args.labels && args.labels.all(k, k != '')",
        "args.open.anything == 1 && args.free == 'x' && args.odd == 1 && args.patterned.xy == 1",
        "args.circle == 1 && args.away == 'a' && args.mixed == 1",
        "type(args.amount) == int || dyn(args.amount) == 'a'",
        "-args.amount + args.count * 2 < size(args.names)",
        "string(args.amount) + 'x' == 'y' && args.note + 'x' == 'y'",
        "now - duration('1h') < timestamp(args.note) && now.getHours('UTC') == 1 && now.getDate() == 1",
        "claims.tenant == 'a' && claims['realm.roles'].exists(r, r == 'x') && context.ip != ''",
        "has(claims.tenant) && has(context.ip) && has(args.amount)",
        "args.amount in {1: 2} || args.currency in []",
        "[1, 2].exists(claims_, claims_ == args.amount)",
        "int(args.note) == 1 && matches(args.note, 'a')",
    ],
)
def test_what_fits_the_schema_is_fine(text: str) -> None:
    check = checked(text, REFUND)
    assert check.flaws == []
    assert check.warnings == []


@pytest.mark.parametrize(
    ("text", "offset", "code", "part"),
    [
        pytest.param('args.amount <= "100"', 12, "wrong-kind", "never true", id="a number and a text"),
        pytest.param(
            "args.amout <= 100", 5, "unknown-argument", "did you mean `amount`", id="a name that is forbidden"
        ),
        pytest.param("args['amout'] == 1", 4, "unknown-argument", "`amout`", id="the same by index"),
        pytest.param("has(args.amout)", 9, "unknown-argument", "`amout`", id="the same in has"),
        pytest.param("args.amount.cents == 1", 12, "unknown-argument", "is a number", id="a field of a number"),
        pytest.param("args.to.all(t, t.mail > 1)", 22, "wrong-kind", "`t.mail` is a string", id="inside a list"),
        pytest.param("args.amount.all(x, x)", 12, "wrong-kind", "goes through a list", id="a macro over a number"),
        pytest.param("args.amount in ['a']", 12, "wrong-kind", "what", id="a number among texts"),
        pytest.param("1 in args.names", 2, "wrong-kind", "what", id="a number in a list of texts"),
        pytest.param("1 in args.labels", 2, "wrong-kind", "what", id="a number among names"),
        pytest.param("args.amount", 5, "not-a-condition", "a number", id="a number is no condition"),
        pytest.param("args.urgent && args.amount", 20, "wrong-kind", "`&&`", id="a number in a conjunction"),
        pytest.param("!args.amount", 6, "wrong-kind", "`!`", id="not of a number"),
        pytest.param("args.amount ? true : false", 5, "wrong-kind", "before `?`", id="a choice by a number"),
        pytest.param("args.amount + 'a' == 'b'", 12, "wrong-kind", "joins", id="a number plus a text"),
        pytest.param("args.note * 2 == 4", 5, "wrong-kind", "needs numbers", id="a text times two"),
        pytest.param("args.amount.startsWith('a')", 5, "wrong-kind", "`startsWith`", id="a number that starts"),
        pytest.param("args.note.contains(args.amount)", 24, "wrong-kind", "`contains`", id="a number inside a text"),
        pytest.param("matches(args.amount, 'a')", 13, "wrong-kind", "`matches`", id="a number that matches"),
        pytest.param("args.names < args.names", 11, "wrong-kind", "never true", id="lists have no order"),
        pytest.param("args.names.all(n, 1)", 18, "wrong-kind", "`all`", id="a body that is a number"),
        pytest.param("nope == 1", 0, "unknown-name", "there are `args`", id="an unknown variable"),
        pytest.param("arg.amount == 1", 0, "unknown-name", "did you mean `args`", id="a near miss"),
        pytest.param("claims.tenent == 'a'", 7, "unknown-claim", "did you mean `tenant`", id="a claim"),
        pytest.param("claims['x'] == 'a'", 6, "unknown-claim", "condition_claims", id="a claim by index"),
        pytest.param("context.port == '1'", 8, "unknown-context", "[context]", id="a context key"),
        pytest.param("context.ip == 1", 11, "wrong-kind", "a string", id="context is text"),
        pytest.param("claims == {}", 0, "bare-name", "claims.realm.roles", id="all claims"),
        pytest.param("claims[args.note] == 1", 12, "bare-name", "written out", id="a computed claim"),
        pytest.param("size(context) == 1", 5, "bare-name", "context.ip", id="all context"),
        pytest.param("sise(args.names) == 1", 0, "unknown-function", "did you mean `size`", id="an unknown function"),
        pytest.param("args.names.al(1)", 11, "unknown-function", "did you mean `all`", id="an unknown method"),
        pytest.param("size(1, 2) == 1", 0, "wrong-arguments", "takes 1", id="too many arguments"),
        pytest.param("args.note.contains() == true", 10, "wrong-arguments", "takes 1", id="too few arguments"),
        pytest.param("now.getHours(args.note) == 1", 18, "zone-not-written", "written out", id="a computed zone"),
        pytest.param("args.names.all(now, true)", 11, "name-taken", "another name", id="a name that is taken"),
        pytest.param("now < 5", 4, "wrong-kind", "a timestamp", id="the time and a number"),
    ],
)
def test_what_cannot_be_is_said_where_it_stands(text: str, offset: int, code: str, part: str) -> None:
    flaw = checked(text, REFUND).flaws[0]
    assert (flaw.offset, flaw.code) == (offset, code)
    assert part in flaw.message


def test_all_mistakes_are_said_at_once() -> None:
    flaws = checked("args.amout == 1 && claims.x == 2 && nope", REFUND).flaws
    assert [flaw.code for flaw in flaws] == ["unknown-argument", "unknown-claim", "unknown-name"]


def test_a_name_that_an_open_schema_does_not_list_is_a_warning() -> None:
    check = checked("args.amout == 1", LENIENT)
    assert check.flaws == []
    assert [(flaw.offset, flaw.code) for flaw in check.warnings] == [(5, "unknown-argument")]


def test_a_row_about_two_tools_may_use_what_either_takes() -> None:
    assert checked("args.amount == 1 || args.amount == 'a'", REFUND, LENIENT).flaws == []
    assert checked("args.note == 'a'", REFUND, LENIENT).flaws == []
    assert checked("args.amount == true", REFUND, LENIENT).flaws[0].code == "wrong-kind"


def test_without_a_schema_any_argument_may_be_there() -> None:
    assert checked("args.x.y[0] == args.z").flaws == []


@pytest.mark.parametrize("schema", [{}, {"type": 5}, {"type": ["object", 7]}, {"$ref": 1}, {"anyOf": []}, {"enum": []}])
def test_a_schema_that_says_nothing_forbids_nothing(schema: dict[str, object]) -> None:
    assert checked("args.x == 1 && args.x.y == 'a'", schema).flaws == []
