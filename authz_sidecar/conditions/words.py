"""Splits the text of a condition into words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from authz_sidecar.conditions.flaws import Misread


class Kind(StrEnum):
    """What a word is."""

    NAME = "name"
    NUMBER = "number"
    TEXT = "text"
    MARK = "mark"
    END = "end"


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it begins, in characters from 0."""

    kind: Kind
    text: str
    """As it is written; of a text literal, what it means."""
    at: int


_BLANKS: Final = re.compile(r"[ \t]*")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER: Final = re.compile(r"0x[0-9A-Fa-f]+|(?:[0-9]+\.[0-9]+|[0-9]+)(?:[eE][+-]?[0-9]+)?")
_MARK: Final = re.compile(r"==|!=|<=|>=|&&|\|\||[-+*/%!<>?:.,()\[\]{}]")
_FIELD: Final = re.compile(r"`([A-Za-z0-9_./ -]+)`")
_TEXT: Final = re.compile(r"""([rR]?)("|')""")
_ESCAPE: Final = re.compile(
    r"""\\(?:([abfnrtv\\?"'`])|x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|([0-3][0-7]{2}))"""
)
_WRITTEN_ELSEWHERE: Final = {"=": "==", "&": "&&", "|": "||"}
_SHORT: Final = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))


def words(text: str) -> Iterator[Word]:
    """Give the words and at last an `END`; raises `Misread`."""
    at = _skip(text, 0)
    while at < len(text):
        word, end = _word(text, at)
        yield word
        at = _skip(text, end)
    yield Word(Kind.END, "", at)


def _skip(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _word(text: str, at: int) -> tuple[Word, int]:
    if quoted := _TEXT.match(text, at):
        return _literal(text, at, raw=bool(quoted[1]), opened=quoted.end())
    if found := _NAME.match(text, at):
        # `1u`, `b'…'` and the like are words that stick together; CEL reads them, JSON has no such values.
        if text[found.end() : found.end() + 1] in ("'", '"'):
            raise Misread(at, "not-in-conditions", f"`{found[0]}` in front of a text, only `r` is known here")
        return Word(Kind.NAME, found[0], at), found.end()
    if found := _NUMBER.match(text, at):
        if _NAME.match(text, found.end()):
            raise Misread(found.end(), "bad-number", f"a letter behind the number `{found[0]}`")
        return Word(Kind.NUMBER, found[0], at), found.end()
    if found := _FIELD.match(text, at):
        return Word(Kind.NAME, found[0], at), found.end()
    if text.startswith("//", at):
        raise Misread(at, "note-inside", "a note inside a condition, put notes on a line of their own")
    if found := _MARK.match(text, at):
        return Word(Kind.MARK, found[0], at), found.end()
    raise Misread(at, "unknown-character", f"unknown character {_shown(text[at])}{_meant(text, at)}")


def _meant(text: str, at: int) -> str:
    """Suggest the mark that others write so."""
    other = ">=" if text.startswith("=>", at) else _WRITTEN_ELSEWHERE.get(text[at])
    return f", did you mean `{other}`" if other else ""


def _literal(text: str, start: int, *, raw: bool, opened: int) -> tuple[Word, int]:
    quote, at = text[opened - 1], opened
    if text.startswith(quote * 2, opened) and text.startswith(quote * 3, opened - 1):
        raise Misread(start, "not-in-conditions", "a text in triple quotes, write single ones")
    meant: list[str] = []
    while at < len(text) and text[at] != quote:
        if raw or text[at] != "\\":
            meant.append(text[at])
            at += 1
        else:
            char, at = _escaped(text, at)
            meant.append(char)
    if at >= len(text):
        raise Misread(start, "unbalanced-quote", "this text is not closed")
    value = "".join(meant)
    if "\0" in value:
        # The evaluator hands texts on as C does; one that ends early would be equal to what it is not.
        raise Misread(start, "null-character", "a null character in a text")
    return Word(Kind.TEXT, value, start), at + 1


def _escaped(text: str, at: int) -> tuple[str, int]:
    found = _ESCAPE.match(text, at)
    if found is None:
        raise Misread(at, "bad-escape", f"unknown escape `{text[at : at + 2]}`, write `\\\\` for a backslash")
    short, two, four, eight, octal = found.groups()
    if short:
        return _SHORT[short], found.end()
    code = int(octal, 8) if octal else int(two or four or eight, 16)
    if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
        raise Misread(at, "bad-escape", f"`{found[0]}` is no character")
    return chr(code), found.end()


def _shown(char: str) -> str:
    return f"`{char}`" if char.isprintable() else f"U+{ord(char):04X}"
