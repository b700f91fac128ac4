"""What a fuzz target is: something that takes any bytes, and raises only when a promise is broken."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar, cast

CORPUS: Final = Path(__file__).parent / "corpus"
"""Inputs that once broke a promise, by target."""

TARGETS: Final = ("conditions", "json_text", "key_sets", "loader", "matcher", "verifier")
"""Modules of this folder; each has what `Target` lists."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """What an input may cost: so much at all, and so much more for each byte of it."""

    steps: int
    """Calls, of Python and of C functions."""
    steps_a_byte: int
    memory: int
    """Bytes, at the peak."""
    memory_a_byte: int


class Target(Protocol):
    """The shape of a target's module."""

    SEEDS: tuple[bytes, ...]
    """Inputs to begin with."""
    WORDS: tuple[str, ...]
    """What is worth a try as a whole."""
    LIMIT: Limit

    run: Callable[[bytes], object]
    """Takes an input; whatever it raises is a finding."""


def kept(name: str) -> list[bytes]:
    """Give the inputs of a target that were found once."""
    return [path.read_bytes() for path in sorted((CORPUS / name).glob("*")) if path.is_file()]


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what never waits, without an event loop: a hundred times as many inputs fit into a second."""
    for _ in range(1_000):
        try:
            coroutine.send(None)
        except StopIteration as end:
            return cast("T", end.value)
    raise AssertionError("it waits for something")


class Feed:
    """Turns bytes into choices; when they run out, every choice is the first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def number(self, below: int) -> int:
        taken = self._data[self._at : self._at + 1]
        self._at += 1
        return taken[0] % below if taken else 0

    def pick(self, choices: "tuple[T, ...]") -> T:
        return choices[self.number(len(choices))]
