"""The row reader: every field has its place, and every doubt is reported."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.policy.csvrows import read
from authz_sidecar.policy.findings import MOST, Findings, one_of, quote
from authz_sidecar.policy.lines import LARGEST


def texts(data: bytes) -> list[list[str]]:
    found = Findings()
    rows = read("x.csv", data, found)
    assert found.problems == ()
    return [[field.text for field in row.fields] for row in rows]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        pytest.param(b"", [], id="nothing"),
        pytest.param(b"# note, with a comma\n \t\n  # indented\n", [], id="notes and blank lines"),
        pytest.param(b"a,b\nc,d\n", [["a", "b"], ["c", "d"]], id="two rows"),
        pytest.param(b"a,b\r\nc,d\r\n", [["a", "b"], ["c", "d"]], id="rows that end in CRLF"),
        pytest.param(b"  a ,\t b\t\n", [["a", "b"]], id="blanks round fields"),
        pytest.param(b"a,  b c \n", [["a", "b c"]], id="blanks inside a field stay"),
        pytest.param(b"a,,\n", [["a", "", ""]], id="empty fields"),
        pytest.param(b'a, "b, c" ,d\n', [["a", "b, c", "d"]], id="blanks round a quoted field"),
        pytest.param(b'"say ""hi"""\n', [['say "hi"']], id="doubled quotes"),
        pytest.param(b'""\n', [[""]], id="an empty quoted field"),
        pytest.param(b'" a # b\t"\n', [[" a # b\t"]], id="quoted text is literal"),
        pytest.param('"a\u200bb"\n'.encode(), [["a\u200bb"]], id="quoted text may hide"),
        pytest.param(b"a,#b,c#d\n", [["a", "#b", "c#d"]], id="a hash without a blank is text"),
        pytest.param("ä,日本\n".encode(), [["ä", "日本"]], id="names in any script"),
    ],
)
def test_sound_rows_are_read(data: bytes, rows: list[list[str]]) -> None:
    assert texts(data) == rows


@pytest.mark.parametrize(
    ("data", "where", "code"),
    [
        pytest.param(b"a,b\n\xff\n", (2, 1), "not-utf-8", id="not UTF-8"),
        pytest.param("ä,".encode() + b"\xc3\n", (1, 3), "not-utf-8", id="columns count characters, not bytes"),
        pytest.param(b"\xef\xbb\xbfa\n", (1, 1), "byte-order-mark", id="UTF-8 byte order mark"),
        pytest.param("a\n".encode("utf-16"), (1, 1), "byte-order-mark", id="UTF-16"),
        pytest.param(b"\xfe\xff\x00a", (1, 1), "byte-order-mark", id="UTF-16 big-endian"),
        pytest.param(b"a\nb\x00\n", (2, 2), "control-character", id="NUL"),
        pytest.param(b"# \x1b[2J\n", (1, 3), "control-character", id="an escape in a note"),
        pytest.param(b'"\x07"\n', (1, 2), "control-character", id="a bell in quotes"),
        pytest.param("a\x85b\n".encode(), (1, 2), "control-character", id="a C1 control"),
        pytest.param(b"a\tb\n", (1, 2), "control-character", id="a tab inside a field"),
        pytest.param(b"a\rb\n", (1, 2), "lone-carriage-return", id="a carriage return inside"),
        pytest.param(b"a\r", (1, 2), "lone-carriage-return", id="a carriage return at the end"),
        pytest.param(b"a\r\r\n", (1, 2), "lone-carriage-return", id="two carriage returns"),
        pytest.param(b'a, "b\nc"\n', (1, 4), "unbalanced-quote", id="a quoted field over two lines"),
        pytest.param(b'a, b"c\n', (1, 5), "unbalanced-quote", id="a quote inside a plain field"),
        pytest.param(b'"a" b\n', (1, 5), "text-after-quote", id="text after a quote"),
        pytest.param(b'"a"b\n', (1, 4), "text-after-quote", id="text close after a quote"),
        pytest.param(b'"a"# b\n', (1, 4), "text-after-quote", id="a hash close after a quote"),
        pytest.param(b"a, deny # why, when\n", (1, 9), "trailing-note", id="a note after a field"),
        pytest.param(b"a, #b\n", (1, 4), "trailing-note", id="a note as a field"),
        pytest.param(b'a, "b" # c\n', (1, 8), "trailing-note", id="a note after a quote"),
        pytest.param(b'a, b # say "x"\n', (1, 6), "trailing-note", id="a note with quotes"),
        pytest.param("a,\u00a0b\n".encode(), (1, 3), "invisible-character", id="a no-break space"),
        pytest.param("a, m\u200bx\n".encode(), (1, 5), "invisible-character", id="a zero-width space"),
        pytest.param("a,\u202eb\n".encode(), (1, 3), "invisible-character", id="a change of direction"),
        pytest.param("a,b\ufeff\n".encode(), (1, 4), "invisible-character", id="a byte order mark in a row"),
    ],
)
def test_a_doubtful_row_is_reported_where_it_is_in_doubt(data: bytes, where: tuple[int, int], code: str) -> None:
    found = Findings()
    read("x.csv", data, found)
    problem = found.problems[0]
    assert (problem.file, problem.line, problem.column, problem.code) == ("x.csv", *where, code)


def test_all_problems_are_reported_at_once() -> None:
    found = Findings()
    rows = read("x.csv", b'\xef\xbb\xbfa # b\n"c\nok\n\xff\nd\x00\ne\rf\n', found)
    assert [row.fields[0].text for row in rows] == ["ok"]
    assert [problem.line for problem in found.problems] == [1, 1, 2, 4, 5, 6]


def test_what_stands_before_a_note_is_still_looked_at() -> None:
    found = Findings()
    rows = read("x.csv", b"a, b # c\n", found)
    assert [[field.text for field in row.fields] for row in rows] == [["a", "b"]]
    assert len(found.problems) == 1


def test_a_file_beyond_the_limit_is_refused_unread() -> None:
    found = Findings()
    assert read("x.csv", b"a" * (LARGEST + 1), found) == []
    assert found.problems[0].code == "too-large"


def test_a_missing_last_line_end_is_a_warning() -> None:
    found = Findings()
    assert len(read("x.csv", b"a\nb", found)) == 2
    assert [(warning.line, warning.code) for warning in found.warnings] == [(2, "no-line-end")]


def test_fields_know_their_columns_and_the_row_its_folded_text() -> None:
    (row,) = read("x.csv", b'  a ,  "b" ,\tc\r\n', Findings())
    assert row.columns == (3, 8, 14)
    assert [field.quoted for field in row.fields] == [False, True, False]
    assert row.text == 'a , "b" , c'


@given(st.binary(max_size=300))
def test_any_bytes_are_rows_or_problems(data: bytes) -> None:
    found = Findings()
    for row in read("x.csv", data, found):
        assert row.fields
        assert all(field.column >= 1 for field in row.fields)


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1), min_size=1), min_size=1))
def test_quoted_fields_come_back_as_they_were(rows: list[list[str]]) -> None:
    for row in rows:
        row[0] = f"a{row[0]}"  # what begins with `#` is a comment, also in quotes, and `g;` looks like another dialect
    written = "".join(" , ".join('"' + field.replace('"', '""') + '"' for field in row) + "\n" for row in rows)
    assert texts(written.encode()) == rows


@given(st.text(st.sampled_from("a, b"), min_size=1).filter(lambda text: text.strip(", ")))
def test_plain_lines_are_split_as_any_other(text: str) -> None:
    plain = read("x.csv", text.encode() + b"\n", Findings())
    other = read("x.csv", text.encode() + ',"é"\n'.encode(), Findings())
    assert plain[0].fields == other[0].fields[:-1]


def test_endless_problems_are_counted_and_not_kept() -> None:
    found = Findings()
    read("x.csv", b"\x01\n" * (MOST + 7), found)
    assert len(found.problems) == MOST + 1
    assert found.problems[-1].message == "7 more, not listed"
    for line in range(MOST + 3):
        found.warn("x.csv", line, 1, "odd", "odd")
    assert found.warnings[-1].message == "3 more, not listed"


def test_words_of_the_author_are_shown_short_and_visible() -> None:
    assert quote("a\u200bb") == "`a\\u200bb`"
    assert quote("a" * 100) == f"`{'a' * 60}…`"
    assert one_of(["a"]) == "`a`"
    assert one_of(["a", "b", "c"]) == "`a`, `b` or `c`"
