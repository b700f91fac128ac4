"""What fuzzing found once stays mended: every kept input, and every seed, within its bounds."""

from importlib import import_module
from typing import Any

import pytest

from tests.fuzz.spent import TooMuch, hold
from tests.fuzz.target import CORPUS, TARGETS, Limit, kept

INPUTS = [
    pytest.param(name, data, id=f"{name}-{what}-{number}")
    for name in TARGETS
    for what, found in (("seed", import_module(f"tests.fuzz.{name}").SEEDS), ("found", kept(name)))
    for number, data in enumerate(found)
]


@pytest.mark.parametrize(("name", "data"), INPUTS)
def test_an_input_keeps_the_promises_within_its_bounds(name: str, data: bytes) -> None:
    target: Any = import_module(f"tests.fuzz.{name}")
    target.run(data)  # what is made once is not this input's
    hold(target.run, data, target.LIMIT)


def test_every_kept_input_belongs_to_a_target() -> None:
    assert {path.name for path in CORPUS.glob("*") if path.is_dir()} <= set(TARGETS)


@pytest.mark.parametrize(
    ("run", "limit"),
    [
        pytest.param(
            lambda data: [abs(0) for _ in data],
            Limit(steps=10, steps_a_byte=0, memory=10**9, memory_a_byte=0),
            id="steps",
        ),
        pytest.param(
            lambda data: data * 1_000, Limit(steps=100, steps_a_byte=0, memory=10_000, memory_a_byte=1), id="memory"
        ),
    ],
)
def test_an_input_that_costs_too_much_is_noticed(run: Any, limit: Limit) -> None:
    with pytest.raises(TooMuch):
        hold(run, b"x" * 100, limit)
