"""The Cedar engine: the sample policy, places of mistakes, and no doubt that becomes a yes."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authz_sidecar.engines.cedar import CedarEngine, CedarPolicy
from authz_sidecar.engines.statements import statements, tokens
from authz_sidecar.errors import EngineError, PolicyProblems, Problem
from authz_sidecar.model import Server
from authz_sidecar.policy.check import Report, check
from authz_sidecar.policy.outcomes import Applied, Refused
from authz_sidecar.rules import Rules, Verdict
from authz_sidecar.testing.cases import rows
from tests.policy.plainly import make_store

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "cedar_policy"
SERVERS = {"ops-assistant": Server(name="ops-assistant", audience="https://ops.example/mcp")}
READ = 'permit (principal in Role::"a", action == Action::"tools/call", resource == Tool::"ops/read");'


def compiled(*texts: str, memberships: Rules | None = None, schema: str = "") -> CedarPolicy:
    sources = {f"engine.d/{number}.cedar": text.encode() for number, text in enumerate(texts, 1)}
    if schema:
        sources["engine.d/s.cedarschema"] = schema.encode()
    held = memberships or Rules()
    return CedarEngine().compile(Rules(sources=sources, memberships=held.memberships, tool_groups=held.tool_groups))


def judge(
    policy: CedarPolicy, who: str, tool: str = "read", method: str = "tools/call", server: str = "ops"
) -> Verdict:
    return asyncio.run(policy.judge(frozenset(who.split()), server, method, tool))


def refused(*texts: str, schema: str = "") -> list[str]:
    with pytest.raises(PolicyProblems) as caught:
        compiled(*texts, schema=schema)
    return [str(problem) for problem in caught.value.problems]


def checked(directory: Path) -> Report:
    return asyncio.run(check(directory, engine=CedarEngine(), servers=SERVERS))


def test_the_sample_gives_the_answers_of_the_rows_on_every_expectation() -> None:
    for name in ("expectations.csv", "scopes.csv"):
        assert (SAMPLE / name).read_bytes() == (ROOT / "policies" / name).read_bytes()
    report = checked(SAMPLE)
    assert report.problems == ()
    assert report.warnings == ()
    assert report.expectations_run == 20


def test_an_expectation_that_fails_names_the_policy_that_decided(tmp_path: Path) -> None:
    (tmp_path / "engine.d").mkdir()
    (tmp_path / "engine.d" / "p.cedar").write_text('\n  @id("all") // note\n  permit (principal,\naction, resource);\n')
    (tmp_path / "expectations.csv").write_text(
        "subjects,server,method,tool,scopes,args,expect\nuser:a,ops-assistant,tools/call,x,,,deny\n"
    )
    (problem,) = checked(tmp_path).problems
    assert 'by engine.d/p.cedar:2 `@id("all") permit (principal, action, resource);`' in problem.message


async def test_an_edit_is_live_at_once_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    directory = shutil.copytree(SAMPLE, tmp_path / "policies")
    store = make_store(tmp_path, engine=CedarEngine())
    assert isinstance(await store.load(), Applied)
    path = directory / "engine.d" / "policy.cedar"
    text = path.read_text()
    path.write_text(text + "permit (principal, action resource);\n")
    outcome = await store.load()
    assert isinstance(outcome, Refused)
    last = text.count("\n") + 1
    assert [str(problem) for problem in outcome.problems] == [
        f"engine.d/policy.cedar:{last}:27: cedar cannot read this: unexpected token `resource`"
    ]
    vera = frozenset({"user:vera"}), "ops-assistant", "tools/call", "list_tickets"
    assert await store.current.compiled.judge(*vera)
    path.write_text(text + 'forbid (principal in Role::"viewer", action, resource);\n')
    (directory / "expectations.csv").write_text("subjects,server,method,tool,scopes,args,expect\n")
    assert isinstance(await store.load(), Applied)
    assert [rule.line for rule in (await store.current.compiled.judge(*vera)).denies] == [last]


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        pytest.param("user:ann role:a", True, id="a role of the token"),
        pytest.param("user:bob", True, id="a role by g rows, two steps away"),
        pytest.param("role:a", True, id="a role alone"),
        pytest.param("client:cli role:a", True, id="a client"),
        pytest.param("user:ann", False, id="no role"),
        pytest.param("user:a", False, id="a user called like the role"),
        pytest.param("", False, id="nobody"),
    ],
)
def test_the_caller_is_in_its_roles(who: str, expected: bool) -> None:
    policy = compiled(READ, memberships=rows(("user:bob", "role:b"), ("role:b", "role:a")))
    assert bool(judge(policy, who)) is expected


def test_roles_by_server_and_groups_of_tools_are_what_they_are_in() -> None:
    held = rows(("user:ann", "role:a", "ops"), ("g2", "read", "in", "reading"))
    text = 'permit (principal in Role::"a", action, resource in ToolGroup::"reading");'
    policy = compiled(text, memberships=held)
    assert judge(policy, "user:ann")
    assert not judge(policy, "user:ann", server="other")
    assert not judge(policy, "user:ann", tool="write")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        pytest.param('principal == User::"ann", action, resource', True, id="the user is the principal"),
        pytest.param('principal in Group::"g", action, resource', True, id="groups"),
        pytest.param('principal in Client::"cli", action, resource', True, id="a client beside the user"),
        pytest.param('principal, action, resource in Server::"ops"', True, id="server"),
        pytest.param('principal, action, resource == Tool::"other/read"', False, id="the same tool elsewhere"),
        pytest.param('principal, action == Action::"tools/list", resource', False, id="another method"),
    ],
)
def test_what_policies_can_speak_of(policy: str, expected: bool) -> None:
    assert bool(judge(compiled(f"permit ({policy});"), "user:ann group:g client:cli")) is expected


def test_the_tool_has_its_name_and_server_as_attributes() -> None:
    policy = compiled(
        'permit (principal, action, resource) when { resource.name like "re*" && resource.server == "ops" };'
    )
    assert judge(policy, "user:ann")
    assert not judge(policy, "user:ann", tool="write")


def test_names_with_odd_characters_stay_names() -> None:
    odd = 'a"\\\n\u202e*::'
    policy = compiled('permit (principal, action, resource) when { resource.name == "a\\"\\\\\\n\\u{202e}*::" };')
    assert judge(policy, f"user:{odd.replace(chr(10), '')}", tool=odd)
    assert not judge(policy, "user:x", tool=odd + "x")


def test_forbid_wins_and_every_determining_policy_is_named_in_the_order_of_the_files() -> None:
    policy = compiled(
        f'{READ}\nforbid (principal == User::"m", action, resource);\n{READ}',
        'forbid (principal, action, resource) when { resource.name == "read" && principal in User::"m" };',
    )
    verdict = judge(policy, "user:m role:a")
    assert [(rule.source, rule.line) for rule in verdict.denies] == [("engine.d/1.cedar", 2), ("engine.d/2.cedar", 1)]
    verdict = judge(policy, "user:ann role:a")
    assert [(rule.line, rule.text) for rule in verdict.allows] == [(1, READ), (3, READ)]


def test_a_policy_for_one_method_alone_says_so() -> None:
    policy = compiled(READ, "permit (principal, action, resource);")
    verdict = judge(policy, "user:ann role:a")
    assert [str(rule.method) for rule in verdict.allows] == ["tools/call", "*"]


def test_a_policy_that_cannot_be_evaluated_denies_although_cedar_would_skip_it() -> None:
    policy = compiled(READ, "forbid (principal, action, resource) when { resource.owner == principal };")
    with pytest.raises(EngineError, match="could not evaluate"):
        judge(policy, "user:ann role:a")


class _Answer:
    """What cedarpy never said so far."""

    def __init__(self, decision: object, allowed: bool) -> None:
        self.decision, self.allowed = decision, allowed
        self.diagnostics = type("Diagnostics", (), {"errors": [], "reasons": []})()


@pytest.mark.parametrize("answer", [_Answer("NoDecision", False), _Answer("Allow", True)], ids=["no decision", "a yes"])
def test_an_answer_without_a_reason_is_an_error(answer: Any) -> None:
    with pytest.raises(EngineError, match="cedar says"):
        compiled(READ)._verdict(answer)


def test_whatever_cedar_throws_is_ours() -> None:
    policy = compiled(READ)
    policy._policies = object()  # type: ignore[misc]
    with pytest.raises(EngineError, match="cedar failed"):
        judge(policy, "user:ann")


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


def test_without_policies_everything_is_denied() -> None:
    assert not judge(compiled(), "user:ann")


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


@settings(max_examples=200, deadline=None)
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
