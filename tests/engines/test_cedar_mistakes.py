"""Mistakes in Cedar policies and schemas are told where they are; any text compiles or is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz_sidecar.engines.cedar import CedarEngine
from authz_sidecar.engines.statements import statements, tokens
from authz_sidecar.errors import PolicyProblems, Problem
from authz_sidecar.rules import Rules
from authz_sidecar.testing.cases import rows
from tests.effort import examples
from tests.engines.cedars import READ, SAMPLE, compiled


def refused(*texts: str, schema: str = "") -> list[str]:
    with pytest.raises(PolicyProblems) as caught:
        compiled(*texts, schema=schema)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(
            "permit (principal, action, resource)", "1:1: cedar cannot read this: unexpected end", id="no end"
        ),
        pytest.param(
            "\n  permit (principal, action,\n    resorce);",
            "3:5: cedar cannot read this: ",
            id="a word on a later line",
        ),
        pytest.param("permit (principal action, resource);", "1:19: cedar cannot read this: ", id="a comma is missing"),
        pytest.param("// note\npermitt (principal, action, resource);", "2:1: ", id="an effect that is none"),
        pytest.param('permit (principal, action, resource) when { "a };', "1:45: ", id="an open string"),
        pytest.param(
            "permit (principal == ?principal, action, resource);", "1:1: expected one policy", id="a template"
        ),
        pytest.param(";", "1:1: cedar cannot read this", id="nothing"),
    ],
)
def test_a_mistake_is_reported_where_it_is(text: str, problem: str) -> None:
    (found,) = refused(READ, text)
    assert found.startswith(f"engine.d/2.cedar:{problem}")


def test_every_mistake_of_every_file_is_reported_at_once() -> None:
    found = refused("permit (1);\nforbid (2);", "permit")
    assert [one.partition(": ")[0] for one in found] == [
        "engine.d/1.cedar:1:9",
        "engine.d/1.cedar:2:9",
        "engine.d/2.cedar:1:1",
    ]


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(PolicyProblems, match=r"p\.cedar:2: byte 0xff is not UTF-8"):
        CedarEngine().compile(Rules(sources={"p.cedar": b"\n\xff"}))


def test_p_rows_are_refused_since_nobody_would_read_them() -> None:
    with pytest.raises(PolicyProblems, match="reads no p rows"):
        CedarEngine().compile(rows(("user:ann", "ops", "tools/call", "read", "allow")))


SCHEMA = (SAMPLE / "engine.d" / "policy.cedarschema").read_text()


def test_policies_are_held_against_the_schema_and_located() -> None:
    found = refused(
        'permit (principal, action, resource);\n permit (principal, action == Action::"tools/cal", resource);',
        schema=SCHEMA,
    )
    assert 'engine.d/1.cedar:2:2: does not fit the schema: unrecognized action `Action::"tools/cal"`' in str(found)


def test_a_schema_that_is_none_is_refused() -> None:
    assert refused(READ, schema="entity") == [
        "engine.d/s.cedarschema: cedar cannot read this: error parsing schema: unexpected end of input"
    ]


def test_a_second_schema_is_refused() -> None:
    sources = {name: SCHEMA.encode() for name in ("a.cedarschema", "b.cedarschema")}
    with pytest.raises(PolicyProblems, match=r"b\.cedarschema: a second schema beside `a.cedarschema`"):
        CedarEngine().compile(Rules(sources=sources))


_words = st.sampled_from(
    [
        "permit",
        "forbid",
        "(",
        ")",
        "principal",
        ",",
        "action",
        "resource",
        ";",
        '"a"',
        '"',
        "//",
        "\n",
        " ",
        "when",
        "{",
        "}",
    ]
)


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(_words, max_size=25).map("".join))
def test_any_text_compiles_or_is_refused_with_places(text: str) -> None:
    problems: tuple[Problem, ...] = ()
    try:
        compiled(text)
    except PolicyProblems as error:
        problems = error.problems
    assert all(problem.line and problem.column for problem in problems)


@given(st.text(alphabet='a1"\\/;\n :=&', max_size=40))
def test_tokens_add_up_and_statements_keep_their_places(text: str) -> None:
    assert "".join(tokens(text)) == text
    lines = text.split("\n")
    for one in statements("x", text):
        assert lines[one.line - 1][one.column - 1 :].startswith(one.text.split("\n")[0])
