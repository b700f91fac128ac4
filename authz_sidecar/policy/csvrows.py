"""Reads the rows of a CSV file strictly: every field has its place, and nothing is guessed."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple, Never, TypeVar, overload

from authz_sidecar.breath import breathe
from authz_sidecar.policy.dialect import is_foreign
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.lines import Line, ascii_lines, blocks, careful_lines
from authz_sidecar.policy.until import Ends

_BLANKS: Final = re.compile(r"[ \t]*")
_QUOTED: Final = re.compile(r'"((?:[^"]|"")*+)"')
_DOUBTFUL: Final = re.compile('["#\t]')
_DOUBTFUL_BYTES: Final = re.compile(b'["#\t]')
_ODD: Final = re.compile(r'(?<=[ \t])#|["\t]')
_UNSEEN: Final = frozenset({"Cf", "Zl", "Zp", "Zs"})
T = TypeVar("T")
_TYPOGRAPHIC: Final = frozenset("“”„‟")


Numbered = tuple[int, str]
"""A line behind its number."""


# Named tuples, and not dataclasses as elsewhere: a hundred thousand rows are made twice as fast.


class Field(NamedTuple):
    """A field without the blanks and quotes round it; `column` counts characters from 1."""

    text: str
    column: int
    quoted: bool = False


class Plain(Sequence[Field]):
    """The fields of a line that nobody can misread, split with their columns only when somebody wants to know."""

    __slots__ = ("_fields", "_line")

    def __init__(self, line: str) -> None:
        self._line = line
        self._fields: tuple[Field, ...] | None = None

    def texts(self) -> list[str]:
        """Give the fields without their columns."""
        return [part.strip(" ") for part in self._line.split(",")]

    @overload
    def __getitem__(self, at: int) -> Field: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Field, ...]: ...
    def __getitem__(self, at: int | slice) -> Field | tuple[Field, ...]:
        """Give a field or some."""
        return self._split()[at]

    def __len__(self) -> int:
        """Count the fields."""
        return self._line.count(",") + 1

    def __eq__(self, other: object) -> bool:
        """Compare as the fields themselves."""
        return self._split() == (other._split() if isinstance(other, Plain) else other)

    def __hash__(self) -> int:
        """Hash as the fields themselves."""
        return hash(self._split())

    def _split(self) -> tuple[Field, ...]:
        """Split the line; it gives what `_fields` gives."""
        if self._fields is None:
            fields: list[Field] = []
            at = 1
            for part in self._line.split(","):
                bare = part.lstrip(" ")
                fields.append(Field(bare.rstrip(" "), at + len(part) - len(bare)))
                at += len(part) + 1
            self._fields = tuple(fields)
        return self._fields


class Row(NamedTuple):
    """The fields of one line; `text` is the line with its blanks folded."""

    file: str
    line: int
    text: str
    fields: Sequence[Field]
    until: float | None = None
    """When the row ends, where an `# until` line stands above it."""

    @property
    def columns(self) -> tuple[int, ...]:
        """Give the column of each field."""
        return tuple(field.column for field in self.fields)


def read(file: str, data: bytes, found: Findings, *, ends: bool = False) -> list[Row]:
    """Give the rows that are sound, and report every line that is not.

    Lines that are blank or begin with `#` are skipped, also as a spreadsheet writes them (`,,,` and `"# one, two"`).
    Blanks round a field are ignored, also before a quote. Quotes are those of RFC 4180, but a quoted field ends on its
    line; what is between them is literal. With `ends`, an `# until` line belongs to the row below it.
    """
    return list(each(file, data, found, ends=ends))


def each(file: str, data: bytes, found: Findings, *, ends: bool = False) -> Iterator[Row]:
    """Give the same rows one by one, so that a hundred thousand need not all be there at once."""
    for one in each_or(_never, file, data, found, ends=ends):
        if not isinstance(one, list):
            yield one


Quick = Callable[[Iterator[Numbered], float | None, bool], tuple[list[T], Numbered | None]]
"""Makes something of each line up to the first that it leaves alone, and gives that line as well.

It takes the lines, when what stands there ends, and whether no line is `doubtful`. One call for many lines: this is
where the time of a load goes.
"""


def each_or(
    quick: Quick[T], file: str, data: bytes, found: Findings, *, ends: bool = False
) -> Iterator["Row | list[T]"]:
    """Give the same rows, but in the place of those of which `quick` makes something that, many at once."""
    until = Ends(file, found)
    if is_foreign(file, data, found):
        next(blocks(file, data, found), None)  # a byte order mark is told as well
        return
    for number, block in blocks(file, data, found):
        texts = ascii_lines(block)
        sure = texts is not None and not _DOUBTFUL_BYTES.search(block)
        some = careful_lines(file, number, block, found) if texts is None else enumerate(texts, number)
        left: Numbered | None = (0, "")
        while left is not None:
            made, left = ([], next(some, None)) if until.waiting else quick(some, None, sure)
            if made:
                yield made
            if left is not None:
                breathe()
                yield from _alone(quick, file, Line(*left), found, until, ends=ends)
    until.close()
    if data and not data.endswith(b"\n"):
        last = data.count(b"\n") + 1
        found.warn(file, last, 0, "no-line-end", "the last line has no line end, the file may be cut short")


def _alone(
    quick: Quick[T], file: str, line: Line, found: Findings, until: Ends, *, ends: bool
) -> Iterator["Row | list[T]"]:
    """Read a line by itself, and give what it is, if it is anything and can be trusted."""
    start = line.text.lstrip(" \t")
    if start.startswith(("#", '"#')):
        if ends:
            until.note(line)
        return
    if not start.strip(", \t"):
        return
    plain = not doubtful(line.text)
    fields: Sequence[Field] | None = Plain(line.text) if plain else _fields(file, line, found)
    if fields is None:
        return
    end = until.take(line.number)
    if plain and end is not None and (made := quick(iter((line,)), end, True)[0]):
        yield made
        return
    folded = line.text if plain and _is_folded(line.text) else " ".join(line.text.split())
    yield Row(file, line.number, folded, fields, end)


def doubtful(text: str) -> bool:
    """Say whether there may be a quote, a note or something that is not seen in a line."""
    return not text.isascii() or _DOUBTFUL.search(text) is not None


def _never(lines: Iterator[Numbered], _until: float | None, _sure: bool) -> tuple[list[Never], Numbered | None]:
    return [], next(lines, None)


def _is_folded(text: str) -> bool:
    return "  " not in text and text[0] != " " and text[-1] != " "


def _fields(file: str, line: Line, found: Findings) -> tuple[Field, ...] | None:
    """Split a line; None when it cannot be trusted, which is reported at the first character in doubt."""
    text, at = line.text, 0
    fields: list[Field] = []
    while True:
        try:
            field, at = _quoted(text, at) or _plain(text, at)
        except _Doubt as doubt:
            found.error(file, line.number, doubt.at + 1, doubt.code, str(doubt))
            return (*fields, *doubt.before) if fields and doubt.code == "trailing-note" else None
        fields.append(field)
        if at >= len(text):
            return tuple(fields)
        at += 1  # the comma


class _Doubt(Exception):
    """`before` is the field in front of a note: what else is wrong with its row is reported as well."""

    def __init__(self, at: int, code: str, message: str, before: tuple[Field, ...] = ()) -> None:
        super().__init__(message)
        self.at, self.code, self.before = at, code, before


def _blanks(text: str, at: int) -> int:
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _quoted(text: str, at: int) -> tuple[Field, int] | None:
    """Read a quoted field and give it with the place of the comma behind it, or None where there is no quote."""
    start = _blanks(text, at)
    if not text.startswith('"', start):
        return None
    found = _QUOTED.match(text, start)
    if found is None:
        raise _Doubt(start, "unbalanced-quote", "this quote is not closed on its line")
    end = _blanks(text, found.end())
    field = Field(found[1].replace('""', '"'), start + 1, quoted=True)
    if end < len(text) and text[end] != ",":
        if text[end] == "#" and end > found.end():
            raise _note(end, field)
        raise _Doubt(end, "text-after-quote", 'text after a closing quote, write `""` for a quote inside a field')
    return field, end


def _plain(text: str, at: int) -> tuple[Field, int]:
    """Read an unquoted field and give it with the place of the comma behind it."""
    start = _blanks(text, at)
    end = text.find(",", start)
    end = len(text) if end < 0 else end
    value = text[start:end].rstrip(" \t")
    odd = _ODD.search(text, start, start + len(value))
    if not value.isascii():
        _refuse_unseen(value, start, odd.start() if odd else end)
    if odd is None:
        return Field(value, start + 1), end
    if odd[0] == "#":
        raise _note(odd.start(), Field(text[start : odd.start()].rstrip(" \t"), start + 1))
    if odd[0] == "\t":
        raise _Doubt(odd.start(), "control-character", "a tab inside a field, quote the field if it is meant")
    raise _Doubt(odd.start(), "unbalanced-quote", "a quote inside an unquoted field, quote the whole field")


def _note(at: int, field: Field) -> _Doubt:
    # Casbin reads `deny # note` as an effect of that name: the row is dead in silence.
    message = "a `#` behind a blank, put notes on a line of their own or quote the field"
    return _Doubt(at, "trailing-note", message, (field,) if field.text else ())


def _refuse_unseen(value: str, start: int, before: int) -> None:
    """A name with a no-break space or a zero-width joiner looks right and never matches: a deny row would be dead."""
    for offset, char in enumerate(value[: before - start]):
        if char in _TYPOGRAPHIC:
            message = (
                f'a typographic quote U+{ord(char):04X} quotes nothing, write `"` (in LibreOffice: Tools, AutoCorrect)'
            )
            raise _Doubt(start + offset, "typographic-quote", message)
        if char != " " and unicodedata.category(char) in _UNSEEN:
            message = f"invisible character U+{ord(char):04X}, quote the field if it is meant"
            raise _Doubt(start + offset, "invisible-character", message)
