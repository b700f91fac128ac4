"""A small evaluator of a part of CEL, written from its specification."""

from collections.abc import Callable

from hypothesis import strategies as st

Answer = bool | int | str | None


class Wrong(Exception):
    """What the small evaluator gives where CEL gives an error."""


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Wrong
    return value


def _sum(one: Answer, other: Answer) -> Answer:
    if isinstance(one, str) and isinstance(other, str):
        return one + other
    return _fits(_number(one) + _number(other))


def _fits(value: int) -> int:
    if not -(2**63) <= value < 2**63:
        raise Wrong
    return value


def _less(one: Answer, other: Answer) -> bool:
    if type(one) is not type(other) or one is None:
        raise Wrong
    return one < other  # type: ignore[operator] # of one kind


def _quotient(one: Answer, other: Answer) -> int:
    a, b = _number(one), _number(other)
    if b == 0:
        raise Wrong
    return _fits(abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1))


OPERATORS: dict[str, Callable[[Answer, Answer], Answer]] = {
    "==": lambda a, b: type(a) is type(b) and a == b,
    "!=": lambda a, b: not (type(a) is type(b) and a == b),
    "<": _less,
    ">=": lambda a, b: not _less(a, b),
    "+": _sum,
    "-": lambda a, b: _fits(_number(a) - _number(b)),
    "*": lambda a, b: _fits(_number(a) * _number(b)),
    "/": _quotient,
}
Tree = tuple[object, ...]
VALUES = {"i": 3, "j": -7, "big": 2**62, "s": "ab", "t": "", "yes": True, "no": False, "nil": None}


def evaluate(tree: Tree) -> Answer:
    """Evaluate as the definition of CEL says; errors are absorbed by `&&` and `||` where the other side decides."""
    match tree:
        case ("arg", str(name)):
            if name not in VALUES:
                raise Wrong
            return VALUES[name]
        case ("not", tuple(inner)):
            return not _truth(evaluate(inner))
        case ("in", tuple(one), tuple(several)):
            sought = evaluate(one)
            return any(type(sought) is type(found) and sought == found for found in list(map(evaluate, several)))  # type: ignore[arg-type]
        case ("&&" | "||" as operator, tuple(one), tuple(other)):
            return _joined(operator == "||", one, other)
        case (str(operator), tuple(one), tuple(other)):
            return OPERATORS[operator](evaluate(one), evaluate(other))
        case _:
            raise AssertionError(tree)


def _truth(value: Answer) -> bool:
    if not isinstance(value, bool):
        raise Wrong
    return value


def _joined(decides: bool, *sides: Tree) -> bool:
    found = []
    for side in sides:
        try:
            found.append(_truth(evaluate(side)))
        except Wrong:
            found.append(None)
    if decides in found:
        return decides
    if None in found:
        raise Wrong
    return not decides


def spelled(tree: Tree) -> str:
    match tree:
        case ("arg", str(name)):
            return f"args.{name}"
        case ("not", tuple(inner)):
            return f"!({spelled(inner)})"
        case ("in", tuple(one), tuple(several)):
            return f"({spelled(one)}) in [{', '.join(map(spelled, several))}]"  # type: ignore[arg-type]
        case (str(operator), tuple(one), tuple(other)):
            return f"({spelled(one)}) {operator} ({spelled(other)})"
        case _:
            raise AssertionError(tree)


LEAVES = st.tuples(st.just("arg"), st.sampled_from([*VALUES, "gone"]))
