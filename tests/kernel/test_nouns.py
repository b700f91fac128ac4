"""The nouns of the kernel: what cannot be built, what never prints, and which words leave the house."""

import pytest

from authz_sidecar.errors import (
    AuthzError,
    BadRequest,
    ConfigError,
    EngineError,
    LedgerFull,
    NotReady,
    PolicyProblems,
    Problem,
    TokenError,
)
from authz_sidecar.methods import METHODS, Kind, find, followed
from authz_sidecar.model import Answer, Decision, Mode, Principal, RawToken, Reason, Revision, public_message
from authz_sidecar.rules import ANY, Effect, Pattern, Rules, ScopeHierarchy, Verdict
from authz_sidecar.testing.cases import rows
from authz_sidecar.wire import authz_pb2
from tests.kernel.house import caller

REASONS = [
    "allowed_by_rule",
    "condition_error",
    "denied_by_rule",
    "insufficient_scope",
    "method_unknown",
    "no_matching_rule",
    "server_unknown",
    "token_algorithm_not_allowed",
    "token_audience_mismatch",
    "token_binding_missing",
    "token_claim_missing",
    "token_expired",
    "token_inactive",
    "token_issuer_unknown",
    "token_key_unknown",
    "token_malformed",
    "token_missing",
    "token_not_yet_valid",
    "token_revoked",
    "token_signature_invalid",
    "token_type_not_allowed",
]


def test_reasons_are_added_and_never_renamed() -> None:
    assert [reason.value for reason in Reason] == REASONS == sorted(REASONS)


def test_reasons_are_those_of_the_wire() -> None:
    wire = {name for name in authz_pb2.Reason.keys() if name != "REASON_UNSPECIFIED"}  # noqa: SIM118 - not a dict
    assert {f"REASON_{reason.name}" for reason in Reason} == wire
    assert authz_pb2.Reason.Value("REASON_UNSPECIFIED") == 0


def test_modes_are_those_of_the_wire() -> None:
    wire = set(authz_pb2.Mode.keys()) - {"MODE_UNSPECIFIED"}
    assert {f"MODE_{mode.name}" for mode in Mode} == wire


def test_reasons_about_the_token_are_those_that_say_so() -> None:
    assert {reason for reason in Reason if reason.about_token} == {r for r in Reason if r.name.startswith("TOKEN_")}


@pytest.mark.parametrize("reason", list(Reason))
def test_a_caller_reads_nothing_that_helps_to_probe(reason: Reason) -> None:
    message = public_message(reason)
    assert message
    if reason.about_token and reason is not Reason.TOKEN_MISSING:
        assert message == "the access token was not accepted"
    if reason in (Reason.DENIED_BY_RULE, Reason.NO_MATCHING_RULE, Reason.CONDITION_ERROR):
        assert message == "not permitted"


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("allowed", [True, False])
def test_only_a_rule_allows(reason: Reason, *, allowed: bool) -> None:
    if allowed is (reason is Reason.ALLOWED_BY_RULE):
        assert bool(Decision(allowed=allowed, reason=reason)) is allowed
    else:
        with pytest.raises(ValueError, match=f"allowed={allowed} cannot have the reason"):
            Decision(allowed=allowed, reason=reason)


@pytest.mark.parametrize("allowed", [1, "yes", None, 0, ""])
def test_a_decision_takes_yes_or_no_and_nothing_like_it(allowed: object) -> None:
    with pytest.raises(ValueError, match="cannot have the reason"):
        Decision(allowed=allowed, reason=Reason.ALLOWED_BY_RULE)  # type: ignore[arg-type]


YES = Decision(allowed=True, reason=Reason.ALLOWED_BY_RULE)
NO = Decision(allowed=False, reason=Reason.NO_MATCHING_RULE)


@pytest.mark.parametrize(
    ("decisions", "truth"), [((YES,), True), ((YES, YES), True), ((YES, NO), False), ((NO,), False), ((), False)]
)
def test_an_answer_is_true_when_everything_is_allowed(decisions: tuple[Decision, ...], *, truth: bool) -> None:
    assert bool(Answer(decisions=decisions, decision_id="1", revision=Revision("r"), server="ops")) is truth


def test_a_token_never_prints() -> None:
    assert "canary" not in repr(RawToken("canary")) + str(RawToken("canary"))


def test_claims_never_print() -> None:
    who = Principal(issuer="i", subject="s", user="user:s", expires_at=1.0, claims={"mail": "canary"})
    assert "canary" not in repr(who)


def test_a_principal_is_somebody() -> None:
    with pytest.raises(ValueError, match="a user or a client"):
        caller(None)


def test_a_principal_names_all_its_subjects_sorted() -> None:
    who = caller("user:ann", "role:b", "group:a", client="client:c", agent="agent:d")
    assert who.subjects == ("agent:d", "client:c", "group:a", "role:b", "user:ann")
    assert who.caller == {"user:ann", "role:b", "group:a"}
    assert caller(None, "role:b", client="client:c").caller == {"client:c", "role:b"}


def test_a_verdict_is_true_when_some_allow_and_none_denies() -> None:
    allow, deny = rows(("user:a", "s", "m", "t", "allow"), ("user:a", "s", "m", "t", "deny")).rules
    assert not Verdict()
    assert Verdict(allows=(allow,))
    assert not Verdict(denies=(deny,))
    assert not Verdict(allows=(allow,), denies=(deny,))


@pytest.mark.parametrize(
    ("pattern", "text", "matching", "other"),
    [
        pytest.param(Pattern("read"), "read", ["read"], ["", "rea", "reads", "READ", "read*"], id="a literal"),
        pytest.param(Pattern("re", prefix=True), "re*", ["re", "read", "re*"], ["", "r", "xre"], id="a beginning"),
        pytest.param(ANY, "*", ["", "*", "anything"], [], id="anything"),
        pytest.param(Pattern("*"), "\\*", ["*"], ["", "a", "**"], id="a literal star"),
        pytest.param(Pattern("a*", prefix=True), "a\\**", ["a*", "a*b"], ["a", "ab"], id="a star in a beginning"),
        pytest.param(Pattern(""), "", [""], ["a"], id="the empty literal"),
    ],
)
def test_a_pattern_matches_and_spells_itself(
    pattern: Pattern, text: str, matching: list[str], other: list[str]
) -> None:
    assert str(pattern) == text
    assert [value for value in matching + other if pattern.matches(value)] == matching


def test_a_rule_points_to_its_row() -> None:
    (rule,) = rows(("user:a", "s", "m", "t", "deny")).rules
    assert (rule.ref.source, rule.ref.line, rule.ref.allow) == ("policy.csv", 1, False)
    assert rule.effect is Effect.DENY


def test_a_policy_without_scope_rows_needs_none() -> None:
    assert Rules().required_scopes("ops", "tools/call", "read") == frozenset()


def test_scopes_stand_for_those_that_they_imply_and_no_others() -> None:
    hierarchy = ScopeHierarchy(implies={"admin": frozenset({"read", "write"}), "write": frozenset({"read"})})
    assert hierarchy.held(frozenset({"admin"})) == {"admin", "read", "write"}
    assert hierarchy.held(frozenset({"read"})) == {"read"}
    assert hierarchy.held(frozenset()) == frozenset()
    assert ScopeHierarchy().held(frozenset({"x"})) == {"x"}


def test_every_method_that_is_followed_is_judged_by_rows() -> None:
    for name, entry in METHODS.items():
        assert (entry.kind in (Kind.FOLLOWS, Kind.LIST)) is bool(entry.follows or name == "completion/complete")
        if entry.follows:
            assert METHODS[entry.follows].kind is Kind.RULE


def test_a_server_cannot_change_how_a_known_method_is_judged() -> None:
    assert find("tools/list", frozenset({"tools/list"})) == METHODS["tools/list"]
    assert find("acme/report", frozenset()) is None


def test_a_completion_follows_from_what_it_refers_to_with_all_its_colons() -> None:
    entry = METHODS["completion/complete"]
    assert followed("completion/complete", entry, "ref/resource:a:b") == ("resources/read", "a:b")
    assert followed("completion/complete", entry, "ref/prompt:") == ("prompts/get", "")


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (Problem("policy.csv", 3, 9, "c", "what"), "policy.csv:3:9: what"),
        (Problem("policy.csv", 3, 0, "c", "what"), "policy.csv:3: what"),
        (Problem("policy.csv", 0, 0, "c", "what"), "policy.csv: what"),
        (Problem("policy.csv", 0, 9, "c", "what"), "policy.csv: what"),
    ],
)
def test_a_problem_is_spelled_as_compilers_do(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_problems_come_once_and_in_the_order_of_the_files() -> None:
    late, early = Problem("b", 1, 1, "c", "x"), Problem("a", 10, 1, "c", "x")
    earlier = Problem("a", 9, 1, "c", "x")
    assert PolicyProblems([late, early, earlier, late]).problems == (earlier, early, late)


def test_what_is_for_us_does_not_reach_the_caller() -> None:
    for error in (
        TokenError(Reason.TOKEN_EXPIRED, "canary"),
        PolicyProblems([Problem("f", 1, 1, "c", "canary")]),
        ConfigError("canary"),
        NotReady("canary"),
        LedgerFull("canary"),
        EngineError("canary"),
    ):
        assert isinstance(error, AuthzError)
        assert "canary" not in error.public
        assert error.code
    assert BadRequest("`tool` is too long").public == "`tool` is too long"
