"""Several sidecars and one store: what one revokes all refuse, whatever any of them has missed."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from authz_sidecar.errors import NotReady, RevocationsUnknown, TokenError
from authz_sidecar.revocation import Kind
from authz_sidecar.tokens.revocation import Revocations
from tests.tokens.makers import ISSUER, NOW, Clock
from tests.tokens.revoking import FakeRedis, FakeStore, kept, opened, revocation, until, who


@dataclass
class Fleet:
    """Sidecars that share a store."""

    redis: FakeRedis
    start: Callable[..., Any]
    wall: Clock
    monotonic: Clock
    heard: list[tuple[int, int]]


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    redis, wall, monotonic = FakeRedis(), Clock(), Clock(0.0)
    heard: list[tuple[int, int]] = []
    async with AsyncExitStack() as stack:

        async def start(name: str, **options: Any) -> tuple[Revocations, AsyncExitStack]:
            own = await stack.enter_async_context(AsyncExitStack())
            store = FakeStore(redis)
            it = await own.enter_async_context(
                opened(
                    tmp_path / name,
                    wall,
                    shared=store,
                    monotonic=monotonic,
                    learned=lambda count, epoch: heard.append((count, epoch)),
                    **options,
                )
            )
            if not redis.down:
                await until(lambda: not it.stale or store.begun > 3)
            return it, own

        yield Fleet(redis, start, wall, monotonic, heard)


def revoked(it: Revocations, **changes: Any) -> bool:
    try:
        it.check(who(**changes))
    except TokenError:
        return True
    except NotReady:
        return False
    return False


async def test_one_revokes_and_another_refuses(fleet: Fleet) -> None:
    (one, _), (other, _) = await fleet.start("one"), await fleet.start("other")
    receipt = await one.revoke(revocation(Kind.TOKEN, "t-1"))
    assert not receipt.pending
    await until(lambda: revoked(other))
    assert (len(one), len(other), other.epoch) == (1, 1, 1)
    assert [found.id for found in other.listed(after=0, limit=9)] == [receipt.kept.id]
    assert fleet.heard == [(1, 1)]


async def test_who_starts_later_learns_everything_before_answering(fleet: Fleet) -> None:
    one, _ = await fleet.start("one")
    for number in range(20):
        await one.revoke(revocation(Kind.TOKEN, f"t-{number}"))
    late, _ = await fleet.start("late")
    assert len(late) == 20
    assert revoked(late)


async def test_who_was_cut_off_learns_what_it_missed_and_tells_what_others_missed(fleet: Fleet) -> None:
    (one, _), (other, _) = await fleet.start("one"), await fleet.start("other")
    fleet.redis.cut(down=True)
    fleet.monotonic.now += 6
    assert (one.stale, other.stale) == (True, True)
    assert (await one.revoke(revocation(Kind.TOKEN, "t-1"))).pending
    assert revoked(one)
    with pytest.raises(RevocationsUnknown):
        other.check(who())
    fleet.redis.cut(down=False)
    await until(lambda: revoked(other))
    await until(lambda: not one.stale and not other.stale)


async def test_a_store_that_lost_its_memory_is_told_everything_again(fleet: Fleet) -> None:
    (one, _), (other, _) = await fleet.start("one"), await fleet.start("other")
    await one.revoke(revocation(Kind.TOKEN, "t-1"))
    await until(lambda: revoked(other))
    fleet.redis.lose_everything()
    await until(lambda: len(fleet.redis.entries) == 1)
    late, _ = await fleet.start("late")
    assert revoked(late)


async def test_a_restart_while_the_store_is_down_still_refuses(fleet: Fleet) -> None:
    one, own = await fleet.start("one")
    other, _ = await fleet.start("other")
    await other.revoke(revocation(Kind.TOKEN, "t-1"))
    await until(lambda: revoked(one))
    fleet.redis.cut(down=True)
    await own.aclose()
    again, _ = await fleet.start("one", on_unreachable="allow_known")
    assert revoked(again)
    assert again.stale
    assert not again.unanswerable
    again.check(who(token_id="t-2"))


async def test_by_default_nothing_is_answered_while_the_store_is_down(fleet: Fleet) -> None:
    fleet.redis.cut(down=True)
    one, _ = await fleet.start("one")
    assert one.unanswerable
    with pytest.raises(NotReady) as caught:
        one.check(who())
    assert caught.value.public == "revocations cannot be checked"
    fleet.redis.cut(down=False)
    await until(lambda: not one.unanswerable)
    one.check(who())


async def test_a_short_silence_is_not_an_outage(fleet: Fleet) -> None:
    one, _ = await fleet.start("one")
    fleet.redis.cut(down=True)
    fleet.monotonic.now += 5
    one.check(who())
    fleet.monotonic.now += 0.1
    with pytest.raises(NotReady):
        one.check(who())


async def test_a_process_that_slept_reads_everything_anew(fleet: Fleet) -> None:
    one, _ = await fleet.start("one")
    other, _ = await fleet.start("other")
    await other.revoke(revocation(Kind.TOKEN, "t-0"))
    await until(lambda: len(one) == 1)
    fleet.monotonic.now += 60
    await other.revoke(revocation(Kind.TOKEN, "t-1"))
    await until(lambda: revoked(one) and not one.stale)


async def test_what_is_forgotten_is_dropped_everywhere_and_leaves_its_horizon_to_newcomers(fleet: Fleet) -> None:
    (one, _), (other, _) = await fleet.start("one"), await fleet.start("other")
    await one.revoke(revocation(Kind.TOKEN, "t-1"))
    await until(lambda: revoked(other))
    fleet.wall.now += 86_400
    await one.tidy()
    assert (fleet.redis.entries, fleet.redis.horizons) == ({}, {ISSUER: NOW + 300})
    late, _ = await fleet.start("late")
    assert (len(late), revoked(late)) == (0, True)
    await other.tidy()
    assert (len(other), revoked(other)) == (0, True)


async def test_what_ended_is_not_learned_any_more(fleet: Fleet) -> None:
    one, _ = await fleet.start("one")
    await one.revoke(revocation(Kind.TOKEN, "t-1"))
    fleet.wall.now += 86_400
    late, _ = await fleet.start("late")
    assert len(late) == 0
    assert len(fleet.redis.entries) == 1


async def test_forgetting_during_an_outage_does_not_fail(fleet: Fleet) -> None:
    one, _ = await fleet.start("one")
    await one.revoke(revocation(Kind.TOKEN, "t-1"))
    fleet.redis.cut(down=True)
    fleet.wall.now += 86_400
    await one.tidy()
    assert (len(one), len(fleet.redis.entries)) == (0, 1)


async def test_an_entry_that_cannot_be_read_is_an_outage_and_the_rest_is_learned(fleet: Fleet) -> None:
    one, _ = await fleet.start("one")
    await one.revoke(revocation(Kind.TOKEN, "t-1"))
    fleet.redis.entries = {"odd": b'{"v":9}', **fleet.redis.entries}
    late, _ = await fleet.start("late")
    assert late.unanswerable
    assert revoked(late)


async def test_an_unreadable_message_does_not_hide_the_one_behind_it(fleet: Fleet) -> None:
    one, _ = await fleet.start("one", on_unreachable="allow_known")
    other, _ = await fleet.start("other")
    await other.revoke(revocation(Kind.TOKEN, "t-0"))
    await until(lambda: len(one) == 1)
    fleet.redis.log.append(("odd", b"?"))
    await other.revoke(revocation(Kind.TOKEN, "t-1"))
    await until(lambda: revoked(one))


async def test_more_than_can_be_kept_is_an_outage(fleet: Fleet) -> None:
    one, _ = await fleet.start("one")
    for number in range(3):
        await one.revoke(revocation(Kind.TOKEN, f"t-{number}"))
    small, _ = await fleet.start("small", max_entries=2)
    assert (len(small), small.unanswerable) == (2, True)


async def test_a_newcomer_with_many_of_its_own_tells_them_all(fleet: Fleet) -> None:
    fleet.redis.cut(down=True)
    one, _ = await fleet.start("one")
    for number in range(1_203):
        one._take(kept(f"r-{number}", revocation(Kind.TOKEN, f"t-{number}"), epoch=number + 1))
    fleet.redis.cut(down=False)
    await until(lambda: not one.stale)
    assert len(fleet.redis.entries) == 1_203
