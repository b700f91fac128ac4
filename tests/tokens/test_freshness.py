"""How long a page may be used."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.tokens.freshness import LONGEST, SHORTEST, USUAL, lifetime


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({}, USUAL, id="nothing said"),
        pytest.param({"cache-control": "max-age=3600"}, 3600, id="max-age"),
        pytest.param({"cache-control": "public, MAX-AGE=3600, must-revalidate"}, 3600, id="among others, in capitals"),
        pytest.param({"cache-control": 'max-age="3600"'}, 3600, id="quoted"),
        pytest.param({"cache-control": "s-maxage=7200"}, USUAL, id="for shared caches, which we are not"),
        pytest.param({"cache-control": "max-age=3600", "age": "600"}, 3000, id="less its age"),
        pytest.param({"cache-control": "max-age=3600", "age": "9999"}, SHORTEST, id="older than it may be"),
        pytest.param({"cache-control": "max-age=3600", "age": "-5"}, 3600, id="a negative age"),
        pytest.param({"cache-control": "max-age=3600", "age": "²"}, 3600, id="a digit that is none"),
        pytest.param({"cache-control": "max-age=3600", "age": "9" * 5000}, SHORTEST, id="a huge age"),
        pytest.param({"cache-control": "max-age=0"}, SHORTEST, id="zero"),
        pytest.param({"cache-control": "max-age=999999999"}, LONGEST, id="very long"),
        pytest.param({"cache-control": "max-age=" + "9" * 50}, USUAL, id="absurdly long"),
        pytest.param({"cache-control": "max-age=-1"}, USUAL, id="negative"),
        pytest.param({"cache-control": "no-store"}, SHORTEST, id="no-store"),
        pytest.param({"cache-control": "no-cache, max-age=3600"}, SHORTEST, id="no-cache wins"),
        pytest.param({"cache-control": 'no-cache="set-cookie"'}, SHORTEST, id="no-cache of a field"),
    ],
)
def test_lifetime(headers: dict[str, str], seconds: float) -> None:
    assert lifetime(headers) == seconds


@given(st.text(), st.text())
def test_whatever_the_headers_say_the_bounds_hold(control: str, age: str) -> None:
    assert SHORTEST <= lifetime({"cache-control": control, "age": age}) <= LONGEST
