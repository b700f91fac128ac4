"""Mending: what has one meaning is mended, nothing else, and no answer changes."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.errors import PolicyProblems
from authz_sidecar.policy.fix import fix
from tests.policy.drawn import CALM, answers, files, loaded, policies, scopes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("P, user:a, desk, *, t, Deny\n", "p, user:a, desk, *, t, deny\n", id="kind and effect"),
        pytest.param("p, User:a, desk, *, t, ALLOW\n", "p, user:a, desk, *, t, allow\n", id="prefix of a subject"),
        pytest.param("G, USER:a, Role:r\n", "g, user:a, role:r\n", id="both names of a membership"),
        pytest.param('p, user:a, desk, *, t, "Deny"\n', None, id="what is quoted is meant"),
        pytest.param("p, user:a, desk, *, t, denied\n", None, id="another word"),
        pytest.param("p, user:a, Desk, *, T, deny\n", None, id="names of servers and tools"),
        pytest.param("x, User:a, desk, *, t, Deny\n", None, id="another kind of row"),
        pytest.param(
            "# one\np, user:a, desk, *, t, deny\n# two\np,user:a,desk,*,t,deny\n",
            "# one\np, user:a, desk, *, t, deny\n# two\n",
            id="a p row said twice",
        ),
        pytest.param("g, user:a, role:r\ng, user:a, role:r\n", "g, user:a, role:r\n", id="a g row said twice"),
        pytest.param(
            "p, user:a, desk, *, t, allow\np, role:r, desk, *, t, allow\ng, user:a, role:r\n",
            "p, role:r, desk, *, t, allow\ng, user:a, role:r\n",
            id="an allow row that a role gives",
        ),
        pytest.param(
            "p, user:a, desk, *, t, deny\np, role:r, desk, *, t, deny\ng, user:a, role:r\n",
            None,
            id="a deny row that a role gives stays, or it would open when the role goes",
        ),
        pytest.param(
            "p, user:a, desk, *, t, allow\np, role:r, desk, *, *, allow\ng, user:a, role:r\n",
            None,
            id="a broader row is for a person to judge",
        ),
        pytest.param("p, user:a, desk, *, t, deny\np, user:a, desk, *, t, deny\nq\n", None, id="not beside mistakes"),
        pytest.param(
            "p, user:a, desk, *, t, allow\n# until 2099-01-01\np, user:a, desk, *, t, allow\n",
            None,
            id="a row that ends stays",
        ),
    ],
)
def test_what_has_one_meaning_is_mended(before: str, after: str | None) -> None:
    changed, done = fix({"policy.csv": before.encode()})
    assert changed == ({} if after is None else {"policy.csv": after.encode()})
    assert bool(done) == bool(changed)


def test_scope_rows_and_further_files_are_mended_too() -> None:
    given = files("p, user:a, desk, *, t, deny\n", scopes="desk,*,t,a b\ndesk,*,t,b a\n")
    given["policy.d/more.csv"] = b"P, user:a, desk, *, t, deny\np, user:b, desk, *, t, deny\n"
    changed, done = fix(given)
    assert changed == {
        "scopes.csv": b"server,method,tool,scopes\ndesk,*,t,a b\n",
        "policy.d/more.csv": b"p, user:b, desk, *, t, deny\n",
    }
    assert [str(one) for one in done] == [
        "policy.d/more.csv:1: `P` is spelled `p`",
        "policy.d/more.csv:1: removed `p, user:a, desk, *, t, deny`: policy.csv:1 says the same",
        "scopes.csv:3: removed `desk,*,t,b a`: scopes.csv:2 says the same",
    ]


def test_names_without_prefixes_are_left_alone() -> None:
    assert fix({"policy.csv": b"p, Role:a, desk, *, t, deny\n"}, prefixed=False) == ({}, ())


@CALM
@given(policies, scopes)
def test_mending_changes_no_answer_and_is_done_at_once(policy: str, scope_rows: str) -> None:
    given = files(policy * 2, scopes=scope_rows * 2)
    mended = given | fix(given)[0]
    assert fix(mended) == ({}, ())
    before = loaded(policy * 2, scopes=scope_rows * 2)
    after = loaded(mended["policy.csv"].decode(), scopes=mended["scopes.csv"].decode().partition("\n")[2])
    assert answers(before) == answers(after, like=before)


@given(st.binary(max_size=300))
def test_any_bytes_are_mended_or_left_alone(data: bytes) -> None:
    with suppress(PolicyProblems):
        changed, _ = fix({"policy.csv": data, "scopes.csv": data})
        assert fix(changed)[0] == {}
