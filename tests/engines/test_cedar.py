"""The Cedar engine: the sample policy, what policies can speak of, and no doubt that becomes a yes."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from authz_sidecar.engines.cedar import CedarEngine, CedarPolicy
from authz_sidecar.errors import EngineError
from authz_sidecar.model import Server
from authz_sidecar.policy.check import Report, check
from authz_sidecar.policy.outcomes import Applied, Refused
from authz_sidecar.rules import Verdict
from authz_sidecar.testing.cases import rows
from tests.engines.cedars import READ, ROOT, SAMPLE, compiled
from tests.policy.plainly import make_store

SERVERS = {"ops-assistant": Server(name="ops-assistant", audience="https://ops.example/mcp")}


def judge(
    policy: CedarPolicy, who: str, tool: str = "read", method: str = "tools/call", server: str = "ops"
) -> Verdict:
    return asyncio.run(policy.judge(frozenset(who.split()), server, method, tool))


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


def test_without_policies_everything_is_denied() -> None:
    assert not judge(compiled(), "user:ann")
