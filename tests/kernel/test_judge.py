"""What the decision is, for every kind of method and row."""

import asyncio

import pytest

from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.judge import judge
from authz_sidecar.methods import METHODS, Kind
from authz_sidecar.model import Question, Reason
from authz_sidecar.rules import Rules, ScopeHierarchy
from authz_sidecar.testing.cases import rows
from tests.kernel.house import CALL, OPS, A, D, ask, caller, lines, policy, scoped

POLICY = rows(
    ("user:ann", "role:reader"),
    ("role:reader", "ops", CALL, "read", A),
    ("user:bob", "ops", CALL, "read", A),
    ("user:bob", "ops", CALL, "*", D),
    ("role:reader", "ops", CALL, "re*", A),
    ("user:eve", "ops", CALL, "*", A),
    ("role:out", "*", "*", "*", D),
    ("user:eve", "other", CALL, "delete", D),
)


@pytest.mark.parametrize(
    ("who", "tool", "reason", "deciding"),
    [
        pytest.param("user:ann", "read", Reason.ALLOWED_BY_RULE, [2, 5], id="every allow is named"),
        pytest.param("user:ann", "write", Reason.NO_MATCHING_RULE, [], id="silence denies"),
        pytest.param("user:nobody", "read", Reason.NO_MATCHING_RULE, [], id="a stranger is denied"),
        pytest.param("user:bob", "read", Reason.DENIED_BY_RULE, [4], id="deny beats allow"),
        pytest.param("user:bob", "write", Reason.DENIED_BY_RULE, [4], id="deny without allow"),
        pytest.param("user:eve", "delete", Reason.ALLOWED_BY_RULE, [6], id="rows of another server are silent"),
        pytest.param("user:eve", "", Reason.ALLOWED_BY_RULE, [6], id="a star covers the empty tool"),
        pytest.param("user:role:reader", "read", Reason.NO_MATCHING_RULE, [], id="a user called like a role"),
    ],
)
def test_decision_names_its_reason_and_rules(who: str, tool: str, reason: Reason, deciding: list[int]) -> None:
    decision = ask(POLICY, caller(who), CALL, tool)
    assert (decision.reason, lines(decision)) == (reason, deciding)
    assert bool(decision) is decision.allowed is (reason is Reason.ALLOWED_BY_RULE)


def test_a_deny_on_one_of_many_groups_wins() -> None:
    assert ask(POLICY, caller("user:ann", "group:x", "role:out"), CALL, "read").reason is Reason.DENIED_BY_RULE


@pytest.mark.parametrize("method", [name for name, entry in METHODS.items() if entry.kind is Kind.PASS])
def test_what_needs_only_a_valid_token_is_not_touched_by_any_row(method: str) -> None:
    decision = ask(rows(("*", "*", "*", "*", D)), caller(), method, "")
    assert decision.allowed
    assert [(rule.source, rule.line) for rule in decision.rules] == [("builtin", 0)]


@pytest.mark.parametrize(
    "method", ["notifications/initialized", "notifications/cancelled", "notifications/of/tomorrow"]
)
def test_notifications_need_only_a_valid_token(method: str) -> None:
    assert ask(Rules(), caller(), method, "")


@pytest.mark.parametrize(
    "method",
    [
        "",
        "tools",
        "tools/Call",
        "TOOLS/CALL",
        "tools/call ",
        "tools/call\0",
        "notifications",
        "Notifications/x",
        "x/y",
        "*",
    ],
)
def test_an_unknown_method_is_denied_whatever_the_rows(method: str) -> None:
    decision = ask(rows(("*", "*", "*", "*", A)), caller(), method, "read")
    assert decision.reason is Reason.METHOD_UNKNOWN
    assert decision.rules == ()


@pytest.mark.parametrize(
    ("policy", "allowed"),
    [
        pytest.param(Rules(), False, id="by no row"),
        pytest.param(rows(("user:ann", "ops", "acme/report", "*", A)), True, id="by its own row"),
        pytest.param(rows(("user:ann", "ops", CALL, "*", A)), False, id="not by a row for calls"),
    ],
)
def test_a_method_of_this_server_is_judged_by_rows(policy: Rules, *, allowed: bool) -> None:
    assert ask(policy, caller(), "acme/report", "q3").allowed is allowed


LISTS = {name: entry.follows for name, entry in METHODS.items() if entry.kind is Kind.LIST}


@pytest.mark.parametrize("method", [*LISTS, "subscriptions/listen"])
def test_a_list_request_itself_succeeds(method: str) -> None:
    assert ask(rows(("*", "*", "*", "*", D)), caller(), method, "")


def test_other_methods_on_nothing_are_judged() -> None:
    for method in ("tools/call", "resources/subscribe", "tasks/get", "completion/complete"):
        assert not ask(Rules(), caller(), method, "")


@pytest.mark.parametrize(("listing", "call"), LISTS.items())
def test_a_list_shows_what_could_be_called(listing: str, call: str) -> None:
    policy = rows(("user:ann", "ops", call, "read", A), ("user:ann", "ops", call, "gone", D))
    assert lines(ask(policy, caller(), listing, "read")) == [1]
    assert ask(policy, caller(), listing, "gone").reason is Reason.DENIED_BY_RULE
    assert ask(policy, caller(), listing, "else").reason is Reason.NO_MATCHING_RULE


@pytest.mark.parametrize(
    ("policy", "shown", "callable_"),
    [
        pytest.param([(CALL, A), ("tools/list", D)], False, True, id="a list row hides what may be called"),
        pytest.param([(CALL, D), ("tools/list", A)], True, False, id="a list row shows what may not be called"),
        pytest.param([("tools/list", A)], True, False, id="a list row shows what no row allows"),
        pytest.param([("tools/list", D)], False, False, id="a list row alone hides"),
        pytest.param([("*", A), ("tools/list", D)], False, True, id="a list row beats a star"),
        pytest.param([("*", D), ("tools/list", A)], False, False, id="deny by a star wins over a list row"),
        pytest.param([("*", A), (CALL, D)], False, False, id="a star is counted with the call"),
        pytest.param([("tools/*", A), (CALL, D)], False, False, id="so is a beginning that covers both"),
        pytest.param([("tools/l*", A), (CALL, D)], True, False, id="a beginning of the list alone overrules"),
    ],
)
def test_a_row_for_the_list_overrules(policy: list[tuple[str, str]], *, shown: bool, callable_: bool) -> None:
    rules = rows(*(("user:ann", "ops", method, "read", effect) for method, effect in policy))
    assert ask(rules, caller(), "tools/list", "read").allowed is shown
    assert ask(rules, caller(), CALL, "read").allowed is callable_


def test_scopes_do_not_count_at_list_time() -> None:
    policy = scoped(rows(("user:ann", "ops", CALL, "read", A)), ("*", "*", "*", "mcp:read"))
    listed = ask(policy, caller(), "tools/list", "read")
    assert listed.allowed
    assert listed.required_scopes == ()
    assert ask(policy, caller(), CALL, "read").reason is Reason.INSUFFICIENT_SCOPE


@pytest.mark.parametrize(
    ("method", "tool", "call", "on"),
    [
        ("resources/subscribe", "file:///a", "resources/read", "file:///a"),
        ("resources/unsubscribe", "file:///a", "resources/read", "file:///a"),
        ("subscriptions/listen", "file:///a", "resources/read", "file:///a"),
        ("completion/complete", "ref/prompt:triage", "prompts/get", "triage"),
        ("completion/complete", "ref/resource:file:///a", "resources/read", "file:///a"),
        ("tasks/get", "read", CALL, "read"),
        ("tasks/result", "read", CALL, "read"),
        ("tasks/update", "read", CALL, "read"),
        ("tasks/cancel", "read", CALL, "read"),
    ],
)
def test_a_right_follows_from_another(method: str, tool: str, call: str, on: str) -> None:
    allow = ("user:ann", "ops", call, on, A)
    assert lines(ask(rows(allow), caller(), method, tool)) == [1]
    assert ask(rows(allow, ("user:ann", "ops", call, on, D)), caller(), method, tool).reason is Reason.DENIED_BY_RULE
    assert ask(rows(allow, ("user:ann", "ops", method, "*", D)), caller(), method, tool).reason is Reason.DENIED_BY_RULE
    assert lines(ask(rows(("user:ann", "ops", method, tool, A)), caller(), method, tool)) == [1]
    assert not ask(rows(("user:ann", "ops", call, "else", A)), caller(), method, tool)
    scopes = scoped(rows(allow), ("ops", call, on, "b"), ("ops", method, "*", "a"))
    assert ask(scopes, caller(scopes="a"), method, tool).required_scopes == ("a", "b")
    assert ask(scopes, caller(scopes="a b"), method, tool)


@pytest.mark.parametrize("tool", ["", "triage", "ref/prompt", "ref/tool:x", "REF/prompt:triage"])
def test_a_completion_that_refers_to_nothing_we_know_follows_from_nothing(tool: str) -> None:
    policy = rows(("user:ann", "ops", "prompts/get", "*", A), ("user:ann", "ops", "resources/read", "*", A))
    assert ask(policy, caller(), "completion/complete", tool).reason is Reason.NO_MATCHING_RULE


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        pytest.param("", Reason.INSUFFICIENT_SCOPE, id="none"),
        pytest.param("tickets:read", Reason.INSUFFICIENT_SCOPE, id="one of two"),
        pytest.param("tickets:read tickets:write", Reason.ALLOWED_BY_RULE, id="both"),
        pytest.param("tickets:admin", Reason.ALLOWED_BY_RULE, id="one that implies both"),
        pytest.param("Tickets:Admin", Reason.INSUFFICIENT_SCOPE, id="in another case"),
        pytest.param("other", Reason.INSUFFICIENT_SCOPE, id="a stranger"),
    ],
)
def test_all_scopes_of_all_matching_rows_are_needed(held: str, reason: Reason) -> None:
    policy = scoped(
        rows(("user:ann", "ops", CALL, "*", A)),
        ("ops", CALL, "create", "tickets:write"),
        ("*", "tools/*", "*", "tickets:read"),
        ("other", "*", "*", "never"),
    )
    implies = {"tickets:admin": frozenset({"tickets:read", "tickets:write"})}
    decision = ask(policy, caller(scopes=held), CALL, "create", implies=implies)
    assert decision.reason is reason
    assert decision.required_scopes == ("tickets:read", "tickets:write")
    assert lines(decision) == [1]


def test_nobody_learns_the_scopes_of_what_they_may_not_use() -> None:
    policy = scoped(rows(("user:bob", "ops", CALL, "*", D)), ("*", "*", "*", "secret"))
    for who in ("user:ann", "user:bob"):
        assert ask(policy, caller(who), CALL, "read").required_scopes == ()


def test_a_list_shows_what_may_be_called_by_way_of_a_group_of_tools() -> None:
    rules = rows(("g2", "read", "in", "reading"), ("user:ann", "ops", "*", "reading", "allow"))
    decision = asyncio.run(
        judge(
            policy(rules, IndexEngine().compile(rules)),
            caller(),
            OPS,
            Question(method="tools/list", tool="read"),
            ScopeHierarchy(),
        )
    )
    assert decision.allowed
