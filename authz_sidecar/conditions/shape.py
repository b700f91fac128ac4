"""What a JSON Schema says about a value: its kinds, and what its fields and elements are.

Only what cannot be otherwise is said; where a schema uses what is not understood here, nothing is known.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_KINDS: Final = {
    "array": "list",
    "boolean": "bool",
    "integer": "number",
    "null": "null",
    "number": "number",
    "object": "map",
    "string": "string",
}
_UNREAD: Final = frozenset({"allOf", "not", "if", "dependentSchemas", "unevaluatedProperties", "$dynamicRef"})
_DEEPEST: Final = 16

Schema = Mapping[str, object]


class Listed(StrEnum):
    """Whether an object has a field of this name."""

    YES = "yes"
    """Or nothing speaks against it."""
    UNLISTED = "unlisted"
    """The schema names others, and allows more."""
    NO = "no"


@dataclass(frozen=True, slots=True)
class _Alternative:
    schema: Schema
    root: Schema
    kind: str


@dataclass(frozen=True, slots=True)
class Shape:
    """The kinds that a value can have, and where they come from."""

    kinds: frozenset[str]
    alternatives: tuple[_Alternative, ...] = ()

    def field(self, name: str) -> tuple["Shape | None", Listed]:
        """Give the shape of a field, None where nothing is known, and whether it can be there."""
        found = [_field(one, name) for one in self.alternatives if one.kind == "map"]
        if not found:
            return None, Listed.NO if "map" not in self.kinds else Listed.YES
        best = min((listed for _, listed in found), key=list(Listed).index)
        return _joined(shape for shape, listed in found if listed is best), best

    def fields(self) -> frozenset[str]:
        """Give the names that the schema lists."""
        return frozenset(
            name
            for one in self.alternatives
            if isinstance(properties := one.schema.get("properties"), dict)
            for name in properties
        )

    def items(self) -> "Shape | None":
        """Give the shape of the elements of a list, or of the keys of an object."""
        if self.kinds == {"map"} and self.alternatives:  # of JSON; what is written out may have any keys
            return Shape(frozenset({"string"}))
        lists = [one for one in self.alternatives if one.kind == "list"]
        if self.kinds != {"list"} or not lists or any("prefixItems" in one.schema for one in lists):
            return None
        return _joined(_read(one.schema.get("items"), one.root) for one in lists)


def read(schemas: Iterable[Schema]) -> Shape | None:
    """Give the shape of what one of these schemas describes; None where nothing is known."""
    return _joined(_read(schema, schema) for schema in schemas)


def of(kind: str) -> Shape:
    """Give the shape of a value of one kind."""
    return Shape(frozenset({kind}))


def _joined(shapes: Iterable[Shape | None]) -> Shape | None:
    kinds: set[str] = set()
    alternatives: list[_Alternative] = []
    for shape in shapes:
        if shape is None:
            return None
        kinds |= shape.kinds
        alternatives += shape.alternatives
    return Shape(frozenset(kinds), tuple(alternatives)) if kinds else None


def _read(schema: object, root: Schema) -> Shape | None:
    found = list(_alternatives(schema, root, 0))
    kinds = frozenset(one.kind for one in found)
    return None if not found or "" in kinds else Shape(kinds, tuple(found))


def _alternatives(schema: object, root: Schema, depth: int) -> Iterator[_Alternative]:
    """Give what the value may be, one kind each; an empty kind says that nothing is known."""
    if not isinstance(schema, dict) or depth > _DEEPEST or _UNREAD & schema.keys():
        yield _Alternative({}, root, "")
    elif "$ref" in schema:
        yield from _alternatives(_target(schema["$ref"], root), root, depth + 1)
    elif isinstance(some := schema.get("anyOf", schema.get("oneOf")), list):
        for one in some:
            yield from _alternatives(one, root, depth + 1)
    else:
        for kind in _kinds(schema):
            yield _Alternative(schema, root, kind)


def _kinds(schema: Schema) -> list[str]:
    types = schema.get("type")
    if isinstance(types, str):
        return [_KINDS.get(types, "")]
    if isinstance(types, list):
        return [_KINDS.get(one, "") if isinstance(one, str) else "" for one in types]
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if isinstance(values, list) and values:
        return sorted({kind(value) for value in values})
    return ["map"] if isinstance(schema.get("properties"), dict) else [""]


def kind(value: object) -> str:
    """Give the kind of a JSON value."""
    match value:
        case None:
            return "null"
        case bool():
            return "bool"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "list"
        case _:
            return "map"


def _target(ref: object, root: Schema) -> object:
    if not isinstance(ref, str) or not ref.startswith("#/"):
        return None
    found: object = root
    for part in ref[2:].split("/"):
        found = found.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
    return found


def _field(one: _Alternative, name: str) -> tuple[Shape | None, Listed]:
    properties = one.schema.get("properties")
    known = properties if isinstance(properties, dict) else {}
    if name in known:
        return _read(known[name], one.root), Listed.YES
    if one.schema.get("patternProperties"):
        return None, Listed.YES
    more = one.schema.get("additionalProperties", True)
    if more is False:
        return None, Listed.NO
    if isinstance(more, dict) and more:
        return _read(more, one.root), Listed.YES
    return None, Listed.UNLISTED if known else Listed.YES
