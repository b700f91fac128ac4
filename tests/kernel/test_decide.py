"""The decider verifies, judges by one snapshot, records, and denies on every doubt."""

import asyncio

import pytest

from authz_sidecar.errors import (
    EngineError,
    IssuerUnavailable,
    LedgerFull,
    NotReady,
    RevocationsUnknown,
    TokenError,
)
from authz_sidecar.model import Mode, Reason, Server
from authz_sidecar.testing.cases import rows
from tests.kernel.house import READERS, FailingPolicy, caller, house, policy, query, scoped

ALLOWED = Reason.ALLOWED_BY_RULE


def test_an_allowed_call_is_answered_and_recorded() -> None:
    home = house()
    answer = home.decide(query("ann"))
    assert answer
    assert [decision.reason for decision in answer.decisions] == [ALLOWED]
    assert (answer.decision_id, answer.revision, answer.server, answer.mode) == (
        "id-1",
        "sha256:1",
        "ops",
        Mode.ENFORCE,
    )
    assert answer.principal == caller()
    assert [(kept, detail) for _, kept, detail in home.log.kept] == [(answer, "")]


TOKEN_REASONS = [reason for reason in Reason if reason.about_token]


@pytest.mark.parametrize("reason", TOKEN_REASONS)
def test_a_token_that_proves_nothing_denies_everything_for_its_own_reason(reason: Reason) -> None:
    home = house(tokens={"bad": TokenError(reason, "what is wrong")})
    answer = home.decide(query("bad", ("tools/call", "read"), ("initialize", ""), ("no/such", "")))
    assert not answer
    assert [decision.reason for decision in answer.decisions] == [reason] * 3
    assert answer.principal is None
    assert [detail for _, _, detail in home.log.kept] == ["what is wrong"]


def test_the_ways_to_no() -> None:
    assert {reason.value for reason in TOKEN_REASONS} == {r.value for r in Reason if r.value.startswith("token_")}


@pytest.mark.parametrize(
    ("token", "method", "tool", "reason"),
    [
        pytest.param("mallory", "tools/call", "read", Reason.DENIED_BY_RULE, id="deny wins"),
        pytest.param("ann", "tools/call", "write", Reason.NO_MATCHING_RULE, id="silence denies"),
        pytest.param("ann", "no/such", "read", Reason.METHOD_UNKNOWN, id="an unknown method denies"),
        pytest.param("unreadable", "tools/call", "read", Reason.TOKEN_MALFORMED, id="unreadable denies"),
        pytest.param("ann", "tools/call", "scoped", Reason.INSUFFICIENT_SCOPE, id="a missing scope denies"),
    ],
)
def test_every_doubt_is_a_no_with_its_reason(token: str, method: str, tool: str, reason: Reason) -> None:
    more = rows(
        ("user:mallory", "*", "*", "*", "deny"),
        ("user:mallory", "*", "*", "*", "allow"),
        ("user:ann", "ops", "tools/call", "read", "allow"),
        ("user:ann", "ops", "tools/call", "scoped", "allow"),
    )
    home = house(
        policy(scoped(more, ("ops", "tools/call", "scoped", "w"))),
        tokens={
            "ann": caller(),
            "mallory": caller("user:mallory"),
            "unreadable": TokenError(Reason.TOKEN_MALFORMED, "is not a JWT"),
        },
    )
    answer = home.decide(query(token, (method, tool)))
    assert [decision.reason for decision in answer.decisions] == [reason]
    assert not answer
    assert len(home.log.kept) == 1


def test_an_engine_that_fails_gives_no_answer_and_leaves_a_record() -> None:
    home = house(policy(READERS, FailingPolicy()))
    with pytest.raises(EngineError):
        home.decide(query("ann"))
    ((_, kept, detail),) = home.log.kept
    assert [decision.reason for decision in kept.decisions] == [Reason.CONDITION_ERROR]
    assert not kept
    assert detail.startswith("no answer: ")


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(IssuerUnavailable("`main` cannot be asked"), Reason.TOKEN_INACTIVE, id="nobody can be asked"),
        pytest.param(RevocationsUnknown("not reached"), Reason.TOKEN_REVOKED, id="nobody knows what is revoked"),
    ],
)
def test_a_token_that_nobody_can_vouch_for_gets_no_answer_and_leaves_a_record(error: NotReady, reason: Reason) -> None:
    home = house(tokens={"opaque": error})
    with pytest.raises(type(error)):
        home.decide(query("opaque", ("tools/call", "read"), ("ping", "")))
    ((_, kept, detail),) = home.log.kept
    assert [decision.reason for decision in kept.decisions] == [reason] * 2
    assert not kept
    assert kept.principal is None
    assert detail == f"no answer: {error}"


def test_no_answer_without_a_record_of_it() -> None:
    with pytest.raises(LedgerFull):
        house(room=0, tokens={"opaque": IssuerUnavailable("gone")}).decide(query("opaque"))


def test_one_failing_item_spoils_the_batch() -> None:
    home = house(policy(READERS, FailingPolicy()))
    with pytest.raises(EngineError):
        home.decide(query("ann", ("ping", ""), ("tools/call", "read")))
    assert [len(kept.decisions) for _, kept, _ in home.log.kept] == [2]


def test_before_the_first_policy_there_is_no_answer_and_no_token_is_read() -> None:
    home = house()
    home.policies.queue.clear()
    with pytest.raises(NotReady):
        home.decide(query("ann"))
    assert home.tokens.asked == []


@pytest.mark.parametrize("token", ["ann", "mallory"])
def test_an_answer_that_cannot_be_recorded_does_not_go_out(token: str) -> None:
    with pytest.raises(LedgerFull):
        house(room=0).decide(query(token))


def test_a_token_failure_that_cannot_be_recorded_does_not_go_out() -> None:
    with pytest.raises(LedgerFull):
        house(room=0, tokens={"bad": TokenError(Reason.TOKEN_EXPIRED, "")}).decide(query("bad"))


@pytest.mark.parametrize(
    ("configured", "named", "answered"),
    [
        pytest.param("ops", "ops", "ops", id="by its name"),
        pytest.param("ops", "", "ops", id="the only one needs no name"),
        pytest.param("ops billing", "billing", "billing", id="one of two by its name"),
    ],
)
def test_the_server_is_found(configured: str, named: str, answered: str) -> None:
    home = house(servers=configured)
    answer = home.decide(query("ann", server=named))
    assert answer.server == answered
    assert [server.name for _, server in home.tokens.asked] == [answered]


@pytest.mark.parametrize(
    ("configured", "named"),
    [
        pytest.param("ops", "other", id="a name that nobody knows"),
        pytest.param("ops billing", "", id="no name where several are"),
        pytest.param("ops", "OPS", id="in another case"),
        pytest.param("ops", "ops ", id="with a space"),
    ],
)
def test_an_unknown_server_denies_and_the_token_is_not_read(configured: str, named: str) -> None:
    home = house(servers=configured)
    answer = home.decide(query("ann", ("tools/call", "read"), ("ping", ""), server=named))
    assert [decision.reason for decision in answer.decisions] == [Reason.SERVER_UNKNOWN] * 2
    assert (answer.server, answer.mode, answer.principal) == (named, Mode.ENFORCE, None)
    assert home.tokens.asked == []
    assert len(home.log.kept) == 1


def test_an_observed_server_says_so_and_still_answers_no() -> None:
    home = house()
    home.decider._servers = {"ops": Server(name="ops", audience="a", mode=Mode.OBSERVE)}
    answer = home.decide(query("mallory"))
    assert answer.mode is Mode.OBSERVE
    assert not answer


def test_a_batch_is_judged_by_one_revision_though_a_reload_comes_between() -> None:
    nobody = rows(("user:ann", "ops", "tools/call", "read", "deny"))
    home = house(policy(READERS, revision="sha256:old"), policy(nobody, revision="sha256:new"))
    first = home.decide(query("ann", *[("tools/call", "read")] * 50))
    second = home.decide(query("ann", *[("tools/call", "read")] * 50))
    assert (first.revision, {d.reason for d in first.decisions}) == ("sha256:old", {ALLOWED})
    assert (second.revision, {d.reason for d in second.decisions}) == ("sha256:new", {Reason.DENIED_BY_RULE})
    assert home.policies.looks == 2


def test_answers_stand_in_the_order_of_the_questions() -> None:
    answer = house().decide(query("ann", ("tools/call", "write"), ("tools/call", "read"), ("no/such", "")))
    assert [decision.reason for decision in answer.decisions] == [
        Reason.NO_MATCHING_RULE,
        ALLOWED,
        Reason.METHOD_UNKNOWN,
    ]
    assert not answer


async def test_callers_who_ask_at_once_get_their_own_answers() -> None:
    home = house()
    tokens = ["ann", "mallory"] * 50
    answers = await asyncio.gather(*(home.decider.decide(query(token)) for token in tokens))
    for token, answer in zip(tokens, answers, strict=True):
        assert answer.principal is not None
        assert answer.principal.user == f"user:{token}"
        assert bool(answer) is (token == "ann")
    assert len({answer.decision_id for answer in answers}) == 100


def test_a_query_without_questions_allows_nothing() -> None:
    home = house()
    asked = query("ann")
    answer = home.decide(type(asked)(token=asked.token, server="ops", questions=()))
    assert not answer
