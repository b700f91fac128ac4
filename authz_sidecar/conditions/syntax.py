"""Reads a condition into a tree: the grammar of CEL, less what no policy needs.

Left out: byte and unsigned literals, messages, `map` and `filter` (which cost the square of the length)
and everything that a name could hide behind. Source: the CEL language definition, section "Syntax".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from authz_sidecar.conditions.flaws import Misread
from authz_sidecar.conditions.words import Kind, Word, words

LONGEST: Final = 2_048
"""Characters that a condition may have."""

DEEPEST: Final = 32

MACROS: Final = frozenset({"all", "exists", "exists_one"})
_NOT_FIELDS: Final = frozenset({"false", "in", "null", "true"})
_RESERVED: Final = _NOT_FIELDS | {
    "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "namespace",
    "package", "return", "var", "void", "while",
}  # fmt: skip
_RELATIONS: Final = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})
_INT64: Final = 2**63


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a condition.

    `op` says what it is: `literal` (its `value`), `name`, `.` (field `text` of `parts[0]`), `has` (the same, asking
    whether it is there), `[]`, `call` (function `text`), `method` (method `text` of `parts[0]`), a macro (`all` …: what
    it goes through and the body; `text` is the variable), `list`, `map` (key, value, key, value …), `?:`, or an
    operator. `-` and `!` with one part are unary; `&&` and `||` have two or more parts.
    """

    op: str
    at: int
    text: str = ""
    value: str | int | float | bool | None = None
    parts: tuple["Node", ...] = ()


def parse(text: str) -> Node:
    """Read a condition; raises `Misread`, and nothing else whatever the text."""
    if len(text) > LONGEST:
        raise Misread(LONGEST, "condition-too-long", f"a condition of {len(text)} characters, at most {LONGEST}")
    return _Parser(list(words(text))).whole()


class _Parser:
    def __init__(self, found: list[Word]) -> None:
        self._words = found
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._expression()
        rest = self._peek()
        if rest.kind is not Kind.END:
            raise Misread(rest.at, "condition-syntax", f"{_spelled(rest)} is not expected here")
        return node

    def _peek(self) -> Word:
        return self._words[self._next]

    def _take(self) -> Word:
        word = self._words[self._next]
        if word.kind is not Kind.END:
            self._next += 1
        return word

    def _is(self, *marks: str) -> bool:
        word = self._peek()
        return word.text in marks and (word.kind is Kind.MARK or (word.text == "in" and word.kind is Kind.NAME))

    def _took(self, mark: str) -> bool:
        if self._is(mark):
            self._next += 1
            return True
        return False

    def _expect(self, mark: str) -> None:
        if not self._took(mark):
            word = self._peek()
            raise Misread(word.at, "condition-syntax", f"{_spelled(word)} where `{mark}` is expected")

    def _deeper(self, at: int) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Misread(at, "condition-too-deep", f"nested deeper than {DEEPEST}")

    def _expression(self) -> Node:
        self._deeper(self._peek().at)
        node = self._joined("||")
        if self._is("?"):
            at = self._take().at
            yes = self._joined("||")
            self._expect(":")
            node = Node("?:", at, parts=(node, yes, self._expression()))
        self._depth -= 1
        return node

    def _joined(self, mark: str) -> Node:
        parts = [self._and() if mark == "||" else self._relation()]
        at = self._peek().at
        while self._took(mark):
            parts.append(self._and() if mark == "||" else self._relation())
        return parts[0] if len(parts) == 1 else Node(mark, at, parts=tuple(parts))

    def _and(self) -> Node:
        return self._joined("&&")

    def _relation(self) -> Node:
        node = self._sum()
        if self._is(*_RELATIONS):
            word = self._take()
            node = Node(word.text, word.at, parts=(node, self._sum()))
            if self._is(*_RELATIONS):
                again = self._peek()
                raise Misread(again.at, "condition-syntax", f"a second {_spelled(again)}, join comparisons by `&&`")
        return node

    def _sum(self) -> Node:
        return self._chain(("+", "-"), lambda: self._chain(("*", "/", "%"), self._unary))

    def _chain(self, marks: tuple[str, ...], deeper: Callable[[], Node]) -> Node:
        node = deeper()
        links = 0
        while self._is(*marks):
            word = self._take()
            links += 1
            self._deeper(word.at)
            node = Node(word.text, word.at, parts=(node, deeper()))
        self._depth -= links
        return node

    def _unary(self) -> Node:
        if not self._is("!", "-"):
            return self._member()
        word = self._take()
        if word.text == "-" and self._peek().kind is Kind.NUMBER:
            return self._members(_number(self._take(), word.at, "-"))
        self._deeper(word.at)
        node = Node(word.text, word.at, parts=(self._unary(),))
        self._depth -= 1
        return node

    def _member(self) -> Node:
        return self._members(self._primary())

    def _members(self, node: Node) -> Node:
        links = 0
        while self._is(".", "["):
            mark = self._take()
            if node.op == "literal" and not isinstance(node.value, str):
                raise Misread(mark.at, "condition-syntax", f"`{mark.text}` behind a number or a constant")
            links += 1
            self._deeper(mark.at)
            node = self._index(node, mark) if mark.text == "[" else self._dotted(node)
        self._depth -= links
        return node

    def _index(self, of: Node, mark: Word) -> Node:
        key = self._expression()
        self._expect("]")
        return Node("[]", mark.at, parts=(of, key))

    def _dotted(self, of: Node) -> Node:
        word = self._take()
        if word.kind is not Kind.NAME or word.text in _NOT_FIELDS:
            raise Misread(word.at, "condition-syntax", f"{_spelled(word)} where the name of a field is expected")
        if word.text.startswith("`"):
            return Node(".", word.at, word.text[1:-1], parts=(of,))
        if not self._took("("):
            return Node(".", word.at, word.text, parts=(of,))
        if word.text in MACROS:
            return self._macro(of, word)
        return Node("method", word.at, word.text, parts=(of, *self._listed(")")))

    def _macro(self, of: Node, word: Word) -> Node:
        name = self._take()
        if name.kind is not Kind.NAME or name.text in _RESERVED or name.text.startswith("`"):
            raise Misread(
                name.at, "condition-syntax", f"{_spelled(name)} where a new name for the elements is expected"
            )
        self._expect(",")
        body = self._expression()
        self._expect(")")
        return Node(word.text, word.at, name.text, parts=(of, body))

    def _listed(self, end: str) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._took(end):
            if found:
                self._expect(",")
            found.append(self._expression())
        return tuple(found)

    def _primary(self) -> Node:
        word = self._take()
        match word.kind:
            case Kind.NUMBER:
                return _number(word, word.at, "")
            case Kind.TEXT:
                return Node("literal", word.at, value=word.text)
            case Kind.NAME:
                return self._named(word)
            case Kind.MARK if word.text == "(":
                node = self._expression()
                self._expect(")")
                return node
            case Kind.MARK if word.text == "[":
                return Node("list", word.at, parts=self._listed("]"))
            case Kind.MARK if word.text == "{":
                return Node("map", word.at, parts=self._pairs())
            case _:
                raise Misread(word.at, "condition-syntax", f"{_spelled(word)} where a value is expected")

    def _pairs(self) -> tuple[Node, ...]:
        found: list[Node] = []
        while not self._took("}"):
            if found:
                self._expect(",")
            found.append(self._expression())
            self._expect(":")
            found.append(self._expression())
        return tuple(found)

    def _named(self, word: Word) -> Node:
        if word.text in ("true", "false"):
            return Node("literal", word.at, value=word.text == "true")
        if word.text == "null":
            return Node("literal", word.at, value=None)
        if word.text in _RESERVED or word.text.startswith("`"):
            raise Misread(word.at, "condition-syntax", f"{_spelled(word)} where a value is expected")
        if not self._took("("):
            return Node("name", word.at, word.text)
        if word.text != "has":
            return Node("call", word.at, word.text, parts=self._listed(")"))
        of = self._listed(")")
        if len(of) != 1 or of[0].op != ".":
            raise Misread(word.at, "condition-syntax", "`has` asks for a field, for example `has(args.amount)`")
        return Node("has", of[0].at, of[0].text, parts=of[0].parts)


def _number(word: Word, at: int, sign: str) -> Node:
    text = word.text
    if text.startswith("0x") or text.isdecimal():
        number = int(sign + text, 16 if text.startswith("0x") else 10)
        if not -_INT64 <= number < _INT64:
            raise Misread(at, "bad-number", f"`{sign}{text}` does not fit 64 bits")
        return Node("literal", at, value=number)
    real = float(sign + text)
    if real in (float("inf"), float("-inf")):
        raise Misread(at, "bad-number", f"`{sign}{text}` is beyond the range of numbers")
    return Node("literal", at, value=real)


def _spelled(word: Word) -> str:
    if word.kind is Kind.END:
        return "the end"
    return "a text" if word.kind is Kind.TEXT else f"`{word.text}`"
