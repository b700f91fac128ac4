"""The line of each key, as messages name it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.tomlfile import Location, lines


@pytest.mark.parametrize(
    ("text", "where", "line"),
    [
        pytest.param("a = 1\nb = 2\n", ("b",), 2, id="a key"),
        pytest.param("[a]\nb = 1\n", ("a", "b"), 2, id="in a table"),
        pytest.param("[a.b]\n'c' = 1\n", ("a", "b", "c"), 2, id="in a table of a table"),
        pytest.param("[[a]]\nb = 1\n[[a]]\nb = 2\n", ("a", 1, "b"), 4, id="in the second of several"),
        pytest.param(
            "[[a]]\n[a.b]\nc = 1\n[[a]]\n[a.b]\nc = 2\n", ("a", 1, "b", "c"), 6, id="in a table of the second"
        ),
        pytest.param("[[a]]\n[[a]]\n[[a.b]]\n[[a.b]]\nc = 1\n", ("a", 1, "b", 1, "c"), 5, id="in a list of the second"),
        pytest.param("[a]\n[[a.b]]\nc = 1\n", ("a", "b", 0, "c"), 3, id="in a list of a table"),
    ],
)
def test_a_key_is_found_where_it_stands(text: str, where: Location, line: int) -> None:
    assert lines(text)[where] == line


@given(st.text(alphabet='[]ab."= \n'))
def test_every_line_is_one_of_the_text(text: str) -> None:
    assert all(1 <= line <= text.count("\n") + 1 for line in lines(text).values())
