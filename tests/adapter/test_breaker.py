"""The breaker: opens after losses of the transport in a row, tries again, and closes at the first sign of life."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_adapter.breaker import Breaker


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(5):
        assert breaker.admits()
        breaker.lost()
    return breaker


def test_four_losses_do_not_open_it(clock: Clock):
    breaker = Breaker(clock)
    for _ in range(4):
        breaker.lost()
    assert breaker.admits()
    breaker.heard()
    for _ in range(4):
        breaker.lost()
    assert not breaker.open


def test_open_it_admits_one_trial_in_each_pause(clock: Clock):
    breaker = opened(clock)
    assert not breaker.admits()
    clock.now += 0.25
    assert breaker.admits()
    assert not breaker.admits(), "one trial at a time"
    clock.now += 10
    assert breaker.admits(), "a trial that was given up does not keep it shut"


def test_pauses_grow_to_a_second_while_trials_fail(clock: Clock):
    breaker = opened(clock)
    pauses = []
    for _ in range(5):
        begun = clock.now
        while not breaker.admits():
            clock.now += 0.125
        pauses.append(clock.now - begun)
        breaker.lost()
    assert pauses == [0.25, 0.5, 1.0, 1.0, 1.0]


def test_a_sign_of_life_closes_it(clock: Clock):
    breaker = opened(clock)
    breaker.heard()
    assert breaker.admits()
    assert breaker.admits()
    assert not breaker.open


@given(st.lists(st.sampled_from(["lost", "heard", "wait"]), max_size=60))
def test_nobody_waits_longer_than_a_second_for_a_trial(steps: list[str]):
    clock = Clock()
    breaker = Breaker(clock)
    for step in steps:
        if step == "wait":
            clock.now += 0.3
        else:
            getattr(breaker, step)()
    clock.now += 1.0
    assert breaker.admits()
