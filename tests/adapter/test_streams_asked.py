"""When streams that stay open are asked about: at news, at a token's end, and where nobody tells."""

import time
from dataclasses import replace

import pytest

from mcp_adapter.pdp import Fault, Unanswered
from tests.adapter.bench import Lines
from tests.adapter.open_streams import SOON, Held, Reader, Teller, asked, guard, until, watched


async def test_a_stream_ends_with_its_token(teller: Teller, lines: Lines):
    teller.expires_at = time.time() + 0.05
    reader = Reader(guard(Held(), teller, lines), "alice", None)
    await reader.until(b"hello")
    teller.reason["alice"] = "token_expired"
    await reader.end()
    assert (lines.last["outcome"], lines.last["reason"]) == ("ended", "token_expired")


async def test_a_token_that_counts_a_little_longer_is_asked_about_until_it_ends(teller: Teller, lines: Lines):
    teller.expires_at = time.time() - 1  # within the leeway of the verifier
    reader = Reader(guard(Held(), teller, lines), "alice", None)
    await asked(teller, 5)
    assert not reader.task.done()
    teller.reason["alice"] = "token_expired"
    await reader.end()
    assert lines.last["reason"] == "token_expired"


async def test_a_token_whose_end_is_not_known_is_asked_about_now_and_then(teller: Teller, lines: Lines):
    teller.expires_at = 0
    reader = Reader(guard(Held(), teller, lines, replace(SOON, poll=0.02)), "alice", None)
    await asked(teller, 5)
    teller.reason["alice"] = "token_inactive"
    await reader.end()
    assert lines.last["reason"] == "token_inactive"


@pytest.mark.parametrize(
    ("doubt", "expires_in", "ends"),
    [
        pytest.param(30, 100, False, id="for a while"),
        pytest.param(0, 100, True, id="not for long"),
        pytest.param(30, -1, True, id="never past the end of the token"),
    ],
)
async def test_without_an_answer_a_stream_goes_on(teller: Teller, lines: Lines, doubt, expires_in, ends):
    reader = Reader(guard(Held(), teller, lines, replace(SOON, doubt=doubt)), "alice", None)
    await reader.until(b"hello")
    await watched(teller)
    await asked(teller, 2)
    teller.expires_at = time.time() + expires_in
    await teller.tell()
    await asked(teller, 3)
    teller.fault = Unanswered(Fault.UNAVAILABLE, "down")
    await teller.tell()
    await asked(teller, 6 if not ends else 4)
    if ends:
        await reader.end()
        assert (lines.last["outcome"], lines.last["reason"]) == ("ended", "unavailable")
        return
    assert not reader.task.done()
    teller.fault = None
    await asked(teller, len(teller.asked) + 1)
    await reader.leave()
    assert lines.last["outcome"] == "aborted"


async def test_what_cannot_be_judged_for_a_fault_of_ours_does_not_go_on(teller: Teller, lines: Lines):
    reader = Reader(guard(Held(), teller, lines), "alice", None)
    await reader.until(b"hello")
    await watched(teller)
    teller.fault = ZeroDivisionError()
    await teller.tell()
    await reader.end()
    assert (lines.last["outcome"], lines.last["reason"]) == ("ended", "internal")


async def test_where_nobody_tells_of_changes_streams_are_asked_about_now_and_then(teller: Teller, lines: Lines):
    teller.deaf = True
    reader = Reader(guard(Held(), teller, lines, replace(SOON, poll=0.02)), "alice", None)
    await asked(teller, 3)
    assert teller.watched > 1
    teller.reason["alice"] = "denied_by_rule"
    await reader.end()
    assert lines.last["outcome"] == "ended"


async def test_a_decision_point_that_cannot_be_watched_is_asked(teller: Teller, lines: Lines):
    class Plain:
        check, check_batch, close = teller.check, teller.check_batch, teller.close

    reader = Reader(guard(Held(), Plain(), lines, replace(SOON, poll=0.02)), "alice", None)  # type: ignore[arg-type]
    await asked(teller, 3)
    teller.reason["alice"] = "denied_by_rule"
    await reader.end()


async def test_a_subscription_that_breaks_is_made_again_and_missed_nothing(teller: Teller, lines: Lines):
    reader = Reader(guard(Held(), teller, lines), "alice", None)
    await watched(teller)
    await asked(teller, 2)
    teller.reason["alice"] = "token_revoked"  # while nobody is told
    await teller.cut()
    await reader.end()
    assert lines.last["reason"] == "token_revoked"
    assert teller.watched == 2


async def test_all_streams_share_one_subscription_that_ends_with_the_last(teller: Teller, lines: Lines):
    app = guard(Held(), teller, lines)
    readers = [Reader(app, who, None) for who in ("alice", "bob") * 20]
    for reader in readers:
        await reader.until(b"hello")
    await asked(teller, 80)
    assert (teller.watched, teller.watching) == (1, 1)
    teller.reason["bob"] = "denied_by_rule"
    await teller.tell()
    for reader in readers[1::2]:
        await reader.end()
    assert not any(reader.task.done() for reader in readers[::2])
    for reader in readers[::2]:
        await reader.leave()
    await until(lambda: not teller.watching)
    assert len(app._door.staying.streams) == 0


async def test_a_stream_judged_after_the_last_news_is_not_judged_again(teller: Teller, lines: Lines):
    app = guard(Held(), teller, lines)
    first = Reader(app, "alice", None)
    await watched(teller)
    await asked(teller, 2)
    second = Reader(app, "bob", None)
    await second.until(b"hello")
    await until(lambda: len(app._door.staying.streams) == 2)
    assert teller.asked == ["alice", "alice", "bob"]
    await first.leave()
    await second.leave()
