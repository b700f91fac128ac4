"""Keys on the web over time: refresh, outage, recovery, unknown kids, rotation; no real clock."""

import asyncio
from collections.abc import Callable

import pytest

from authz_sidecar.model import RawToken, Reason
from authz_sidecar.tokens.keyset import KeySet
from authz_sidecar.tokens.news import KeyNews
from authz_sidecar.tokens.pages import FetchFailed, Outcome
from authz_sidecar.tokens.remote import COOL_DOWN
from tests.tokens.makers import SERVER, claim_bytes, header_bytes, keyset, sign, token
from tests.tokens.remote_house import DAY, NEW, OLD, House, by


async def settle(until: Callable[[], bool]) -> None:
    """Let tasks run until it is so."""
    async with asyncio.timeout(10):
        while not until():  # noqa: ASYNC110 - many different things are waited for
            await asyncio.sleep(0)


async def test_keys_are_fetched_at_once_and_told() -> None:
    house = House()
    async with house.running():
        assert await house.verify(by(OLD)) == "alice"
    assert house.news == [KeyNews(issuer="main", outcome=Outcome.FETCHED, added=("old",), keys=1)]
    assert house.keys.age == 0


@pytest.mark.parametrize(
    ("lifetime", "max_age", "jitter", "seconds"),
    [
        pytest.param(600, DAY, 1.0, 600, id="when its time is over"),
        pytest.param(600, DAY, 0.0, 480, id="up to a fifth earlier"),
        pytest.param(DAY, DAY, 1.0, DAY / 2, id="at half the age limit at the latest"),
    ],
)
async def test_keys_are_fetched_again(lifetime: float, max_age: float, jitter: float, seconds: float) -> None:
    house = House(max_age=max_age, jitter=jitter)
    house.idp.lifetime = lifetime
    async with house.running() as nap:
        assert nap.seconds == pytest.approx(seconds)
        await nap.over()
        assert house.idp.loads == 2


async def test_the_same_keys_are_confirmed() -> None:
    house = House()
    async with house.running() as nap:
        house.idp.unchanged = True
        await nap.over()
        assert house.keys.age == 0
    assert house.news[-1].outcome is Outcome.UNCHANGED


async def test_while_the_issuer_is_away_the_keys_stay_and_it_is_asked_more_and_more_seldom() -> None:
    house = House()
    async with house.running() as nap:
        house.idp.failure = FetchFailed(Outcome.TIMEOUT, "slow")
        pauses = []
        for _ in range(12):
            await nap.over()
            pauses.append(nap.seconds)
        assert pauses[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
        assert await house.verify(by(OLD)) == "alice"
        assert (house.keys.trouble, house.news[-1].outcome) == ("slow", Outcome.TIMEOUT)
        house.idp.failure = None
        await nap.over()
        assert (nap.seconds, house.keys.trouble) == (600, "")


async def test_keys_that_nobody_confirmed_for_too_long_verify_nothing_until_the_issuer_is_back() -> None:
    house = House(max_age=900)
    text = by(OLD)
    async with house.running() as nap:
        assert await house.verify(text) == "alice"
        house.idp.failure = FetchFailed(Outcome.UNREACHABLE, "gone")
        while (house.keys.age or 0) < 900:
            assert await house.verify(text) == "alice"
            await nap.over()
        assert await house.reason(text) is Reason.TOKEN_KEY_UNKNOWN
        assert house.keys.keys == ()
        assert house.news[-1].outcome is Outcome.UNREACHABLE or "too old" in house.news[-1].detail
        house.idp.failure = None
        await nap.over()
        assert await house.verify(text) == "alice"


async def test_keys_that_were_too_old_are_back_also_when_the_issuer_says_that_they_did_not_change() -> None:
    house = House(max_age=900)
    house.idp.unchanged = True
    async with house.running() as nap:
        house.idp.failure = FetchFailed(Outcome.UNREACHABLE, "gone")
        while house.keys.keys:
            await nap.over()
        house.idp.failure = None
        await nap.over()
        assert await house.verify(by(OLD)) == "alice"


async def test_a_remembered_caller_ends_with_the_age_of_the_keys() -> None:
    house = House(max_age=900)
    text = by(OLD)
    async with house.running():
        assert await house.verify(text) == "alice"
        house.idp.failure = FetchFailed(Outcome.UNREACHABLE, "gone")
        house.time.pass_(900)  # the background task is still asleep
        assert await house.reason(text) is Reason.TOKEN_KEY_UNKNOWN


async def test_an_issuer_that_is_away_at_the_start_recovers() -> None:
    house = House()
    house.idp.failure = FetchFailed(Outcome.UNREACHABLE, "gone")
    async with house.running() as nap:
        assert await house.reason(by(OLD)) is Reason.TOKEN_KEY_UNKNOWN
        house.idp.failure = None
        await nap.over()
        assert await house.verify(by(OLD)) == "alice"


async def test_a_fault_of_ours_does_not_end_the_fetching() -> None:
    house = House()
    house.idp.failure = RuntimeError("canary")
    async with house.running() as nap:
        assert (house.news[-1].outcome, house.news[-1].detail) == (Outcome.FAILED, "RuntimeError")
        house.idp.failure = None
        await nap.over()
        assert await house.verify(by(OLD)) == "alice"


async def test_a_question_waits_for_the_first_fetch() -> None:
    house = House()
    house.idp.gate = asyncio.Event()
    asking = asyncio.create_task(house.verify(by(OLD)))
    await settle(lambda: house.idp.loads == 1)
    house.idp.gate.set()
    assert await asking == "alice"
    assert house.idp.loads == 1


async def test_a_question_does_not_wait_for_ever() -> None:
    house = House(patience=0.01)
    house.idp.gate = asyncio.Event()
    assert await house.reason(by(OLD)) is Reason.TOKEN_KEY_UNKNOWN
    house.idp.gate.set()
    await settle(lambda: bool(house.keys.keys))
    assert await house.verify(by(OLD)) == "alice"


async def test_a_token_by_a_key_that_is_new_is_verified_at_once() -> None:
    house = House()
    async with house.running():
        house.idp.keys = keyset(OLD, NEW)
        assert await house.verify(by(NEW)) == "alice"
    assert house.idp.loads == 2


async def test_a_thousand_invented_kids_cause_one_fetch() -> None:
    house = House()
    invented = [sign(header_bytes(kid=f"invented-{n}"), claim_bytes(), OLD) for n in range(1_000)]
    async with house.running() as nap:
        house.idp.gate = asyncio.Event()
        asking = [asyncio.create_task(house.reason(text)) for text in invented]
        await settle(lambda: house.idp.loads == 2)
        house.idp.gate.set()
        reasons = await asyncio.gather(*asking)
        assert set(reasons) == {Reason.TOKEN_KEY_UNKNOWN}
        for text in invented[:50]:
            await house.reason(text)
        assert house.idp.loads == 2
        house.time.pass_(COOL_DOWN - 0.1)
        await house.reason(invented[0])
        assert house.idp.loads == 2
        house.time.pass_(0.1)
        await house.reason(invented[0])
        assert house.idp.loads == 3
        # The scheduled refresh is where it was.
        assert nap.seconds == 600
        await nap.over()
        assert house.idp.loads == 4


async def test_the_cool_down_of_one_issuer_is_not_that_of_another() -> None:
    first, second = House(), House()
    async with first.running(), second.running():
        await first.reason(sign(header_bytes(kid="invented"), claim_bytes(), OLD))
        assert (first.idp.loads, second.idp.loads) == (2, 1)
        second.idp.keys = keyset(OLD, NEW)
        assert await second.verify(by(NEW)) == "alice"


async def test_rotation_with_overlap_fails_no_valid_request() -> None:
    """The provider adds a key, signs with it at once, and drops the old one later; callers go on all the time."""
    house = House()
    signing, valid = OLD, 0

    async def callers() -> None:
        nonlocal valid
        for n in range(40):
            assert await house.verify(by(signing, jti=f"{valid}-{n}")) == "alice"
            valid += 1
            await asyncio.sleep(0)

    async with house.running() as nap, asyncio.TaskGroup() as tasks:
        for step in (keyset(OLD, NEW), keyset(OLD, NEW), keyset(NEW)):
            tasks.create_task(callers())
            house.idp.keys, signing = step, NEW
            await callers()
            await nap.over()
    assert valid == 240
    assert await house.reason(by(OLD)) is Reason.TOKEN_KEY_UNKNOWN


async def test_rotation_forgets_what_the_removed_key_had_verified() -> None:
    house = House()
    house.idp.keys = keyset(OLD, NEW)
    old, new = by(OLD), by(NEW)
    async with house.running() as nap:
        assert await house.verify(old) == await house.verify(new) == "alice"
        house.idp.keys = keyset(NEW)
        await nap.over()
        assert await house.reason(old) is Reason.TOKEN_KEY_UNKNOWN
        assert await house.verify(new) == "alice"


async def test_a_new_key_lets_remembered_callers_be() -> None:
    house = House()
    text = by(OLD)
    async with house.running() as nap:
        first = await house.verifier.verify(RawToken(text), SERVER)
        house.idp.keys = keyset(OLD, NEW)
        await nap.over()
        assert await house.verifier.verify(RawToken(text), SERVER) is first


async def test_a_jump_of_the_wall_clock_fetches_and_goes_on() -> None:
    house = House(max_age=900)
    async with house.running():
        house.time.now += 5_000
        assert await house.verify(by(OLD)) == "alice"
        assert house.idp.loads == 2


async def test_ending_ends_the_fetch_that_is_under_way() -> None:
    house = House()
    house.idp.gate = asyncio.Event()
    task = asyncio.create_task(house.keys.run())
    await settle(lambda: house.idp.loads == 1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await settle(lambda: not [one for one in asyncio.all_tasks() if one.get_name() == "keys of main"])


async def test_what_the_provider_publishes_beside_keys_is_told() -> None:
    house = House()
    house.idp.keys = KeySet(keys=keyset(OLD).keys, ignored=("keys[1]: for encryption",))
    async with house.running():
        assert house.news[-1].ignored == ("keys[1]: for encryption",)


async def test_fixed_keys_never_look_for_more() -> None:
    assert not await keyset(OLD).seek()
    assert token()
