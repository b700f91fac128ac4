"""Explaining: the rows considered, the way to each role, and the one thing missing, which would really do."""

import asyncio
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.model import Question
from authz_sidecar.policy.callers import caller
from authz_sidecar.policy.explain import Explainer, Explanation
from authz_sidecar.ports import Policy
from tests.policy.drawn import CALM, HIERARCHY, SERVERS, loaded, policies, scopes

RULES = """\
p, role:support, desk, tools/call,  create_ticket, allow
p, role:admin,   desk, tools/call,  delete_ticket, allow
p, role:admin,   shop, tools/call,  sell,          allow
p, role:support, desk, prompts/get, greet,         allow
p, user:mallory, *,    *,           *,             deny
p, user:root,    desk, tools/call,  wipe,          allow
g, user:alice,   role:support
g, user:mallory, role:support
"""
SCOPES = "desk,tools/call,create_ticket,s1\ndesk,tools/call,delete_ticket,s2\n"


def explained(policy: Policy, subjects: str, call: str, *held: str, server: str = "desk") -> Explanation:
    method, _, tool = call.partition(" ")
    explainer = Explainer(policy=policy, servers=SERVERS, hierarchy=HIERARCHY)
    question = Question(method=method, tool=tool)
    return asyncio.run(explainer.explain(caller(subjects.split(), held), server, question))


@pytest.mark.parametrize(
    ("subjects", "call", "missing", "advice", "line"),
    [
        pytest.param(
            "user:alice",
            "tools/call delete_ticket",
            "subject",
            "the caller does not hold `role:admin`; and then the token would need the scope `s2`",
            2,
            id="a role",
        ),
        pytest.param(
            "user:alice",
            "tools/call creat_ticket",
            "tool",
            "the row is for the tool `create_ticket`; and then the token would need the scope `s1`",
            1,
            id="a slip in the tool",
        ),
        pytest.param(
            "user:alice", "tools/call greet", "method", "the row is for the method `prompts/get`", 4, id="method"
        ),
        pytest.param("role:admin", "tools/call sell", "server", "the row is for the server `shop`", 3, id="a server"),
        pytest.param("user:bob", "tools/call wipe", "subject", "the caller is not `user:root`", 6, id="another user"),
        pytest.param(
            "user:alice", "tools/call create_ticket", "scope", "the token lacks the scope `s1`", None, id="a scope"
        ),
        pytest.param(
            "user:mallory",
            "tools/call create_ticket",
            "deny",
            "a deny row stands in the way (policy.csv:5)",
            5,
            id="deny",
        ),
        pytest.param(
            "user:mallory",
            "tools/call delete_ticket",
            "deny",
            "a deny row stands in the way (policy.csv:5), and no row allows it",
            5,
            id="a deny row before silence",
        ),
        pytest.param(
            "user:bob",
            "prompts/get nothing",
            "rule",
            "no allow row misses by one thing only, a row for this call is needed",
            None,
            id="nothing is near",
        ),
        pytest.param(
            "user:alice",
            "tools/cal create_ticket",
            "method",
            "`tools/cal` is no method of MCP and none of this server, did you mean `tools/call`",
            None,
            id="a slip in the method",
        ),
    ],
)
def test_the_one_thing_missing_is_said(subjects: str, call: str, missing: str, advice: str, line: int | None) -> None:
    found = explained(loaded(RULES, scopes=SCOPES), subjects, call)
    assert not found.decision
    assert found.miss is not None
    assert (found.miss.missing, found.miss.advice) == (missing, advice)
    assert (found.miss.rule.line if found.miss.rule else None) == line


def test_an_unknown_server_is_said_with_what_was_meant() -> None:
    found = explained(loaded(RULES), "user:alice", "tools/call t", server="desc")
    assert found.miss is not None
    assert found.miss.advice == "no configured server is called `desc`, did you mean `desk`"


def test_a_yes_misses_nothing_and_names_its_rows_and_the_way() -> None:
    found = explained(loaded(RULES, scopes=SCOPES), "user:alice", "tools/call create_ticket", "s1")
    assert found.decision
    assert found.miss is None
    assert (found.considered[0].rule.line, found.considered[0].decides) == (1, True)
    assert [row.line for row in found.held["role:support"]] == [7]


def test_a_list_is_explained_by_what_it_follows() -> None:
    found = explained(loaded(RULES), "user:alice", "tools/list create_ticket")
    assert [one.rule.line for one in found.considered if one.decides] == [1]


def test_rows_for_the_caller_and_for_the_call_are_considered_and_no_others() -> None:
    found = explained(loaded(RULES), "user:alice", "tools/call delete_ticket")
    assert {one.rule.line: one.missing for one in found.considered} == {
        1: ("tool",),
        2: ("subject",),
        4: ("method", "tool"),
        5: ("subject",),
    }


@CALM
@given(policies, scopes, st.sampled_from(["user:a", "user:b role:r", "role:t", "client:c"]), st.sampled_from("tuz"))
def test_the_missing_role_or_tool_would_really_do(policy: str, scope_rows: str, subjects: str, tool: str) -> None:
    made = loaded(policy, scopes=scope_rows)
    found = explained(made, subjects, f"tools/call {tool}", "all")
    miss = found.miss
    if miss is None or miss.rule is None or miss.rule.subject.prefix or miss.rule.tool.prefix:
        return
    name = miss.rule.subject.text
    if miss.missing == "subject" and name.startswith("role:"):
        who = replace(found.principal, groups=found.principal.groups | {name})
        assert explained(made, " ".join(who.subjects), f"tools/call {tool}", "all").decision
    if miss.missing == "tool":
        assert explained(made, subjects, f"tools/call {miss.rule.tool.text}", "all").decision


@CALM
@given(
    policies, st.sampled_from(["user:a", "role:r"]), st.sampled_from(["tools/call t", "tools/list t", "ping ", "no t"])
)
def test_every_deciding_row_is_considered(policy: str, subjects: str, call: str) -> None:
    found = explained(loaded(policy), subjects, call)
    places = {(rule.source, rule.line) for rule in found.decision.rules if rule.source != "builtin"}
    assert {(one.rule.source, one.rule.line) for one in found.considered if one.decides} == places
    assert json.dumps([one.missing for one in found.considered])
