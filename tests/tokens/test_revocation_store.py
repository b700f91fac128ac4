"""The revocations of one sidecar: in force at once, never lost, bounded, and forgotten in time."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from authz_sidecar.errors import (
    BadRequest,
    ConfigError,
    NotReady,
    RevocationsFull,
    RevocationUnsaved,
    TokenError,
)
from authz_sidecar.model import RawToken, Reason
from authz_sidecar.revocation import Kind
from authz_sidecar.tokens import mint
from authz_sidecar.tokens.revocation import Revocations
from authz_sidecar.tokens.revocation_check import Unrevoked
from authz_sidecar.tokens.revocation_token import naming
from authz_sidecar.tokens.verifier import JwtVerifier
from tests.tokens.makers import CANARY, DROP, ISSUER, NOW, SERVER, Clock, forge, issuer, key, token
from tests.tokens.revoking import opened, revocation, until, who

FAMILY = issuer(family_claim="sid")


def revoked(it: Revocations, **changes) -> bool:
    try:
        it.check(who(**changes))
    except TokenError as error:
        return error.reason is Reason.TOKEN_REVOKED
    return False


@pytest.mark.parametrize(
    ("kind", "value", "before"),
    [
        pytest.param(Kind.TOKEN, "t-1", None, id="by its jti"),
        pytest.param(Kind.SUBJECT, "alice", None, id="by its subject"),
        pytest.param(Kind.SUBJECT, "alice", NOW, id="by its subject and time"),
        pytest.param(Kind.CLIENT, "cli", None, id="by its client"),
        pytest.param(Kind.CLIENT, "cli", NOW, id="by its client and time"),
        pytest.param(Kind.FAMILY, "g-1", None, id="by its grant"),
        pytest.param(Kind.ISSUER, "", NOW, id="by its issuer and time"),
    ],
)
async def test_a_verified_and_remembered_token_is_refused_on_the_next_question(
    tmp_path: Path, kind: Kind, value: str, before: float | None
) -> None:
    async with opened(tmp_path) as it:
        verifier = Unrevoked(JwtVerifier([FAMILY], clock=Clock()), it)
        text, other = token(sid="g-1"), token(sub="bob", client_id="else", jti="t-2", sid="g-2", iat=NOW)
        first = await verifier.verify(RawToken(text), SERVER)
        assert await verifier.verify(RawToken(text), SERVER) is first
        await it.revoke(revocation(kind, value, issued_before=before))
        with pytest.raises(TokenError) as caught:
            await verifier.verify(RawToken(text), SERVER)
        assert caught.value.reason is Reason.TOKEN_REVOKED
        assert await verifier.verify(RawToken(other), SERVER)


async def test_a_bad_token_is_still_told_by_what_is_wrong_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        await it.revoke(revocation(Kind.TOKEN, "t-1"))
        with pytest.raises(TokenError) as caught:
            await Unrevoked(JwtVerifier([FAMILY], clock=Clock()), it).verify(RawToken(token(exp=1)), SERVER)
        assert caught.value.reason is Reason.TOKEN_EXPIRED


async def test_epochs_count_up_and_survive_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock) as it:
        receipts = [await it.revoke(revocation(Kind.TOKEN, f"t-{n}")) for n in range(3)]
        assert [one.kept.epoch for one in receipts] == [1, 2, 3]
        assert not any(one.pending for one in receipts)
        assert len({one.kept.id for one in receipts}) == 3
    clock.now += 90_000
    async with opened(tmp_path, clock) as it:
        assert (len(it), it.epoch) == (0, 3)
        assert (await it.revoke(revocation())).kept.epoch == 4
    async with opened(tmp_path, clock) as it:
        assert (len(it), it.epoch, revoked(it)) == (1, 4, True)


async def test_a_restart_forgets_neither_revocations_nor_the_age_of_the_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock, keep_seconds=1_000) as it:
        await it.revoke(revocation(Kind.TOKEN, "t-1"))
    async with opened(tmp_path, clock) as it:
        assert revoked(it)
    clock.now += 1_000
    for _ in range(2):
        async with opened(tmp_path, clock) as it:
            assert len(it) == 0
            assert revoked(it, token_id="another", issued_at=NOW - 1)
            assert not revoked(it, issued_at=NOW + 301)


async def test_how_long_it_is_kept_follows_from_what_is_known_of_the_end(tmp_path: Path) -> None:
    async with opened(tmp_path, keep_seconds=500) as it:
        unknown = await it.revoke(revocation())
        known = await it.revoke(revocation(Kind.TOKEN, "t", ends=NOW + 7_000))
        ended = await it.revoke(revocation(Kind.TOKEN, "u", ends=5.0))
    assert [one.kept.keep_until for one in (unknown, known, ended)] == [NOW + 500, NOW + 7_300, NOW + 300]


async def test_nothing_is_answered_before_the_disk_was_read(tmp_path: Path) -> None:
    it = Revocations(path=tmp_path / "r.db", clock=Clock(), monotonic=Clock())
    with pytest.raises(NotReady):
        it.check(who())
    with pytest.raises(NotReady):
        await it.revoke(revocation())
    assert it.unanswerable
    await it.close()


async def test_a_database_that_cannot_be_used_is_no_start(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "revocations.db").write_bytes(b"nonsense" * 1_000)
    with pytest.raises(ConfigError, match="cannot be used"):
        async with opened(tmp_path):
            pass


async def test_a_revocation_that_cannot_be_read_is_no_start(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        await it.revoke(revocation())
    with closing(sqlite3.connect(tmp_path / "state" / "revocations.db")) as db, db:
        db.execute("UPDATE revocations SET entry = '{}'")
    with pytest.raises(ConfigError, match="cannot be read"):
        async with opened(tmp_path):
            pass


async def test_a_time_to_come_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        await it.revoke(revocation(issued_before=NOW + 300))
        with pytest.raises(BadRequest, match="lies in the future"):
            await it.revoke(revocation(issued_before=NOW + 301))
        assert it.epoch == 1


async def test_when_it_is_full_nothing_in_force_is_dropped(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock, max_entries=2) as it:
        await it.revoke(revocation(Kind.TOKEN, "t-1", ends=NOW))
        await it.revoke(revocation(Kind.TOKEN, "t-2"))
        with pytest.raises(RevocationsFull):
            await it.revoke(revocation(Kind.TOKEN, "t-3"))
        assert (len(it), it.epoch) == (2, 2)
        assert revoked(it)
        clock.now += 300
        await it.revoke(revocation(Kind.TOKEN, "t-3"))
        assert (len(it), it.epoch, revoked(it, token_id="t-3", issued_at=clock.now)) == (2, 3, True)


async def test_what_cannot_be_written_is_in_force_and_is_said_and_is_written_later(tmp_path: Path) -> None:
    path = tmp_path / "state" / "revocations.db"
    async with opened(tmp_path) as it:
        await it.revoke(revocation(Kind.TOKEN, "t-0"))
        assert it._disk is not None
        await it._in_thread(lambda: it._disk._db.execute("PRAGMA query_only = ON").close())
        with pytest.raises(RevocationUnsaved):
            await it.revoke(revocation(Kind.TOKEN, "t-1"))
        assert revoked(it)
        await it._in_thread(lambda: it._disk._db.execute("PRAGMA query_only = OFF").close())
        await it.tidy()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM revocations").fetchone() == (2,)


async def test_what_cannot_be_forgotten_on_disk_is_forgotten_after_a_restart(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock) as it:
        await it.revoke(revocation(Kind.TOKEN, "t-1"))
        await it._in_thread(lambda: it._disk._db.execute("PRAGMA query_only = ON").close())
        clock.now += 86_400
        await it.tidy()
        assert len(it) == 0
    async with opened(tmp_path, clock) as it:
        assert len(it) == 0
        assert revoked(it)  # by its age


async def test_tending_forgets_by_itself(tmp_path: Path) -> None:
    clock = Clock()
    async with opened(tmp_path, clock) as it:
        await it.revoke(revocation(Kind.TOKEN, "t-1"))
        tending = asyncio.create_task(it.tend(every=0.001))
        clock.now += 86_400
        await until(lambda: len(it) == 0)
        tending.cancel()


async def test_who_stops_waiting_changes_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        asking = asyncio.create_task(it.revoke(revocation()))
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
    async with opened(tmp_path) as it:
        assert revoked(it)


async def test_a_crowd_is_written_whole(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        receipts = await asyncio.gather(*(it.revoke(revocation(Kind.TOKEN, f"t-{n}")) for n in range(200)))
        assert sorted(one.kept.epoch for one in receipts) == list(range(1, 201))
    async with opened(tmp_path) as it:
        assert len(it) == 200


async def test_listeners_hear_of_each_change_and_slow_ones_of_the_newest(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        changes = it.changes()
        assert await anext(changes) == 0
        await it.revoke(revocation())
        await it.revoke(revocation())
        assert await anext(changes) == 2
        waiting = asyncio.create_task(anext(changes))
        await asyncio.sleep(0)
        assert not waiting.done()
        await it.revoke(revocation())
        assert await waiting == 3


async def test_what_is_in_force_is_listed_page_by_page(tmp_path: Path) -> None:
    async with opened(tmp_path) as it:
        for number in range(5):
            await it.revoke(revocation(Kind.TOKEN, f"t-{number}"))
        assert [one.epoch for one in it.listed(after=0, limit=2)] == [1, 2]
        assert [one.epoch for one in it.listed(after=2, limit=9)] == [3, 4, 5]
        assert it.listed(after=5, limit=9) == []


def named(text: str):
    return naming(text, [FAMILY], Clock(), reason="why", by="me")


def test_a_token_is_named_by_its_issuer_and_jti_and_end() -> None:
    found = named(token())
    assert (found.issuer, found.kind, found.value, found.ends) == (ISSUER, Kind.TOKEN, "t-1", NOW + 300)
    assert (found.reason, found.by) == ("why", "me")


@pytest.mark.parametrize(
    "changes", [{"exp": NOW - 9}, {"aud": "https://elsewhere"}, {"cnf": {}}, {"nbf": NOW + 9_999}, {"sub": DROP}]
)
def test_a_token_that_counts_no_longer_or_elsewhere_can_be_named(changes) -> None:
    assert named(token(**changes)).value == "t-1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "there is no token", id="nothing"),
        pytest.param("opaque-canary-5f1d0c", "expected three segments", id="an opaque token"),
        pytest.param(token(iss=f"https://{CANARY}"), "not a configured issuer", id="a foreign issuer"),
        pytest.param(mint.mint(key("ES256", "stranger"), {"iss": ISSUER, "jti": CANARY}), "no key", id="a foreign key"),
        pytest.param(forge({"alg": "none"}, {"iss": ISSUER, "jti": CANARY}), "not signed", id="not signed"),
        pytest.param(token(jti=DROP), "has no `jti`", id="a token without jti"),
        pytest.param(token(jti=7), "counts nowhere", id="a jti that is a number"),
        pytest.param(token(exp="soon"), "counts nowhere", id="an end in words"),
    ],
)
def test_what_no_issuer_of_ours_signed_is_not_remembered(text: str, said: str) -> None:
    with pytest.raises(BadRequest) as caught:
        named(text)
    assert said in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("claim", "family"),
    [
        pytest.param({"sid": "s"}, "s", id="a claim"),
        pytest.param({"sid": DROP}, "", id="no claim"),
        pytest.param({"sid": 7}, None, id="a number"),
        pytest.param({"sid": ""}, None, id="nothing in it"),
    ],
)
async def test_a_token_tells_its_family_and_when_it_was_issued(claim, family: str | None) -> None:
    verifier = JwtVerifier([FAMILY], clock=Clock())
    text = RawToken(token(**claim))
    if family is None:
        with pytest.raises(TokenError) as caught:
            await verifier.verify(text, SERVER)
        assert caught.value.reason is Reason.TOKEN_MALFORMED
    else:
        found = await verifier.verify(text, SERVER)
        assert (found.family, found.issued_at) == (family, NOW - 10)
