"""Finds what a condition looks at, and what it costs at most."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from authz_sidecar.conditions import patterns
from authz_sidecar.conditions.flaws import Misread
from authz_sidecar.conditions.functions import OF_TIME
from authz_sidecar.conditions.price import BUDGET, ELEMENT, Price, by_size, fixed
from authz_sidecar.conditions.syntax import MACROS, Node

Path = tuple[str, ...]
"""A variable and the fields below it."""

_STEP: Final = 300
_TIME: Final = 5_000
_VARIABLES: Final = frozenset({"args", "claims", "context", "now"})
_VALUE: Final = fixed(ELEMENT)


@dataclass(slots=True)
class Cost:
    """What a condition looks at: filled in passing."""

    paths: dict[str, Path] = field(default_factory=dict)
    """By the name of their size in the price."""
    _elements: int = 0

    def whole(self, node: Node) -> Price:
        """Price a condition; raises `Misread` where it costs too much whatever it looks at."""
        price, _ = self._part(node, {})
        for name in sorted(_outermost(self.paths)):
            price += by_size(name)  # handing it over
        if price.fixed > BUDGET:
            message = "this condition costs more than a decision may, whatever the arguments; write a shorter one"
            raise Misread(node.at, "condition-too-dear", message)
        return price

    def _part(self, node: Node, names: Mapping[str, Price]) -> tuple[Price, Price]:
        """Give the price of a part and the size of its value."""
        if (path := _path(node, names)) is not None:
            return fixed(_STEP * len(path)), self._sized(path)
        if node.op == "name":
            return fixed(_STEP), names.get(node.text, _VALUE)
        if node.op in MACROS:
            return self._macro(node, names)
        found = [self._part(part, names) for part in node.parts]
        paid = fixed(_STEP)
        for price, _ in found:
            paid += price
        sizes = [size for _, size in found]
        extra, size = self._own(node, sizes)
        return paid + extra, size

    def _sized(self, path: Path) -> Price:
        name = ".".join(path)
        # Two paths can be spelled alike when a field has a dot in its name.
        while self.paths.setdefault(name, path) != path:
            name += "'"
        return by_size(name)

    def _macro(self, node: Node, names: Mapping[str, Price]) -> tuple[Price, Price]:
        price, whole = self._part(node.parts[0], names)
        self._elements += 1
        element = f"element {self._elements}"
        each, _ = self._part(node.parts[1], {**names, node.text: by_size(element)})
        return price + whole + (each + fixed(_STEP)).for_each(element, whole), _VALUE

    def _own(self, node: Node, sizes: list[Price]) -> tuple[Price, Price]:
        match node.op:
            case "literal":
                return fixed(0), fixed(ELEMENT + (4 * len(node.value) if isinstance(node.value, str) else 0))
            case "list" | "map":
                total = _sum(sizes) + _VALUE
                return total, total
            case "==" | "!=" | "<" | "<=" | ">" | ">=":
                return _least(sizes[0], sizes[1]), _VALUE
            case "in":
                return sizes[0] + sizes[1], _VALUE
            case "+" if len(sizes) == 2:
                return _sum(sizes), _sum(sizes)
            case "[]":
                return sizes[1], sizes[0]
            case "." | "?:":
                return fixed(0), _sum(sizes)
            case "call" | "method":
                return self._function(node, sizes)
            case _:
                return fixed(0), _VALUE

    def _function(self, node: Node, sizes: list[Price]) -> tuple[Price, Price]:
        match node.text:
            case "matches" if len(sizes) == 2:
                states = _states(node.parts[1])
                return fixed(5_000 + 3_000 * states) + sizes[0] * fixed(40 * states), _VALUE
            case "contains" if len(sizes) == 2:
                return _sum(sizes) + sizes[0] * sizes[1] * fixed(1 / 64), _VALUE
            case "startsWith" | "endsWith" if len(sizes) == 2:
                return _least(sizes[0], sizes[1]), _VALUE
            case "string" | "dyn":
                return _sum(sizes), _sum(sizes) + _VALUE
            case name if name in OF_TIME:
                return fixed(_TIME), _VALUE
            case _:
                return _sum(sizes), _VALUE


def _states(pattern: Node) -> int:
    if pattern.op != "literal" or not isinstance(pattern.value, str):
        message = "the pattern of `matches` must be written out, so that its cost is known"
        raise Misread(pattern.at, "pattern-not-written", message)
    return patterns.weight(pattern.value, pattern.at)


def _path(node: Node, names: Mapping[str, Price]) -> Path | None:
    """Give the path of a part that is written out, such as `args.to` or `claims["tenant"]`."""
    if node.op == "name":
        return (node.text,) if node.text in _VARIABLES and node.text not in names else None
    if node.op in (".", "has"):
        field_ = node.text
    elif node.op == "[]" and node.parts[1].op == "literal" and isinstance(node.parts[1].value, str):
        field_ = node.parts[1].value
    else:
        return None
    above = _path(node.parts[0], names)
    return None if above is None else (*above, field_)


def _outermost(paths: Mapping[str, Path]) -> list[str]:
    """Give the names of the paths that are not below another one: what is handed over is handed over once."""
    known = set(paths.values())
    return [name for name, path in paths.items() if not any(path[:length] in known for length in range(1, len(path)))]


def _sum(sizes: list[Price]) -> Price:
    total = fixed(0)
    for size in sizes:
        total += size
    return total


def _least(one: Price, other: Price) -> Price:
    """Give the price of what ends with the shorter of two."""
    if not one.names and not other.names:
        return fixed(min(one.fixed, other.fixed))
    if not one.names:
        return one
    return other if not other.names else one + other
