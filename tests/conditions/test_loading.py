"""Conditions in files: read with every mistake at its place, tested by expectations, and as the manual shows."""

import asyncio
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz_sidecar.engines.casbin import CasbinEngine
from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.engines.plain import PlainEngine
from authz_sidecar.judge import judge
from authz_sidecar.model import Decision, Question, Reason, Server
from authz_sidecar.policy.build import Built, Setting, build
from authz_sidecar.policy.callers import caller
from authz_sidecar.policy.whens import Conditions
from authz_sidecar.ports import PolicyEngine
from authz_sidecar.rules import ScopeHierarchy
from tests.conditions.language import CEL
from tests.effort import examples

ROOT = Path(__file__).parents[2]
MANUAL = (ROOT / "docs" / "conditions.md").read_text()
MODEL = (ROOT / "policies" / "model.conf").read_bytes()
SERVERS = {"billing": Server(name="billing", audience="https://billing.example/mcp")}
HEADER = "subjects,server,method,tool,scopes,args,expect"
REFUND = '{"billing": {"tools": [{"name": "refund", "inputSchema": {"type": "object", "additionalProperties": false,\
 "properties": {"amount": {"type": "number"}}}}, {"name": "pay"}]}}'


def load(
    policy: str,
    expectations: str = HEADER + "\n",
    *,
    engine: PolicyEngine | None = None,
    language: bool = True,
    **files: str,
) -> Built:
    found = {"policy.csv": policy, "expectations.csv": expectations, **{f"{name}.json": files[name] for name in files}}
    setting = Setting(
        engine=engine or PlainEngine(),
        servers=SERVERS,
        hierarchy=ScopeHierarchy(),
        conditions=Conditions(
            language=CEL if language else None, claims=frozenset({"tenant"}), context=frozenset({"ip"})
        ),
    )
    return asyncio.run(build({name: text.encode() for name, text in found.items()} | {"model.conf": MODEL}, setting))


BEGINS = len("p, user:ann, billing, tools/call, refund, allow, ") + 1
"""The column of the condition of `row`."""


def problems(built: Built) -> list[str]:
    return [f"{found.file}:{found.line}:{found.column} {found.code}" for found in built.problems]


def row(when: str, effect: str = "allow", tool: str = "refund") -> str:
    return f"p, user:ann, billing, tools/call, {tool}, {effect}, {when}\n"


def block(language: str, number: int = 0) -> str:
    return re.findall(rf"```{language}\n(.*?)```", MANUAL, re.DOTALL)[number]


def test_the_manual_is_a_policy_that_keeps_its_own_tests() -> None:
    built = load(block("csv"), block("csv", 1), tools=block("json"))
    assert [str(found) for found in built.problems] == []
    assert built.expectations_run == 13


@pytest.mark.parametrize("engine", [PlainEngine(), IndexEngine(), CasbinEngine()], ids=lambda one: one.name)
def test_every_engine_keeps_the_manual(engine: PolicyEngine) -> None:
    assert problems(load(block("csv"), block("csv", 1), tools=block("json"), engine=engine)) == []


@pytest.mark.parametrize(
    ("when", "offset", "code"),
    [
        pytest.param("args.amount <=", 14, "condition-syntax", id="an open end"),
        pytest.param("args.amount < b", 14, "unknown-name", id="an unknown name"),
        pytest.param('"args.amount < b"', 15, "unknown-name", id="behind a quote"),
        pytest.param('  "args.x == ""a"" || b"', 22, "unknown-name", id="behind doubled quotes"),
        pytest.param("claims.nope == 1", 7, "unknown-claim", id="a claim that is not listed"),
        pytest.param("context.nope == '1'", 8, "unknown-context", id="a key that is not configured"),
        pytest.param("1 + 1", 2, "not-a-condition", id="a number"),
        pytest.param("true // yes", 5, "note-inside", id="a note"),
        pytest.param('args.a == "b"', 10, "unbalanced-quote", id="quotes that the file takes for its own"),
        pytest.param("size(args.a, 1) > 1", 13, "row-too-long", id="a comma without quotes"),
    ],
)
def test_a_mistake_is_reported_at_its_character(when: str, offset: int, code: str) -> None:
    assert problems(load(row(when)))[:1] == [f"policy.csv:1:{BEGINS + offset} {code}"]


def test_all_mistakes_of_all_rows_are_reported() -> None:
    built = load(row("a && b") + row("true") + row("args.x ==", effect="deny"))
    assert problems(built) == [
        f"policy.csv:1:{BEGINS} unknown-name",
        f"policy.csv:1:{BEGINS + 5} unknown-name",
        f"policy.csv:3:{BEGINS + 8} condition-syntax",
    ]
    assert built.policy is None


@pytest.mark.parametrize(
    ("tool", "when", "found"),
    [
        pytest.param("refund", "args.amout == 1", "5 unknown-argument", id="a name that is forbidden"),
        pytest.param("refund", "args.amount == 'a'", "12 wrong-kind", id="a value of another kind"),
        pytest.param("refund", "args.amount == 1", "", id="what fits"),
        pytest.param("pay", "args.amout == 'a'", "", id="a tool without a schema"),
        pytest.param("re*", "args.amout == 1", "5 unknown-argument", id="a pattern for known tools"),
        pytest.param("*", "args.amout == 1", "", id="a pattern for unknown tools as well"),
        pytest.param("other", "args.amout == 1", "", id="a tool that is not recorded"),
    ],
)
def test_recorded_schemas_say_what_arguments_there_are(tool: str, when: str, found: str) -> None:
    built = load(row(when, tool=tool), tools=REFUND)
    begins = BEGINS + len(tool) - len("refund")
    assert [f"{one.column - begins} {one.code}" for one in built.problems] == ([found] if found else [])


def test_a_name_that_an_open_schema_does_not_list_is_a_warning() -> None:
    tools = REFUND.replace('"additionalProperties": false, ', "").replace('"additionalProperties": false,', "")
    built = load(row("args.amout == 1"), tools=tools)
    assert built.problems == ()
    assert ("unknown-argument", BEGINS + 5) in [(found.code, found.column) for found in built.warnings]


def test_without_a_language_a_condition_is_an_error_and_never_ignored() -> None:
    assert problems(load(row("true"), language=False)) == [f"policy.csv:1:{BEGINS} condition-not-available"]
    assert problems(load(row(""), language=False)) == []


def test_rows_that_differ_by_their_condition_are_no_duplicates() -> None:
    built = load(row("args.a == 1") + row("args.a == 2") + row("args.a == 1"))
    assert [(found.line, found.code) for found in built.warnings if found.code == "duplicate-row"] == [
        (3, "duplicate-row")
    ]


def test_a_deciding_row_is_told_with_its_condition() -> None:
    built = load(row("args.amount <= 100"))
    decision = asked(built, b'{"amount": 5}')
    assert decision.rules[0].text == "p, user:ann, billing, tools/call, refund, allow, args.amount <= 100"


@pytest.mark.parametrize(
    ("columns", "fields", "found"),
    [
        pytest.param(",claims", ",{}", [], id="claims alone"),
        pytest.param(",now,claims", ",2026-01-01T00:00:00+01:00,", [], id="in any order"),
        pytest.param(",claims", "", ["expectations.csv:2:1 row-too-short"], id="a field that is missing"),
        pytest.param(",claim", ",{}", ["expectations.csv:1:1 no-header"], id="an unknown column"),
        pytest.param(",claims,claims", ",{},{}", ["expectations.csv:1:1 no-header"], id="a column twice"),
        pytest.param(",claims", ",[]", ["expectations.csv:2:44 bad-json"], id="claims that are a list"),
        pytest.param(",claims", ",{x}", ["expectations.csv:2:44 bad-json"], id="claims that are no JSON"),
        pytest.param(",context", ',"{""ip"": 1}"', ["expectations.csv:2:44 bad-json"], id="context that is no text"),
        pytest.param(",now", ",yesterday", ["expectations.csv:2:44 bad-time"], id="a time that is none"),
        pytest.param(",now", ",2026-01-01T00:00:00", ["expectations.csv:2:44 bad-time"], id="a time without a zone"),
    ],
)
def test_expectations_say_what_is_given(columns: str, fields: str, found: list[str]) -> None:
    expectations = f"{HEADER}{columns}\nuser:ann,billing,tools/call,refund,,,allow{fields}\n"
    assert problems(load(row("true"), expectations)) == found


def test_a_failed_expectation_says_why_a_condition_could_not_be_evaluated() -> None:
    built = load(row("args.amount <= 100"), f"{HEADER}\nuser:ann,billing,tools/call,refund,,,allow\n")
    assert "policy.csv:1: a field is not there" in str(built.problems[0])


def asked(built: Built, arguments: bytes = b"", tool: str = "refund", method: str = "tools/call") -> Decision:
    assert built.policy is not None, built.problems
    who = caller(("user:ann",))
    question = Question(method=method, tool=tool, arguments=arguments)
    return asyncio.run(judge(built.policy, who, SERVERS["billing"], question, ScopeHierarchy(), now=0.0))


CONDITIONS = ["args.n <= 5", "args.n > 3", "args.gone == 1", "true", "false", "args.s == 'a'", "now > timestamp(0)", ""]
POLICIES = st.lists(
    st.tuples(
        st.sampled_from(CONDITIONS), st.sampled_from(["allow", "allow", "deny"]), st.sampled_from(["refund", "*", "r*"])
    ),
    min_size=1,
    max_size=5,
)


@given(POLICIES, st.sampled_from([b"", b'{"n": 4}', b'{"n": 9, "s": "a"}', b"{"]), st.sampled_from(["refund", "pay"]))
@settings(max_examples=examples(80), deadline=None)
def test_engines_agree_and_less_never_grants_more(
    lines: list[tuple[str, str, str]], arguments: bytes, tool: str
) -> None:
    def decided(kept: list[tuple[str, str, str]], engine: PolicyEngine) -> Decision:
        text = "".join(row(when, effect, pattern) for when, effect, pattern in kept)
        return asked(load(text, engine=engine), arguments, tool)

    whole = decided(lines, PlainEngine())
    assert decided(lines, IndexEngine()) == decided(lines, CasbinEngine()) == whole
    assert whole.allowed is (whole.reason is Reason.ALLOWED_BY_RULE)
    for index, (_, effect, _) in enumerate(lines):
        less = decided(lines[:index] + lines[index + 1 :], PlainEngine())
        if effect == "allow":
            assert whole.allowed >= less.allowed
        else:
            assert less.allowed >= whole.allowed
