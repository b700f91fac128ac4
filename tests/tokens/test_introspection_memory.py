"""What is remembered of opaque tokens, for how long, and who shares a question."""

import asyncio
from collections.abc import Callable

import pytest

from authz_sidecar.errors import IssuerUnavailable, NotReady
from authz_sidecar.model import Reason
from authz_sidecar.tokens.introspection import MOST_QUESTIONS
from authz_sidecar.tokens.pages import FetchFailed, Outcome
from tests.tokens.makers import DROP, NOW, OTHER_SERVER
from tests.tokens.opaque import House, Idp, answer


async def settle(until: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not until():  # noqa: ASYNC110 - many different things are waited for
            await asyncio.sleep(0)


# What is remembered.


async def test_an_active_token_is_asked_about_once_a_minute() -> None:
    house = House()
    for _ in range(3):
        assert await house.verify() == "alice"
    assert len(house.idp.asked) == 1
    house.time.pass_(59.9)
    await house.verify()
    assert len(house.idp.asked) == 1
    house.time.pass_(0.1)
    house.idp.body = answer(active=False)
    assert await house.reason() is Reason.TOKEN_INACTIVE


async def test_an_active_token_is_not_remembered_beyond_its_end() -> None:
    house = House(Idp(answer(exp=NOW + 20)))
    await house.verify()
    house.time.pass_(20)
    house.idp.body = answer(active=False)
    assert await house.reason() is Reason.TOKEN_INACTIVE


async def test_an_inactive_token_is_asked_about_every_ten_seconds() -> None:
    house = House(Idp(answer(active=False)))
    for _ in range(3):
        assert await house.reason() is Reason.TOKEN_INACTIVE
    assert len(house.idp.asked) == 1
    house.time.pass_(10)
    house.idp.body = answer()
    assert await house.verify() == "alice"


async def test_an_active_token_that_is_refused_is_not_asked_about_at_every_question() -> None:
    house = House(Idp(answer(aud="other", exp=DROP)))
    for _ in range(3):
        assert await house.reason() is Reason.TOKEN_CLAIM_MISSING
    assert len(house.idp.asked) == 1


async def test_a_token_for_one_server_does_not_open_another() -> None:
    house = House()
    assert await house.verify() == "alice"
    assert await house.reason(server=OTHER_SERVER) is Reason.TOKEN_AUDIENCE_MISMATCH
    assert len(house.idp.asked) == 1


async def test_a_clock_that_is_set_back_asks_again() -> None:
    house = House()
    await house.verify()
    house.time.now -= 3_600
    house.time.steady += 61
    house.idp.body = answer(active=False)
    assert await house.reason() is Reason.TOKEN_INACTIVE


async def test_what_is_remembered_has_ended_when_the_clock_was_set_forward() -> None:
    house = House(Idp(answer(exp=NOW + 300)))
    await house.verify()
    house.time.now += 400  # the other clock, by which answers are remembered, stands as it stood
    assert await house.reason() is Reason.TOKEN_EXPIRED
    assert len(house.idp.asked) == 1


async def test_forgetting_asks_again() -> None:
    house = House()
    await house.verify()
    house.verifier.forget()
    await house.verify()
    assert len(house.idp.asked) == 2


async def test_many_askers_of_one_token_ask_once() -> None:
    house = House()
    house.idp.gate = asyncio.Event()
    asking = [asyncio.create_task(house.verify()) for _ in range(50)]
    await settle(lambda: len(house.idp.asked) == 1)
    asking[0].cancel()
    house.idp.gate.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert found[1:] == ["alice"] * 49
    assert len(house.idp.asked) == 1


async def test_a_failure_reaches_every_asker() -> None:
    house = House()
    house.idp.gate, house.idp.failure = asyncio.Event(), FetchFailed(Outcome.UNREACHABLE, "gone")
    asking = [asyncio.create_task(house.verify()) for _ in range(3)]
    await settle(lambda: len(house.idp.asked) == 1)
    house.idp.gate.set()
    async with asyncio.timeout(10):
        found = await asyncio.gather(*asking, return_exceptions=True)
    assert [isinstance(one, NotReady) for one in found] == [True] * 3
    assert len(house.idp.asked) == 1


async def test_a_failure_is_told_when_every_asker_has_left() -> None:
    house = House()
    house.idp.gate, house.idp.failure = asyncio.Event(), FetchFailed(Outcome.UNREACHABLE, "gone")
    asking = [asyncio.create_task(house.verify()) for _ in range(3)]
    await settle(lambda: len(house.idp.asked) == 1)
    for task in asking:
        task.cancel()
    left = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(one, asyncio.CancelledError) for one in left)
    assert not house.told
    house.idp.gate.set()
    await settle(lambda: bool(house.told))


async def test_no_more_questions_are_under_way_than_allowed() -> None:
    house = House()
    house.idp.gate = asyncio.Event()
    asking = [asyncio.create_task(house.verify(f"token-{n}")) for n in range(MOST_QUESTIONS)]
    await settle(lambda: len(house.idp.asked) == MOST_QUESTIONS)
    with pytest.raises(IssuerUnavailable):
        await house.verify("one-more")
    house.idp.gate.set()
    assert set(await asyncio.gather(*asking)) == {"alice"}


async def test_invented_tokens_do_not_push_genuine_ones_out() -> None:
    house = House(size=5)
    await house.verify()
    house.idp.body = answer(active=False)
    for n in range(50):
        assert await house.reason(f"invented-{n}") is Reason.TOKEN_INACTIVE
    assert (len(house.opaque._active), len(house.opaque._inactive)) == (1, 5)
    assert await house.verify() == "alice"
