"""Conditions are read as CEL reads them, or refused at the character that is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.conditions.flaws import Misread
from authz_sidecar.conditions.spell import spell
from authz_sidecar.conditions.syntax import DEEPEST, LONGEST, Node, parse


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        pytest.param("args.amount<=100", "args.amount <= 100", id="blanks do not count"),
        pytest.param("a||b&&c", "a || b && c", id="and binds closer than or"),
        pytest.param("(a||b)&&c", "(a || b) && c", id="brackets that matter stay"),
        pytest.param("((a))", "a", id="brackets that do not matter go"),
        pytest.param("a - (b - c)", "a - (b - c)", id="from the left"),
        pytest.param("(a - b) - c", "a - b - c", id="from the left without brackets"),
        pytest.param("a * (b + c) % d", "a * (b + c) % d", id="sums in products"),
        pytest.param("!(a == b)", "!(a == b)", id="not of a comparison"),
        pytest.param("!!a", "!(!a)", id="not twice, for two nots in a row are none to CEL"),
        pytest.param("-(a) - -1", "-a - -1", id="minus signs"),
        pytest.param("'a'.size()", '"a".size()', id="a method of a text"),
        pytest.param("a ? b : c ? d : e", "a ? b : c ? d : e", id="choices from the right"),
        pytest.param("(a ? b : c) ? d : e", "(a ? b : c) ? d : e", id="a choice in front"),
        pytest.param("a in [1, 2] == b", None, id="no chains of comparisons"),
        pytest.param("(a in [1, 2]) == b", "(a in [1, 2]) == b", id="comparisons in brackets"),
        pytest.param("args['a-b'][0].c", 'args["a-b"][0].c', id="members"),
        pytest.param("args.`a-b`", "args.`a-b`", id="a field in backticks"),
        pytest.param("has(args.a.b)", "has(args.a.b)", id="has"),
        pytest.param("a.all(x, x > 1)", "a.all(x, x > 1)", id="a macro"),
        pytest.param("a.all", "a.all", id="a field called like a macro"),
        pytest.param("size(a) + a.size()", "size(a) + a.size()", id="functions and methods"),
        pytest.param("{'a': 1, b: [2]}", '{"a": 1, b: [2]}', id="maps and lists"),
        pytest.param("0x1F + 1e3 + 1.5 + 007", "31 + 1000.0 + 1.5 + 7", id="numbers"),
        pytest.param("-9223372036854775808", "-9223372036854775808", id="the least number"),
        pytest.param("true != false || null == null", "true != false || null == null", id="constants"),
        pytest.param(r"'a\n\x41\u00e9\U0001F510\101\'' + r'\d'", None, id="escapes"),
        pytest.param('"\u00e9\t"', r'"\u00e9\u0009"', id="what cannot be seen is escaped"),
    ],
)
def test_a_condition_is_spelled_as_it_was_read(text: str, spelled: str | None) -> None:
    if text.startswith("a in"):
        with pytest.raises(Misread):
            parse(text)
        return
    tree = parse(text)
    assert _bare(parse(spell(tree))) == _bare(tree)
    if spelled is not None:
        assert spell(tree) == spelled


def test_escapes_mean_what_cel_says() -> None:
    tree = parse(r"""'\a\b\f\n\r\t\v\\\?\"\'\`\x41\u00e9\U0001F510\101' == r"\d" """)
    assert tree.parts[0].value == "\a\b\f\n\r\t\v\\?\"'`A\u00e9\U0001f510A"
    assert tree.parts[1].value == r"\d"


@pytest.mark.parametrize(
    ("text", "offset", "code"),
    [
        pytest.param("", 0, "condition-syntax", id="nothing"),
        pytest.param("  ", 2, "condition-syntax", id="blanks"),
        pytest.param("a b", 2, "condition-syntax", id="two values"),
        pytest.param("a &&", 4, "condition-syntax", id="an open end"),
        pytest.param("(a", 2, "condition-syntax", id="an open bracket"),
        pytest.param("[a, ]", 4, "condition-syntax", id="a comma too many"),
        pytest.param("{1 2}", 3, "condition-syntax", id="no colon"),
        pytest.param("a ? b", 5, "condition-syntax", id="half a choice"),
        pytest.param("a = b", 2, "unknown-character", id="one equals sign"),
        pytest.param("a & b", 2, "unknown-character", id="one ampersand"),
        pytest.param("a\x01", 1, "unknown-character", id="what cannot be seen"),
        pytest.param("a < b < c", 6, "condition-syntax", id="two comparisons"),
        pytest.param("a.in", 2, "condition-syntax", id="a field that is a word of the language"),
        pytest.param("a.5", 2, "condition-syntax", id="a number as field"),
        pytest.param("in", 0, "condition-syntax", id="a word of the language"),
        pytest.param("for == 1", 0, "condition-syntax", id="a reserved word"),
        pytest.param("`a` == 1", 0, "condition-syntax", id="a name in backticks"),
        pytest.param("has(a)", 0, "condition-syntax", id="has of a name"),
        pytest.param("has(a.b, c)", 0, "condition-syntax", id="has of two"),
        pytest.param("a.all(1, b)", 6, "condition-syntax", id="a macro without a name"),
        pytest.param("a.all(x)", 7, "condition-syntax", id="a macro without a body"),
        pytest.param("a.all(x, y, z)", 10, "condition-syntax", id="a macro with too much"),
        pytest.param("'a", 0, "unbalanced-quote", id="an open text"),
        pytest.param(r"'a\q'", 2, "bad-escape", id="an unknown escape"),
        pytest.param(r"'\ud800'", 1, "bad-escape", id="half a character"),
        pytest.param(r"'\U00110000'", 1, "bad-escape", id="no character"),
        pytest.param(r"'a\000'", 0, "null-character", id="a null character"),
        pytest.param("'''a'''", 0, "not-in-conditions", id="triple quotes"),
        pytest.param("b'a'", 0, "not-in-conditions", id="bytes"),
        pytest.param("1u", 1, "bad-number", id="an unsigned number"),
        pytest.param("(-1).f", 4, "condition-syntax", id="a field of a number"),
        pytest.param("1.e", 1, "condition-syntax", id="half a number"),
        pytest.param("9223372036854775808", 0, "bad-number", id="a number beyond 64 bits"),
        pytest.param("1e999", 0, "bad-number", id="a number beyond all"),
        pytest.param("a // b", 2, "note-inside", id="a note"),
        pytest.param("a{b: 1}", 1, "condition-syntax", id="a message"),
        pytest.param(".a", 0, "condition-syntax", id="an absolute name"),
        pytest.param("a.?b", 2, "condition-syntax", id="an optional field"),
        pytest.param("(" * 40 + "1" + ")" * 40, DEEPEST, "condition-too-deep", id="too deep"),
        pytest.param("!" * 40 + "a", DEEPEST - 1, "condition-too-deep", id="too many nots"),
        pytest.param("a" + ".b" * 40, 63, "condition-too-deep", id="too many fields"),
        pytest.param("a" + "+a" * 40, 63, "condition-too-deep", id="too many sums"),
        pytest.param(" " * LONGEST + "a", LONGEST, "condition-too-long", id="too long"),
    ],
)
def test_what_is_no_condition_is_refused_where_it_is_wrong(text: str, offset: int, code: str) -> None:
    with pytest.raises(Misread) as caught:
        parse(text)
    assert (caught.value.flaw.offset, caught.value.flaw.code) == (offset, code)
    assert caught.value.flaw.message


PIECES = st.sampled_from(
    (
        *(
            "a",
            "args",
            ".",
            "amount",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            "?",
            "!",
            "-",
            "+",
            "*",
            "in",
            "==",
            "<=",
        ),
        *(
            "&&",
            "||",
            "'x'",
            '"',
            "\\",
            "1",
            "2.5",
            "has(",
            ".all(x,",
            "true",
            "null",
            " ",
            "`",
            "r'",
            "0x",
            "e9",
            "\0",
        ),
    )
)


@given(st.lists(PIECES, max_size=30).map("".join) | st.text(max_size=60))
def test_any_text_is_read_alike_twice_or_refused(text: str) -> None:
    try:
        tree = parse(text)
    except Misread as error:
        offset = error.flaw.offset
    else:
        offset = tree.at
        assert _bare(parse(spell(tree))) == _bare(tree)
    assert 0 <= offset <= len(text)


def _bare(node: Node) -> Node:
    """Forget where it stood."""
    return Node(node.op, 0, node.text, node.value, tuple(map(_bare, node.parts)))
