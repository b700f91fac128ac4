"""Checks the names of a condition: what cannot exist, and what cannot be compared, is a mistake."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from authz_sidecar.conditions import shape
from authz_sidecar.conditions.functions import CALLS, METHODS, OF_TIME, ON_TEXT, TYPES
from authz_sidecar.conditions.shape import Listed, Shape
from authz_sidecar.conditions.spell import spell
from authz_sidecar.conditions.syntax import MACROS, Node
from authz_sidecar.errors import Flaw
from authz_sidecar.ports import Known

VARIABLES: Final = ("args", "claims", "context", "now")

_BOOL: Final = shape.of("bool")
_RESULTS: Final = {
    "bool": _BOOL,
    "double": shape.of("number"),
    "duration": shape.of("duration"),
    "int": shape.of("number"),
    "matches": _BOOL,
    "size": shape.of("number"),
    "string": shape.of("string"),
    "timestamp": shape.of("timestamp"),
    "type": shape.of("type"),
}
_ORDERED: Final = frozenset({"bool", "duration", "number", "string", "timestamp"})
_WORDS: Final = {"bool": "true or false", "map": "an object", "null": "null", "type": "a type"}

Names = Mapping[str, Shape | None]


class Check:
    """Walks through one condition and gathers its flaws."""

    def __init__(self, known: Known) -> None:
        self._known = known
        self._args = None if known.schemas is None else shape.read(known.schemas)
        self.flaws: list[Flaw] = []
        self.warnings: list[Flaw] = []

    def whole(self, node: Node) -> None:
        """Check a whole condition, which must be true or false."""
        self._must_be(self.shape(node, {}), node, "bool", "a condition")

    def shape(self, node: Node, names: Names) -> Shape | None:
        """Check a part, and give what its value can be; `names` are the elements that macros go through."""
        match node.op:
            case "literal":
                return shape.of(shape.kind(node.value))
            case "name":
                return self._name(node, names)
            case "." | "has":
                found = self._field(node, names)
                return found if node.op == "." else _BOOL
            case "[]":
                return self._index(node, names)
            case "call":
                return self._call(node, names)
            case "method":
                return self._method(node, names)
            case "list" | "map":
                for part in node.parts:
                    self.shape(part, names)
                return shape.of(node.op)
            case macro if macro in MACROS:
                return self._macro(node, names)
            case _:
                return self._operator(node, names)

    def _error(self, node: Node, code: str, message: str) -> None:
        self.flaws.append(Flaw(node.at, code, message))

    def _name(self, node: Node, names: Names) -> Shape | None:
        if node.text in names:
            return names[node.text]
        match node.text:
            case "args":
                return self._args
            case "now":
                return shape.of("timestamp")
            case "claims" | "context":
                example = next(iter(sorted(getattr(self._known, node.text))), "…")
                self._error(node, "bare-name", f"say which of `{node.text}`, for example `{node.text}.{example}`")
            case name if name in TYPES:
                return shape.of("type")
            case name:
                known = (*VARIABLES, *names)
                message = f"unknown name `{name}`{_near(name, known)}; there are {_all(known)}"
                self._error(node, "unknown-name", message)
        return None

    def _field(self, node: Node, names: Names) -> Shape | None:
        of = node.parts[0]
        if of.op == "name" and of.text in ("claims", "context") and of.text not in names:
            return self._listed(node, of.text, node.text)
        return self._member(node, self.shape(of, names), node.text)

    def _listed(self, node: Node, variable: str, name: str) -> Shape | None:
        known: frozenset[str] = getattr(self._known, variable)
        if name not in known:
            where = "`condition_claims` of the issuer" if variable == "claims" else "`keys` of `[context]`"
            message = f"`{variable}.{name}` is not in {where}{_near(name, known)}"
            self._error(node, f"unknown-{variable.removesuffix('s')}", message)
        return shape.of("string") if variable == "context" else None

    def _member(self, node: Node, of: Shape | None, name: str) -> Shape | None:
        if of is None:
            return None
        found, listed = of.field(name)
        if listed is Listed.NO and "map" not in of.kinds:
            message = f"`{spell(node.parts[0])}` is {_kinds(of)}, which has no field `{name}`"
            self._error(node, "unknown-argument", message)
        elif listed is not Listed.YES:
            near = _near(name, of.fields())
            message = f"`{name}` is not in the tool's input schema{near}"
            flaw = Flaw(node.at, "unknown-argument", message)
            (self.flaws if listed is Listed.NO else self.warnings).append(flaw)
        return found

    def _index(self, node: Node, names: Names) -> Shape | None:
        of, key = node.parts
        literal = key.value if key.op == "literal" else None
        if of.op == "name" and of.text in ("claims", "context") and of.text not in names:
            if isinstance(literal, str):
                return self._listed(node, of.text, literal)
            self._error(key, "bare-name", f"a name of `{of.text}` must be written out, not computed")
            return None
        found = self.shape(of, names)
        self.shape(key, names)
        if isinstance(literal, str):
            return self._member(node, found, literal)
        return found.items() if found is not None and found.kinds == {"list"} else None

    def _call(self, node: Node, names: Names) -> Shape | None:
        shapes = [self.shape(part, names) for part in node.parts]
        if node.text not in CALLS:
            near = _near(node.text, (*CALLS, "has"))
            self._error(node, "unknown-function", f"unknown function `{node.text}`{near}")
            return None
        if len(node.parts) != CALLS[node.text]:
            self._error(node, "wrong-arguments", f"`{node.text}` takes {CALLS[node.text]}, not {len(node.parts)}")
            return None
        if node.text == "matches":
            self._must_be(shapes[0], node.parts[0], "string", "`matches`")
        return _RESULTS.get(node.text)

    def _method(self, node: Node, names: Names) -> Shape | None:
        of, *rest = (self.shape(part, names) for part in node.parts)
        if node.text not in METHODS:
            near = _near(node.text, (*METHODS, *MACROS))
            self._error(node, "unknown-function", f"unknown method `{node.text}`{near}")
            return None
        fewest, most = METHODS[node.text]
        if not fewest <= len(rest) <= most:
            self._error(node, "wrong-arguments", f"`{node.text}` takes {most}, not {len(rest)}")
        if node.text in ON_TEXT:
            self._must_be(of, node.parts[0], "string", f"`{node.text}`")
            for one, part in zip(rest, node.parts[1:], strict=True):
                self._must_be(one, part, "string", f"`{node.text}`")
            return _BOOL
        if node.text in OF_TIME and rest and not _is_text(node.parts[1]):
            self._error(node.parts[1], "zone-not-written", f"the time zone of `{node.text}` must be written out")
        return shape.of("number")

    def _macro(self, node: Node, names: Names) -> Shape:
        range_, body = node.parts
        of = self.shape(range_, names)
        if of is not None and not of.kinds & {"list", "map"}:
            self._error(node, "wrong-kind", f"`{node.op}` goes through a list, and `{spell(range_)}` is {_kinds(of)}")
        if node.text in (*names, *VARIABLES, *TYPES):
            self._error(node, "name-taken", f"`{node.text}` means something already, take another name")
        inner = {**names, node.text: None if of is None else of.items()}
        self._must_be(self.shape(body, inner), body, "bool", f"`{node.op}`")
        return _BOOL

    def _operator(self, node: Node, names: Names) -> Shape | None:
        shapes = [self.shape(part, names) for part in node.parts]
        match node.op:
            case "&&" | "||" | "!":
                for one, part in zip(shapes, node.parts, strict=True):
                    self._must_be(one, part, "bool", f"`{node.op}`")
                return _BOOL
            case "?:":
                self._must_be(shapes[0], node.parts[0], "bool", "what stands before `?`")
                return shapes[1] if shapes[1] == shapes[2] else None
            case "==" | "!=":
                self._comparable(node, shapes[0], shapes[1], ())
                return _BOOL
            case "in":
                of = shapes[1]
                self._comparable(node, shapes[0], None if of is None else _elements(node.parts[1], of), ())
                return _BOOL
            case "<" | "<=" | ">" | ">=":
                self._comparable(node, shapes[0], shapes[1], ("list", "map", "null", "type"))
                return _BOOL
            case _:
                return self._arithmetic(node, shapes)

    def _arithmetic(self, node: Node, shapes: list[Shape | None]) -> Shape | None:
        if node.op != "+" and len(shapes) == 2:
            for one, part in zip(shapes, node.parts, strict=True):
                if one is not None and not one.kinds & {"number", "timestamp", "duration"}:
                    self._error(part, "wrong-kind", f"`{node.op}` needs numbers, and `{spell(part)}` is {_kinds(one)}")
        if all(one is not None and one.kinds == {"number"} for one in shapes):
            return shape.of("number")
        first, second = shapes[0], shapes[-1]
        if first is not None and second is not None and not first.kinds & second.kinds and not _times(first, second):
            self._error(node, "wrong-kind", f"`{node.op}` joins {_kinds(first)} and {_kinds(second)}")
        return first if first is not None and second is not None and first.kinds == second.kinds == {"string"} else None

    def _comparable(self, node: Node, first: Shape | None, second: Shape | None, never: Iterable[str]) -> None:
        if first is None or second is None:
            return
        common = (first.kinds & second.kinds) - frozenset(never)
        if common or (not never and "null" in first.kinds | second.kinds):
            return
        one, other = (spell(part) for part in node.parts)
        message = f"`{one}` is {_kinds(first)} and `{other}` is {_kinds(second)}; `{node.op}` is never true for them"
        if node.op == "in":
            message = f"`{one}` is {_kinds(first)}, and what `{other}` holds is {_kinds(second)}"
        self._error(node, "wrong-kind", message)

    def _must_be(self, found: Shape | None, node: Node, kind: str, what: str) -> None:
        if found is not None and kind not in found.kinds:
            message = f"`{_short(spell(node))}` is {_kinds(found)}, and {what} needs {_word(kind)}"
            self._error(node, "wrong-kind" if what != "a condition" else "not-a-condition", message)


def _elements(node: Node, of: Shape) -> Shape | None:
    """Give what is looked for by `in`: the elements of a list, the keys of an object."""
    if node.op not in ("list", "map"):
        return of.items()
    sought = node.parts if node.op == "list" else node.parts[::2]
    kinds = [shape.of(shape.kind(part.value)) if part.op == "literal" else None for part in sought]
    if not kinds or None in kinds:
        return None
    return Shape(frozenset().union(*(one.kinds for one in kinds if one is not None)))


def _times(first: Shape, second: Shape) -> bool:
    return first.kinds | second.kinds <= {"timestamp", "duration"}


def _is_text(node: Node) -> bool:
    return node.op == "literal" and isinstance(node.value, str)


def _word(kind: str) -> str:
    return _WORDS.get(kind, f"a {kind}")


def _kinds(found: Shape) -> str:
    return " or ".join(_word(kind) for kind in sorted(found.kinds))


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"


def _all(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _near(name: str, known: Iterable[str]) -> str:
    choices = sorted(known)
    folded = next((one for one in choices if one.casefold() == name.casefold()), None)
    near = folded or next(iter(difflib.get_close_matches(name[:200], choices, n=1)), None)
    return f", did you mean `{near}`" if near else ""
