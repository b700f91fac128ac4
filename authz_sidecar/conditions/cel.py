"""Evaluates conditions with CEL's own C++ library; the only file that imports it.

The traps that this file is built round: an error comes back as a text, which is true; a text ends at its first null
character (`look.size` refuses those); the whole of a variable is converted when any of it is looked at, so a condition
gets what it names and no more; a broken pattern is told on standard error, so patterns are tried at load.
"""

import importlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from authz_sidecar.conditions import look
from authz_sidecar.conditions.check import Check
from authz_sidecar.conditions.cost import Cost, Path
from authz_sidecar.conditions.flaws import Misread
from authz_sidecar.conditions.functions import OF_TIME
from authz_sidecar.conditions.price import BUDGET, Price
from authz_sidecar.conditions.spell import spell
from authz_sidecar.conditions.syntax import Node, parse
from authz_sidecar.errors import ConditionError, ConditionFlaws, Flaw
from authz_sidecar.facts import Facts
from authz_sidecar.ports import Known, Read

cel: Any = importlib.import_module("cel_expr_python.cel")  # optional, and it publishes no types

_OBJECT: Final = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_VARIABLES: Final = {
    "args": _OBJECT,
    "claims": _OBJECT,
    "context": cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
    "now": cel.Type.TIMESTAMP,
}
_COMPLAINT: Final = re.compile(r"ERROR: <input>:1:(\d+): (.*)")
_CAUSES: Final = (
    ("Key not found", "a field is not there"),
    ("Applying SELECT", "a field is asked of what has none"),
    ("No matching overloads", "values of kinds that do not go together"),
    ("divide by zero", "a division by zero"),
    ("modulus by zero", "a division by zero"),
    ("overflow", "a number beyond 64 bits"),
    ("Index error", "a place beyond the list"),
    ("Iteration budget", "a list too long to go through"),
    ("out of range", "a value out of range"),
    ("cannot convert", "a value that cannot be converted"),
)

Uses = tuple[tuple[str, tuple[str, ...] | None], ...]
"""The variables, and which of their fields; None for all of one."""


@dataclass(frozen=True, slots=True)
class CelCondition:
    """A compiled condition."""

    text: str
    needs_arguments: bool
    _program: Any = field(compare=False, repr=False)  # the library's expression
    _environment: Any = field(compare=False, repr=False)
    _uses: Uses = field(compare=False, repr=False)
    _price: Price = field(compare=False, repr=False)
    _paths: tuple[tuple[str, Path], ...] = field(compare=False, repr=False)

    @property
    def needs(self) -> frozenset[str]:
        """The variables that it looks at: `args`, `claims`, `context`, `now`."""
        return frozenset(name for name, _ in self._uses)

    def holds(self, facts: Facts) -> bool:
        """Say whether the condition is true, or raise `ConditionError`."""
        variables = {name: _part(look.variable(name, facts), names) for name, names in self._uses}
        sizes = {name: look.size(look.at(path, variables)) for name, path in self._paths}
        if self._price.of(sizes) > BUDGET:
            raise ConditionError("arguments so large that this would cost more than a decision may")
        activation = facts.once(self._uses, lambda _: self._environment.Activation(variables))
        try:
            found = self._program.eval(activation)
            kind, value = found.type(), found.value()
        except Exception as error:  # noqa: BLE001 - whatever a library throws, nobody is let through on it
            raise ConditionError(_cause(str(error))) from None
        if kind == cel.Type.ERROR:
            raise ConditionError(_cause(str(value)))
        if kind != cel.Type.BOOL or not isinstance(value, bool):
            raise ConditionError("a condition that is neither true nor false")
        return value


class Cel:
    """Reads conditions. Immutable, and may be used by several threads."""

    def __init__(self) -> None:
        """Prepare the variables; takes some 50 ms."""
        self._environment: Any = cel.NewEnv(variables=_VARIABLES)

    def read(self, text: str, known: Known) -> Read:
        """Compile a condition, or raise `ConditionFlaws` with everything that is wrong with it."""
        check, cost = Check(known), Cost()
        try:
            node = parse(text)
            check.whole(node)
            price = cost.whole(node)
        except Misread as error:
            raise ConditionFlaws([*check.flaws, error.flaw]) from None
        if flaws := check.flaws or list(self._refusals(text, node)) or list(self._failures(node)):
            raise ConditionFlaws(flaws)
        uses = _uses(cost.paths)
        condition = CelCondition(
            text=text,
            needs_arguments=any(name == "args" for name, _ in uses),
            _program=self._environment.compile(spell(node)),
            _environment=self._environment,
            _uses=uses,
            _price=price,
            _paths=tuple(cost.paths.items()),
        )
        return Read(condition=condition, warnings=tuple(check.warnings))

    def _refusals(self, text: str, node: Node) -> Iterator[Flaw]:
        """Give what CEL's own parser and type checker refuse, of what the author wrote and of what we spell."""
        read = text
        try:
            kind = self._environment.compile(read).return_type()
            read = spell(node)
            self._environment.compile(read)
        except RuntimeError as error:
            found = _COMPLAINT.findall(str(error))
            for column, message in found:
                # A place in our spelling is none in what the author wrote, so the whole is meant.
                place = max(int(column) - 1, 0) if read is text else 0
                yield Flaw(place, "condition-type", message.removesuffix(" [INVALID_ARGUMENT]"))
            if not found:
                yield Flaw(0, "condition-too-deep", "CEL cannot read this condition, nest less")
        else:
            if kind not in (cel.Type.BOOL, cel.Type.DYN):
                yield Flaw(0, "not-a-condition", f"a condition is true or false, this is {kind.name().lower()}")

    def _failures(self, node: Node) -> Iterator[Flaw]:
        """Evaluate what is written out, for it would fail at every question: a broken pattern, a day that is none."""
        written = all(part.op == "literal" for part in node.parts)
        if node.op in ("call", "method") and node.text == "matches":
            yield from self._tried(f'"".matches({spell(node.parts[1])})', node.parts[1], "bad-pattern", "pattern")
        elif node.op == "method" and node.text in OF_TIME and len(node.parts) == 2:
            yield from self._tried(
                f"timestamp(0).{node.text}({spell(node.parts[1])})", node.parts[1], "bad-zone", "time zone"
            )
        elif node.op == "call" and written:
            yield from self._tried(spell(node), node, "bad-value", "value")
        for part in node.parts:
            yield from self._failures(part)

    def _tried(self, text: str, node: Node, code: str, what: str) -> Iterator[Flaw]:
        try:
            failed = self._environment.compile(text).eval().type() == cel.Type.ERROR
        except RuntimeError:
            failed = True
        if failed:
            yield Flaw(node.at, code, f"`{spell(node)}` is no {what}")


def _part(found: object, names: tuple[str, ...] | None) -> object:
    if names is None or not isinstance(found, dict):
        return found
    return {name: found[name] for name in names if name in found}


def _uses(paths: Mapping[str, Path]) -> Uses:
    fields: dict[str, set[str] | None] = {}
    for path in paths.values():
        if len(path) == 1:
            fields[path[0]] = None
        elif (known := fields.setdefault(path[0], set())) is not None:
            known.add(path[1])
    return tuple((name, None if some is None else tuple(sorted(some))) for name, some in sorted(fields.items()))


def _cause(message: str) -> str:
    """Say what went wrong in words of ours: the library's could quote the arguments."""
    return next((said for known, said in _CAUSES if known in message), "this cannot be evaluated")
