"""The model file: one family is accepted, everything else is refused with its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.model import CANONICAL, read_model
from tests.policy.plainly import MODEL

TEXT = MODEL.decode()


def read(text: str) -> list[tuple[int, int, str]]:
    found = Findings()
    assert read_model("model.conf", text.encode(), found) == CANONICAL
    return [(problem.line, problem.column, problem.code) for problem in found.problems]


def test_the_shipped_model_is_accepted() -> None:
    assert read(TEXT) == []


def test_what_engines_get_is_itself_accepted() -> None:
    assert read(CANONICAL) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("r = sub, server", "r=sub,server", id="tight"),
        pytest.param(
            "g(r.sub, p.sub) && match(r.server, p.server)", "match(r.server,p.server)&&g(r.sub,p.sub)", id="order"
        ),
        pytest.param("[matchers]", "; note\n  [matchers]  ", id="note and blanks"),
        pytest.param("\n", "\r\n", id="line ends of Windows"),
    ],
)
def test_other_spellings_of_the_same_model_are_accepted(old: str, new: str) -> None:
    assert read(TEXT.replace(old, new)) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("[matcher]\n", (1, 1, "unknown-section"), id="unknown section"),
        pytest.param("[matchers\n", (1, 1, "unknown-section"), id="open bracket"),
        pytest.param("r = sub\n", (1, 1, "key-outside-section"), id="line before any section"),
        pytest.param("[matchers]\n  x = 1\n", (2, 3, "unknown-key"), id="unknown key"),
        pytest.param("[matchers]\nm\n", (2, 1, "unknown-key"), id="line without an equals sign"),
        pytest.param("[matchers]\n[matchers]\n", (2, 1, "repeated-section"), id="section twice"),
        pytest.param("[role_definition]\ng = _, _\ng = _, _\n", (3, 1, "repeated-key"), id="key twice"),
        pytest.param("[role_definition]\ng = _, _, _\n", (2, 5, "unsupported-role-definition"), id="domains"),
        pytest.param("[role_definition]\ng2 = _, _\n", (2, 1, "unknown-key"), id="second g"),
        pytest.param(
            "[request_definition]\nr = sub, obj, act\n", (2, 5, "unsupported-request-definition"), id="other request"
        ),
        pytest.param(
            "[policy_definition]\np = sub, server, method, tool\n", (2, 5, "unsupported-policy-definition"), id="no eft"
        ),
        pytest.param(
            "[policy_effect]\ne = some(where (p.eft == allow))\n",
            (2, 5, "unsupported-policy-effect"),
            id="an effect in which deny does not override",
        ),
        pytest.param(
            "[policy_effect]\ne = some(wh ere (p.eft == allow)) && !some(where (p.eft == deny))\n",
            (2, 5, "unsupported-policy-effect"),
            id="a word cut in two",
        ),
        pytest.param("[matchers]\nm = true\n", (2, 5, "unsupported-matchers"), id="a matcher that lets everybody in"),
        pytest.param(
            "[matchers]\nm = g(r.sub, p.sub) && match(r.server, p.server) && match(r.method, p.method)\n",
            (2, 5, "unsupported-matchers"),
            id="a matcher without the tool",
        ),
        pytest.param(
            "[matchers]\nm = g(r.sub, p.sub) || match(r.server, p.server)\n", (2, 5, "unsupported-matchers"), id="or"
        ),
        pytest.param("\x00\n", (1, 1, "control-character"), id="control character"),
        pytest.param("\ufeff[matchers]\n", (1, 1, "byte-order-mark"), id="byte order mark"),
    ],
)
def test_another_model_is_refused_where_it_differs(text: str, problem: tuple[int, int, str]) -> None:
    assert read(text) == [problem]


def test_each_missing_section_is_named() -> None:
    found = Findings()
    read_model("model.conf", b"[role_definition]\n", found)
    assert [problem.code for problem in found.problems] == ["model-incomplete"] * 5
    assert "`[matchers]` with `m = g(r.sub, p.sub)" in str(found.problems)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_problems_of_ours(data: bytes) -> None:
    found = Findings()
    read_model("model.conf", data, found)
    assert found.problems
