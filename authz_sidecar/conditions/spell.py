"""Spells a tree as CEL, so that what was checked and priced is what the evaluator gets."""

from typing import Final

from authz_sidecar.conditions.syntax import MACROS, Node

_LEVELS: Final = {"?:": 1, "||": 2, "&&": 3, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6} | dict.fromkeys(
    ("==", "!=", "<", "<=", ">", ">=", "in"), 4
)
_UNARY: Final = 7
_MEMBER: Final = 8


def spell(node: Node) -> str:
    """Give a text that every CEL parser reads as this tree."""
    parts = node.parts
    match node.op:
        case "literal":
            return _literal(node.value)
        case "name":
            return node.text
        case "." | "has":
            spelled = f"{_at(parts[0], _MEMBER)}.{_field(node.text)}"
            return spelled if node.op == "." else f"has({spelled})"
        case "[]":
            return f"{_at(parts[0], _MEMBER)}[{spell(parts[1])}]"
        case "call":
            return f"{node.text}({_listed(parts)})"
        case "method":
            return f"{_at(parts[0], _MEMBER)}.{node.text}({_listed(parts[1:])})"
        case "list":
            return f"[{_listed(parts)}]"
        case "map":
            pairs = zip(parts[::2], parts[1::2], strict=True)
            return "{" + ", ".join(f"{spell(key)}: {spell(value)}" for key, value in pairs) + "}"
        case "?:":
            return f"{_at(parts[0], 2)} ? {_at(parts[1], 2)} : {_at(parts[2], 1)}"
        case macro if macro in MACROS:
            return f"{_at(parts[0], _MEMBER)}.{macro}({node.text}, {spell(parts[1])})"
        case operator:
            return _operator(operator, parts)


def _operator(operator: str, parts: tuple[Node, ...]) -> str:
    if len(parts) == 1:
        # CEL's own parser takes two nots or minuses for none: `!!3` would be 3 there, and no error.
        return f"{operator}{_at(parts[0], _MEMBER)}"
    level = _LEVELS[operator]
    # Left to right; comparisons do not chain here, so both sides of one are of a higher level.
    first = _at(parts[0], level + 1 if level == _LEVELS["=="] else level)
    return f" {operator} ".join((first, *(_at(part, level + 1) for part in parts[1:])))


def _at(node: Node, level: int) -> str:
    spelled = spell(node)
    return spelled if _level(node) >= level else f"({spelled})"


def _level(node: Node) -> int:
    if node.op in ("-", "!") and len(node.parts) == 1:
        return _UNARY
    if node.op == "literal" and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return _UNARY if str(node.value).startswith("-") else _MEMBER
    return _LEVELS.get(node.op, _MEMBER)


def _listed(parts: tuple[Node, ...]) -> str:
    return ", ".join(map(spell, parts))


def _field(name: str) -> str:
    return name if name.isidentifier() and name.isascii() else f"`{name}`"


def _literal(value: str | float | bool | None) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + "".join(map(_character, value)) + '"'
        case int():
            return str(value)
        case float():
            text = repr(value)
            return text if "." in text or "e" in text else f"{text}.0"


def _character(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if char.isascii() and char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else f"\\U{ord(char):08x}"
