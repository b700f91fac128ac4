"""The policy's own tests: what holds, what fails and what the failure says."""

import pytest

from authz_sidecar.errors import Problem
from authz_sidecar.policy.build import Built, Setting, build
from authz_sidecar.ports import PolicyEngine
from authz_sidecar.rules import ScopeHierarchy
from tests.policy.plainly import MODEL, SERVERS, LinearEngine, SilentEngine

POLICY = """\
p, role:r,     ops-assistant, tools/call, t,  allow
p, role:r,     ops-assistant, tools/call, s,  allow
p, role:r,     ops-assistant, tools/call, b*, allow
p, user:bad,   ops-assistant, tools/call, *,  deny
p, user:*,     ops-assistant, tools/call, u,  allow
p, client:c,   ops-assistant, tools/call, t,  allow
p, client:bad, ops-assistant, tools/call, *,  deny
p, agent:bot,  ops-assistant, tools/call, b*, allow
g, user:a,     role:r
"""
SCOPES = "server,method,tool,scopes\nops-assistant,tools/call,s,x y\n"
HEADER = "subjects,server,method,tool,scopes,args,expect\n"


async def run(rows: str, engine: PolicyEngine | None = None) -> Built:
    files = {
        "policy.csv": POLICY.encode(),
        "model.conf": MODEL,
        "scopes.csv": SCOPES.encode(),
        "expectations.csv": (HEADER + rows).encode(),
    }
    setting = Setting(
        engine=engine or LinearEngine(),
        servers=SERVERS,
        hierarchy=ScopeHierarchy(implies={"all": frozenset({"x", "y"})}),
    )
    return await build(files, setting)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param("user:a,ops-assistant,tools/call,t,,,allow", id="allowed"),
        pytest.param("user:a,ops-assistant,tools/call,t,,,allowed_by_rule", id="allowed, with its reason"),
        pytest.param("user:z,ops-assistant,tools/call,t,,,deny", id="denied"),
        pytest.param("user:z,ops-assistant,tools/call,t,,,no_matching_rule", id="silence"),
        pytest.param("user:bad role:r,ops-assistant,tools/call,t,,,denied_by_rule", id="a deny row"),
        pytest.param("role:r,ops-assistant,tools/call,t,,,allow", id="a role without a user"),
        pytest.param("role:q,ops-assistant,tools/call,u,,,allow", id="a role without a user is some user"),
        pytest.param("user:a,ops-assistant,tools/call,s,x,,insufficient_scope", id="one of two scopes"),
        pytest.param("user:a,ops-assistant,tools/call,s,x y,,allow", id="both scopes"),
        pytest.param("user:a,ops-assistant,tools/call,s,all,,allow", id="a scope that implies both"),
        pytest.param("client:c,ops-assistant,tools/call,t,,,allow", id="a client without a user"),
        pytest.param("user:z client:c,ops-assistant,tools/call,t,,,deny", id="a client adds nothing to a user"),
        pytest.param("user:a client:bad,ops-assistant,tools/call,t,,,deny", id="a client narrows a user"),
        pytest.param("user:a agent:bot,ops-assistant,tools/call,bx,,,allow", id="an agent that may as well"),
        pytest.param("user:a agent:bot,ops-assistant,tools/call,t,,,deny", id="an agent that may not"),
        pytest.param('user:a,ops-assistant,tools/call,t,,"{""n"":1}",allow', id="arguments"),
        pytest.param("user:z,ops-assistant,tools/list,,,,allow", id="a list request itself"),
        pytest.param("user:a,ops-assistant,x/y,t,,,method_unknown", id="an unknown method"),
    ],
)
async def test_an_expectation_that_holds_is_no_problem(row: str) -> None:
    built = await run(row + "\n")
    assert (built.problems, built.expectations_run) == ((), 1)
    assert built.policy is not None


async def test_a_failing_expectation_says_what_came_and_by_which_rows() -> None:
    built = await run(
        "user:a,ops-assistant,tools/call,t,,,deny\n"
        "user:bad,ops-assistant,tools/call,t,x,,allow\n"
        "user:z,ops-assistant,tools/call,t,,,denied_by_rule\n"
        "user:a,ops-assistant,tools/call,s,,,allow\n"
    )
    assert built.policy is None
    assert built.expectations_run == 4
    assert list(map(str, built.problems)) == [
        (
            "expectations.csv:2:37: expected `deny` for user:a: tools/call t, got `allowed_by_rule` by policy.csv:1 "
            "`p, role:r, ops-assistant, tools/call, t, allow`"
        ),
        (
            "expectations.csv:3:40: expected `allow` for user:bad with x: tools/call t, got `denied_by_rule` by "
            "policy.csv:4 `p, user:bad, ops-assistant, tools/call, *, deny`"
        ),
        "expectations.csv:4:37: expected `denied_by_rule` for user:z: tools/call t, got `no_matching_rule`",
        (
            "expectations.csv:5:37: expected `allow` for user:a: tools/call s, got `insufficient_scope` "
            "by policy.csv:2 `p, role:r, ops-assistant, tools/call, s, allow`, scopes needed: x y"
        ),
    ]


async def test_an_engine_that_gives_no_answer_fails_the_expectation() -> None:
    built = await run("user:a,ops-assistant,tools/call,t,,,deny\n", SilentEngine())
    (problem,) = built.problems
    assert isinstance(problem, Problem)
    assert "got the engine failed: two engines disagree" in problem.message
