"""What a condition costs at most, as a sum of products of the sizes of what it looks at.

A unit is about a nanosecond of the evaluator. A size counts bytes, and `ELEMENT` for every value, which is what handing
it to the evaluator costs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ELEMENT: Final = 400

BUDGET: Final = 20_000_000
"""Units that one condition may cost: some 20 ms. An evaluation that could cost more is not begun."""

_MOST_TERMS: Final = 200


@dataclass(frozen=True, slots=True)
class Price:
    """Terms by the sizes that are multiplied, each size a name such as `args.to`; `()` is what is fixed."""

    terms: Mapping[tuple[str, ...], float]

    def __add__(self, other: "Price") -> "Price":
        """Pay both."""
        found = dict(self.terms)
        for names, times in other.terms.items():
            found[names] = found.get(names, 0.0) + times
        return _bounded(found)

    def __mul__(self, other: "Price") -> "Price":
        """Pay one as often as the other says."""
        found: dict[tuple[str, ...], float] = {}
        for mine, times in self.terms.items():
            for theirs, again in other.terms.items():
                names = tuple(sorted(mine + theirs))
                found[names] = found.get(names, 0.0) + times * again
        return _bounded(found)

    @property
    def fixed(self) -> float:
        """What does not depend on any size."""
        return self.terms.get((), 0.0)

    @property
    def names(self) -> frozenset[str]:
        """The sizes that it depends on."""
        return frozenset(name for names in self.terms for name in names)

    def for_each(self, element: str, whole: "Price") -> "Price":
        """Pay once for each element, of the size `element`, of something of the size `whole`.

        All elements together are as large as the whole. So a term that knows the element's size is paid with the size
        of the whole (a sum of powers is at most the power of the sum), any other once for each element.
        """
        total = fixed(0)
        for names, times in self.terms.items():
            others = tuple(name for name in names if name != element)
            term = Price({others: times})
            for _ in range(len(names) - len(others)):
                term *= whole
            total += term if len(others) < len(names) else term * whole * fixed(1 / ELEMENT)
        return total

    def of(self, sizes: Mapping[str, int]) -> float:
        """Give the units for these sizes."""
        total = 0.0
        for names, times in self.terms.items():
            for name in names:
                times *= sizes[name]  # noqa: PLW2901 - the product builds up
            total += times
        return total


def fixed(units: float) -> Price:
    """Give a price that is always the same."""
    return Price({(): float(units)})


def by_size(name: str, times: float = 1.0) -> Price:
    """Give a price that grows with one size."""
    return Price({(name,): times})


NOTHING: Final = fixed(0)


def _bounded(terms: dict[tuple[str, ...], float]) -> Price:
    if len(terms) > _MOST_TERMS:
        # More than anybody means; too dear to multiply on, so it is priced out of reach.
        return fixed(BUDGET * 2.0)
    return Price(terms)
