"""What the decision is when clients and agents come into it, or a user is called like a role."""

from dataclasses import replace

import pytest

from authz_sidecar.model import Reason
from authz_sidecar.testing.cases import rows
from tests.kernel.house import CALL, A, D, ask, caller, lines

CLIENTS = rows(
    ("user:ann", "ops", CALL, "read", A),
    ("client:cli", "ops", CALL, "write", A),
    ("client:bad", "ops", CALL, "*", D),
    ("client:cli", "role:tools"),
    ("role:tools", "ops", CALL, "build", A),
)


@pytest.mark.parametrize(
    ("user", "client", "tool", "reason"),
    [
        pytest.param("user:ann", "client:cli", "read", Reason.ALLOWED_BY_RULE, id="the user's right stands"),
        pytest.param("user:ann", "client:cli", "write", Reason.NO_MATCHING_RULE, id="a client adds no right to a user"),
        pytest.param("user:ann", "client:cli", "build", Reason.NO_MATCHING_RULE, id="nor do its roles"),
        pytest.param("user:ann", "client:bad", "read", Reason.DENIED_BY_RULE, id="a client's deny denies"),
        pytest.param(None, "client:cli", "write", Reason.ALLOWED_BY_RULE, id="without a user the client is the caller"),
        pytest.param(None, "client:cli", "build", Reason.ALLOWED_BY_RULE, id="with its roles"),
        pytest.param(None, "client:cli", "read", Reason.NO_MATCHING_RULE, id="and not with a user's rights"),
        pytest.param(None, "client:bad", "read", Reason.DENIED_BY_RULE, id="a client is denied"),
    ],
)
def test_a_client_narrows_a_user_and_stands_alone_without(
    user: str | None, client: str, tool: str, reason: Reason
) -> None:
    assert ask(CLIENTS, caller(user, client=client), CALL, tool).reason is reason


AGENTS = rows(
    ("user:ann", "ops", CALL, "*", A),
    ("agent:bot", "ops", CALL, "read", A),
    ("agent:bot", "ops", CALL, "delete", D),
    ("agent:bot", "ops", CALL, "admin", A),
    ("user:ann", "ops", CALL, "admin", D),
    ("agent:bot", "ops", CALL, "work", A),
    ("client:bad", "ops", CALL, "work", D),
)


@pytest.mark.parametrize(
    ("user", "agent", "tool", "reason", "deciding"),
    [
        pytest.param("user:ann", "agent:bot", "read", Reason.ALLOWED_BY_RULE, [1, 2], id="both are allowed"),
        pytest.param("user:ann", "agent:bot", "write", Reason.NO_MATCHING_RULE, [], id="only the user is"),
        pytest.param("user:bob", "agent:bot", "read", Reason.NO_MATCHING_RULE, [], id="only the agent is"),
        pytest.param("user:ann", "agent:bot", "delete", Reason.DENIED_BY_RULE, [3], id="the agent is denied"),
        pytest.param("user:ann", "agent:bot", "admin", Reason.DENIED_BY_RULE, [5], id="the user is denied"),
        pytest.param("user:ann", "agent:new", "read", Reason.NO_MATCHING_RULE, [], id="a new agent may do nothing"),
        pytest.param("user:ann", None, "write", Reason.ALLOWED_BY_RULE, [1], id="nobody acts"),
    ],
)
def test_who_acts_for_a_user_must_be_allowed_as_well(
    user: str, agent: str | None, tool: str, reason: Reason, deciding: list[int]
) -> None:
    decision = ask(AGENTS, caller(user, agent=agent), CALL, tool)
    assert (decision.reason, lines(decision)) == (reason, deciding)


def test_client_and_agent_both_narrow() -> None:
    who = caller("user:ann", client="client:bad", agent="agent:bot")
    assert lines(ask(AGENTS, who, CALL, "work")) == [7]
    assert ask(AGENTS, who, CALL, "read")


def test_an_agent_acting_for_a_client_must_be_allowed_as_well() -> None:
    policy = rows(("client:cli", "ops", CALL, "*", A), ("agent:bot", "ops", CALL, "read", A))
    who = caller(None, client="client:cli", agent="agent:bot")
    assert ask(policy, who, CALL, "read")
    assert not ask(policy, who, CALL, "write")


def test_an_agent_needs_the_right_to_a_list_entry_too() -> None:
    policy = rows(("user:ann", "ops", CALL, "*", A), ("agent:bot", "ops", CALL, "read", A))
    who = caller("user:ann", agent="agent:bot")
    assert ask(policy, who, "tools/list", "read")
    assert not ask(policy, who, "tools/list", "write")


@pytest.mark.parametrize("method", ["tools/call", "tools/list", "ping"])
def test_a_user_who_is_called_like_a_role_of_a_policy_without_prefixes_is_refused(method: str) -> None:
    rules = replace(rows(("user:ann", "*", "*", "*", "allow")), namesakes=frozenset({"user:ann"}))
    decision = ask(rules, caller("user:ann"), method, "read")
    assert (decision.allowed, decision.reason) == (False, Reason.TOKEN_CLAIM_MISSING)
    assert ask(rules, caller("user:bob"), "ping", "").allowed
    assert ask(rules, caller(None, client="client:ann"), "ping", "").allowed
