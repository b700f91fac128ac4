"""Splits Cedar text into its policies and says where each stands."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"?|//[^\n]*|\s+|[A-Za-z_]\w*|\d+|::|==|!=|<=|>=|&&|\|\||.', re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One policy, from its first word or annotation to its `;`. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    text: str

    @property
    def folded(self) -> str:
        """Spell it on one line, without comments."""
        return " ".join("".join(" " if token.startswith("//") else token for token in tokens(self.text)).split())

    def place(self, offset: int) -> tuple[int, int]:
        """Give the line and column of a character of it."""
        before = self.text[:offset]
        lines = before.count("\n")
        column = len(before) - before.rfind("\n") if lines else self.column + offset
        return self.line + lines, column


def tokens(text: str) -> Iterator[str]:
    """Give the words, signs, strings, comments and blanks, whose sum is the text."""
    for found in _TOKEN.finditer(text):
        yield found[0]


def statements(file: str, text: str) -> Iterator[Statement]:
    """Give every policy of a file; what follows the last `;` is one as well, and Cedar will refuse it."""
    line, column = 1, 1
    begin: tuple[int, int] | None = None
    parts: list[str] = []
    for part in tokens(text):
        blank = part.isspace() or part.startswith("//")
        if begin is None and not blank:
            begin = line, column
        if begin is not None:
            parts.append(part)
        lines = part.count("\n")
        line, column = (line + lines, len(part) - part.rfind("\n")) if lines else (line, column + len(part))
        if part == ";" and begin is not None:
            yield Statement(file=file, line=begin[0], column=begin[1], text="".join(parts))
            begin, parts = None, []
    if begin is not None:
        yield Statement(file=file, line=begin[0], column=begin[1], text="".join(parts))
