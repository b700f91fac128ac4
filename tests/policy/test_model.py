"""The model file: a family is understood exactly, some are left to Casbin, the rest is refused with its place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.model import CANONICAL, read_model
from authz_sidecar.policy.shape import OWN, How, Part, Shape
from tests.policy.plainly import MODEL

TEXT = MODEL.decode()
DENY_OVERRIDES = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"
ALLOW_OVERRIDES = "some(where (p.eft == allow))"


def model(r: str, m: str, *, p: str | None = None, g: str = "", e: str = DENY_OVERRIDES) -> str:
    """Write a model; line 2 is `r`, 4 is `p`, 6 is `e`, 8 is `m`, 10 and 11 are `g` and `g2`."""
    roles = f"[role_definition]\n{g}\n" if g else ""
    return (
        f"[request_definition]\nr = {r}\n[policy_definition]\np = {p or r + ', eft'}\n[policy_effect]\ne = {e}\n"
        f"[matchers]\nm = {m}\n{roles}"
    )


def read(text: str) -> tuple[Shape | None, list[tuple[int, int, str]]]:
    found = Findings()
    shape = read_model("model.conf", text.encode(), found)
    return shape, [(problem.line, problem.column, problem.code) for problem in found.problems]


def problems(text: str) -> list[tuple[int, int, str]]:
    shape, found = read(text)
    assert (shape is None) == bool(found)
    return found


def hows(text: str) -> list[tuple[str, Part, How]]:
    shape, found = read(text)
    assert found == []
    assert shape is not None
    return [(column.name, column.part, column.how) for column in shape.columns]


def test_the_shipped_model_is_our_own() -> None:
    assert read(TEXT) == (OWN, [])


def test_what_engines_get_is_our_own() -> None:
    assert read(CANONICAL) == (OWN, [])


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
def test_other_spellings_of_our_model_are_our_own(old: str, new: str) -> None:
    assert read(TEXT.replace(old, new)) == (OWN, [])


def test_a_list_of_who_may_do_what_has_no_roles() -> None:
    text = model("sub, obj, act", "r.sub == p.sub && r.obj == p.obj && r.act == p.act", p="sub, obj, act")
    assert hows(text) == [
        ("sub", Part.SUBJECT, How.SAME),
        ("obj", Part.TOOL, How.SAME),
        ("act", Part.METHOD, How.SAME),
    ]


@pytest.mark.parametrize(
    ("text", "roles", "groups"),
    [
        pytest.param(
            model("sub, obj", "p.sub == r.sub && r.obj==p.obj"), 0, False, id="an equality the other way round"
        ),
        pytest.param(
            model("sub, obj, act", "g(r.sub, p.sub) && r.obj == p.obj && keyMatch(r.act, p.act)", g="g = _, _"),
            2,
            False,
            id="roles",
        ),
        pytest.param(
            model(
                "sub, dom, obj, act",
                "g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.obj == p.obj && r.act == p.act",
                g="g = _, _, _",
            ),
            3,
            False,
            id="roles by domain",
        ),
        pytest.param(
            model("sub, obj, act", "g(r.sub, p.sub) && g2(r.obj, p.obj) && r.act == p.act", g="g = _, _\ng2 = _, _"),
            2,
            True,
            id="resource roles",
        ),
        pytest.param(
            model("sub, obj", "r.sub == p.sub && r.obj == p.obj", p="sub, obj", e=ALLOW_OVERRIDES),
            0,
            False,
            id="no deny can be written, so allow may override",
        ),
        pytest.param(
            model("sub, tool", "keyMatch(r.sub, p.sub) && match(r.tool, p.tool)", p="eft, tool, sub"),
            0,
            False,
            id="fields in another order, and our words",
        ),
    ],
)
def test_the_families_of_the_manual_are_understood(text: str, roles: int, groups: bool) -> None:
    shape, found = read(text)
    assert found == []
    assert shape is not None
    assert (shape.roles, shape.groups, shape.foreign, shape.own) == (roles, groups, "", False)


@pytest.mark.parametrize(
    "matcher",
    [
        pytest.param("g(r.sub, p.sub) && (r.obj == p.obj || p.obj == 'any')", id="or"),
        pytest.param("g(r.sub, p.sub) && regexMatch(r.obj, p.obj)", id="a pattern function that is not ours"),
        pytest.param("g(r.sub, p.sub) && !keyMatch2(r.obj, p.obj)", id="not"),
        pytest.param("r.sub == p.sub || g(r.sub, p.sub) && r.obj == p.obj", id="a subject looked at twice"),
        pytest.param('g(r.sub, p.sub) && r.obj != p.obj && p.eft != "x"', id="unequal"),
    ],
)
def test_another_matcher_is_left_to_casbin_and_its_cost_is_said(matcher: str) -> None:
    found = Findings()
    shape = read_model("model.conf", model("sub, obj", matcher, g="g = _, _").encode(), found)
    assert found.problems == ()
    assert shape is not None
    assert f"m = {matcher}" in shape.foreign
    (warning,) = found.warnings
    assert (warning.line, warning.column, warning.code) == (8, 5, "model-not-compiled")
    assert "10 µs a row" in warning.message


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
        pytest.param("[role_definition]\ng3 = _, _\n", (2, 1, "unknown-key"), id="third g"),
        pytest.param("\x00\n", (1, 1, "control-character"), id="control character"),
        pytest.param("\ufeff[matchers]\n", (1, 1, "byte-order-mark"), id="byte order mark"),
    ],
)
def test_a_file_that_is_no_model_is_refused_where_it_errs(text: str, problem: tuple[int, int, str]) -> None:
    assert problem in problems(text)


_REQUEST = (2, 5, "unsupported-request-definition")
_POLICY = (4, 5, "unsupported-policy-definition")
_EFFECT = (6, 5, "unsupported-policy-effect")
_MATCHERS = (8, 5, "unsupported-matchers")
_ROLES = (10, 5, "unsupported-role-definition")
_SAME = "r.sub == p.sub && r.obj == p.obj"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param(model("sub, obj, owner", _SAME, p="sub, obj"), _REQUEST, id="a field that nobody knows"),
        pytest.param(model("sub, obj, eft", _SAME, p="sub, obj"), _REQUEST, id="an effect in the request"),
        pytest.param(model("sub, obj, tool", _SAME, p="sub, obj"), _REQUEST, id="the tool twice"),
        pytest.param(model("obj, act", "r.obj == p.obj && r.act == p.act"), _REQUEST, id="nobody asks"),
        pytest.param(model("sub, obj", _SAME, p="sub, eft"), _POLICY, id="a field that rows do not have"),
        pytest.param(model("sub, obj", _SAME, p="sub, obj, act"), _POLICY, id="a field that requests do not have"),
        pytest.param(model("sub, obj", _SAME, e=ALLOW_OVERRIDES), _EFFECT, id="every deny row would be dead"),
        pytest.param(model("sub, obj", _SAME, e="!some(where (p.eft == deny))"), _EFFECT, id="silence would allow"),
        pytest.param(model("sub, obj", _SAME, e="priority(p.eft) || deny"), _EFFECT, id="the first row would win"),
        pytest.param(
            model("sub, obj", _SAME, e=DENY_OVERRIDES.replace("where", "wh ere", 1)), _EFFECT, id="a word cut"
        ),
        pytest.param(model("sub, obj", "true"), _MATCHERS, id="a matcher that lets everybody in"),
        pytest.param(model("sub, obj", "r.sub == p.sub"), _MATCHERS, id="a matcher without the tool"),
        pytest.param(model("sub, obj", "r.sub == p.sub && r.obj == r.obj"), _MATCHERS, id="a field against itself"),
        pytest.param(model("sub, obj", "r.sub == p.sub && r.obj == p.sub"), _MATCHERS, id="a field against another"),
        pytest.param(model("sub, obj", f"{_SAME} || r.sub == 'root'"), _MATCHERS, id="a name in the matcher"),
        pytest.param(model("sub, obj", f"{_SAME} && eval(p.obj)"), _MATCHERS, id="eval"),
        pytest.param(model("sub, obj", f"{_SAME} && r.sub.Age > 18"), _MATCHERS, id="attributes"),
        pytest.param(model("sub, obj", f"{_SAME} && 'a && b' == p.obj"), _MATCHERS, id="a text that casbin rewrites"),
        pytest.param(model("sub, obj", f"{_SAME} || keyMatch(p.act, 'x')"), _MATCHERS, id="a field nobody defined"),
        pytest.param(model("sub, obj", f"{_SAME} || g2(r.obj, p.obj)"), _MATCHERS, id="groups that nobody defined"),
        pytest.param(model("sub, obj", "g(r.sub, p.sub) && r.obj == p.obj"), _MATCHERS, id="roles nobody defined"),
        pytest.param(model("sub, obj", _SAME, g="g = _, _"), _MATCHERS, id="roles that nobody asks for"),
        pytest.param(
            model("sub, obj", "regexMatch(r.sub, p.sub) && r.obj == p.obj"), _MATCHERS, id="a pattern for the caller"
        ),
        pytest.param(
            model("sub, obj", "g(r.sub, p.sub) && r.obj == p.obj", g="g = _, _, _"), _MATCHERS, id="a server is missing"
        ),
        pytest.param(
            model("sub, obj", "g(r.sub, p.sub) && r.obj == p.obj", g="g = _, _, _, _"), _ROLES, id="four places"
        ),
        pytest.param(
            model("sub, obj", "r.sub == p.sub && g2(r.obj, p.obj)", g="g = _, _\ng2 = _, _, _"),
            (11, 6, _ROLES[2]),
            id="by server",
        ),
    ],
)
def test_another_model_is_refused_where_it_differs(text: str, problem: tuple[int, int, str]) -> None:
    assert problems(text) == [problem]


def test_groups_without_roles_are_refused_since_casbin_overlooks_them() -> None:
    text = model("sub, obj", "r.sub == p.sub && g2(r.obj, p.obj)", g="g2 = _, _")
    assert problems(text) == [(10, 6, "unsupported-role-definition")]


def test_several_problems_are_reported_at_once() -> None:
    assert problems(model("sub, obj", _SAME, e="priority(p.eft)", g="g = _")) == [_EFFECT, _ROLES]


def test_each_missing_section_is_named() -> None:
    found = Findings()
    read_model("model.conf", b"[role_definition]\n", found)
    assert [problem.code for problem in found.problems] == ["model-incomplete"] * 4
    assert "`[matchers]`, for example with `m = g(r.sub, p.sub)" in str(found.problems)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_problems_of_ours(data: bytes) -> None:
    found = Findings()
    assert read_model("model.conf", data, found) is None
    assert found.problems


@given(st.text(alphabet="grsubpojact.,&|!=()'\" 2", max_size=60))
def test_any_matcher_is_understood_or_refused(matcher: str) -> None:
    shape, found = read(model("sub, obj", matcher or "x", g="g = _, _\ng2 = _, _"))
    assert (shape is None) == bool(found)
