"""What a revocation means: whose tokens, which of them, and what is left of it when it is forgotten."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import BadRequest
from authz_sidecar.model import Principal
from authz_sidecar.revocation import Kept, Kind, Revocation
from authz_sidecar.tokens.revocation_marks import Marks
from tests.tokens.makers import ISSUER, NOW
from tests.tokens.revoking import OTHER, kept, revocation, who


def marks(*entries: Revocation) -> Marks:
    found = Marks()
    for number, entry in enumerate(entries, 1):
        found.add(kept(f"r-{number}", entry, epoch=number))
    return found


BEFORE = NOW - 10
"""When the token of the table was issued."""


@pytest.mark.parametrize(
    ("entry", "changes", "said"),
    [
        pytest.param(revocation(Kind.TOKEN, "t-1"), {}, "`jti`", id="a token by its jti"),
        pytest.param(revocation(Kind.TOKEN, "t-2"), {}, "", id="another token"),
        pytest.param(revocation(Kind.TOKEN, "T-1"), {}, "", id="a jti in another case"),
        pytest.param(revocation(Kind.TOKEN, "t-1", issuer=OTHER), {}, "", id="the same jti of another issuer"),
        pytest.param(revocation(Kind.TOKEN, "t-1"), {"token_id": ""}, "", id="a token without jti"),
        pytest.param(revocation(Kind.SUBJECT, "alice"), {}, "subject", id="a subject"),
        pytest.param(revocation(Kind.SUBJECT, "alice", issuer=OTHER), {}, "", id="a namesake of another issuer"),
        pytest.param(revocation(Kind.SUBJECT, "bob"), {}, "", id="another subject"),
        pytest.param(revocation(Kind.SUBJECT, "bot"), {}, "subject", id="who acts for the subject"),
        pytest.param(revocation(Kind.SUBJECT, "bot"), {"actor": ""}, "", id="an actor who does not act"),
        pytest.param(revocation(Kind.SUBJECT, "cli"), {}, "", id="a client is no subject"),
        pytest.param(revocation(Kind.CLIENT, "cli"), {}, "client", id="a client"),
        pytest.param(revocation(Kind.CLIENT, "alice"), {}, "", id="a subject is no client"),
        pytest.param(revocation(Kind.CLIENT, "cli", issuer=OTHER), {}, "", id="a client of another issuer"),
        pytest.param(revocation(Kind.CLIENT, "cli"), {"client_id": ""}, "", id="a token of no client"),
        pytest.param(revocation(Kind.FAMILY, "g-1"), {}, "grant", id="a family"),
        pytest.param(revocation(Kind.FAMILY, "g-1"), {"family": ""}, "", id="a token of no family"),
        pytest.param(revocation(Kind.FAMILY, "t-1"), {}, "", id="a token is no family"),
        pytest.param(
            revocation(Kind.SUBJECT, issued_before=BEFORE + 1), {}, "subject", id="a subject's token issued before"
        ),
        pytest.param(revocation(Kind.SUBJECT, issued_before=BEFORE), {}, "", id="a subject's token issued right then"),
        pytest.param(
            revocation(Kind.SUBJECT, issued_before=1.0), {"issued_at": None}, "subject", id="one that hides its age"
        ),
        pytest.param(
            revocation(Kind.SUBJECT, "bot", issued_before=BEFORE + 1), {}, "subject", id="an actor's token of before"
        ),
        pytest.param(
            revocation(Kind.CLIENT, "cli", issued_before=BEFORE + 1), {}, "client", id="a client's token issued before"
        ),
        pytest.param(revocation(Kind.CLIENT, "cli", issued_before=BEFORE), {}, "", id="a client's token issued after"),
        pytest.param(
            revocation(Kind.ISSUER, "", issued_before=BEFORE + 1), {}, "issuer", id="an issuer's token issued before"
        ),
        pytest.param(revocation(Kind.ISSUER, "", issued_before=BEFORE), {}, "", id="an issuer's token issued after"),
        pytest.param(
            revocation(Kind.ISSUER, "", issued_before=BEFORE + 1, issuer=OTHER), {}, "", id="of another issuer"
        ),
    ],
)
def test_a_revocation_means_these_tokens_and_no_others(entry: Revocation, changes: dict[str, Any], said: str) -> None:
    why = marks(entry).find(who(**changes))
    assert (said in why) if said else (why == "")


def test_nothing_is_revoked_in_the_beginning() -> None:
    assert Marks().find(who()) == ""


def test_two_revocations_of_one_name_both_count() -> None:
    both = marks(revocation(issued_before=5.0), revocation(issued_before=BEFORE + 1), revocation(issued_before=7.0))
    assert both.find(who())
    assert not both.find(who(issued_at=BEFORE + 2))
    both.add(kept("all", revocation()))
    assert both.find(who(issued_at=BEFORE + 2))


def test_what_may_be_forgotten_is_forgotten_and_no_sooner() -> None:
    found = Marks()
    found.add(kept("a", revocation(Kind.TOKEN, "t-1", ends=NOW), until=NOW + 10))
    found.add(kept("b", revocation(Kind.TOKEN, "t-2", ends=NOW), until=NOW + 20))
    assert found.forget(NOW + 9, skew=0) == []
    assert [one.id for one in found.forget(NOW + 10, skew=0)] == ["a"]
    assert not found.find(who())
    assert found.find(who(token_id="t-2"))
    assert (len(found), [one.id for one in found], "a" in found, "b" in found) == (1, ["b"], False, True)


def test_the_longest_of_two_revocations_of_one_name_stays() -> None:
    found = Marks()
    found.add(kept("long", revocation(Kind.TOKEN, "t-1", ends=NOW), until=NOW + 20))
    found.add(kept("short", revocation(Kind.TOKEN, "t-1", ends=NOW), until=NOW + 10))
    found.forget(NOW + 10, skew=0)
    assert found.find(who())
    found.forget(NOW + 20, skew=0)
    assert not found.find(who())


def test_a_moment_and_a_whole_subject_fade_one_by_one() -> None:
    found = Marks()
    found.add(kept("all", revocation(ends=NOW), until=NOW + 10))
    found.add(kept("before", revocation(issued_before=BEFORE + 1, ends=NOW), until=NOW + 20))
    found.forget(NOW + 10, skew=0)
    assert found.find(who())
    assert not found.find(who(issued_at=NOW))
    found.forget(NOW + 20, skew=0)
    assert not found.find(who())


def test_a_token_that_outlives_its_revocation_is_refused_by_its_age() -> None:
    found = Marks()
    found.add(kept("r", revocation(Kind.TOKEN, "t-1"), at=NOW, until=NOW + 100))
    assert found.find(who(issued_at=NOW - 1))
    found.forget(NOW + 100, skew=30)
    assert found.horizons == {ISSUER: NOW + 30}
    assert "older than revocations are kept" in found.find(who(issued_at=NOW - 1, expires_at=NOW + 1e6))
    assert "older" in found.find(who(token_id="never revoked", issued_at=NOW + 29))
    assert not found.find(who(issued_at=NOW + 30))
    assert not found.find(who(issued_at=None))
    assert not found.find(who(issuer=OTHER, issued_at=1.0))


def test_a_horizon_only_moves_forward() -> None:
    found = Marks()
    found.horizon(ISSUER, 20.0)
    found.horizon(ISSUER, 10.0)
    assert found.horizons == {ISSUER: 20.0}


_names = st.sampled_from(["a", "b"])
_issuers = st.sampled_from([ISSUER, OTHER])
_times = st.sampled_from([None, 1.0, 2.0, 3.0])


@st.composite
def _entries(draw: st.DrawFn) -> Kept:
    kind = draw(st.sampled_from(Kind))
    timed = kind in (Kind.CLIENT, Kind.SUBJECT)
    before = draw(_times) if timed else 2.0 if kind is Kind.ISSUER else None
    value = "" if kind is Kind.ISSUER else draw(_names)
    ends = draw(st.sampled_from([None, 5.0]))
    entry = Revocation(issuer=draw(_issuers), kind=kind, value=value, issued_before=before, ends=ends)
    return kept(draw(st.uuids()).hex, entry, at=4.0, until=draw(st.sampled_from([10.0, 20.0, 30.0])))


_callers = st.builds(
    who,
    issuer=_issuers,
    subject=_names,
    actor=st.sampled_from(["", "a", "b"]),
    client_id=st.sampled_from(["", "a", "b"]),
    token_id=st.sampled_from(["", "a", "b"]),
    family=st.sampled_from(["", "a", "b"]),
    issued_at=_times,
)


def _means(entry: Revocation, caller: Principal) -> bool:
    named = {
        Kind.TOKEN: {caller.token_id},
        Kind.SUBJECT: {caller.subject, caller.actor},
        Kind.CLIENT: {caller.client_id},
        Kind.FAMILY: {caller.family},
        Kind.ISSUER: {""},
    }[entry.kind]
    before, issued = entry.issued_before, caller.issued_at
    return (
        entry.issuer == caller.issuer and entry.value in named and (before is None or issued is None or issued < before)
    )


@given(st.lists(_entries(), max_size=12), _callers)
def test_the_index_says_what_reading_all_revocations_says(entries: list[Kept], caller: Principal) -> None:
    found = Marks()
    for one in entries:
        found.add(one)
    assert bool(found.find(caller)) is any(_means(one.revocation, caller) for one in entries)


@given(st.lists(_entries(), max_size=12), _callers, st.sampled_from([0.0, 10.0, 25.0, 30.0]))
def test_forgetting_never_brings_a_token_back_that_tells_its_age(
    entries: list[Kept], caller: Principal, now: float
) -> None:
    found = Marks()
    for one in entries:
        found.add(one)
    revoked = bool(found.find(caller))
    gone = {one.id for one in found.forget(now, skew=0.0)}
    assert gone == {one.id for one in entries if one.keep_until <= now}
    stays = any(_means(one.revocation, caller) for one in entries if one.id not in gone)
    unknown_end = any(_means(one.revocation, caller) and one.revocation.ends is None for one in entries)
    if stays or (revoked and unknown_end and caller.issued_at is not None):
        assert found.find(caller)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"issuer": ""}, "needs an issuer", id="no issuer"),
        pytest.param({"value": ""}, "the subject has 0 characters", id="no name"),
        pytest.param({"value": "x" * 1025}, "the subject has 1025 characters", id="a name too long"),
        pytest.param({"kind": Kind.ISSUER, "value": "x", "issued_before": 1.0}, "a whole issuer", id="a named issuer"),
        pytest.param({"kind": Kind.ISSUER, "value": ""}, "up to a moment", id="an issuer for good"),
        pytest.param({"kind": Kind.TOKEN, "issued_before": 1.0}, "`issued_before` goes with", id="a token in time"),
        pytest.param({"kind": Kind.FAMILY, "issued_before": 1.0}, "`issued_before` goes with", id="a family in time"),
        pytest.param({"reason": "x" * 257}, "`reason` must be printable text", id="a reason too long"),
        pytest.param({"by": "a\nb"}, "`by` must be printable text", id="a line break in who did it"),
    ],
)
def test_what_means_no_token_or_too_many_cannot_be_made(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        revocation(**given)


def test_a_revocation_is_said_to_a_person() -> None:
    assert str(revocation(Kind.TOKEN, "t-1")) == f"token id `t-1` of {ISSUER}"
    assert str(revocation(Kind.ISSUER, "", issued_before=1.0)) == ISSUER
