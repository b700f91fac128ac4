"""Aligning: the columns move, and nothing else; done twice it is done once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.fmt import fmt, fmt_all
from authz_sidecar.policy.parse import parse
from tests.policy.drawn import policies
from tests.policy.plainly import MODEL, shipped


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            "p,user:a,desk,tools/call,t,allow\np, role:long, d, *, tt, deny\n",
            "p, user:a,    desk, tools/call, t,  allow\np, role:long, d,    *,          tt, deny\n",
            id="columns",
        ),
        pytest.param(
            "p, user:a, desk, *, t, allow\ng,user:alice,role:r\ng, user:b,   role:r\n",
            "p, user:a, desk, *, t, allow\ng, user:alice, role:r\ng, user:b,     role:r\n",
            id="each kind of row for itself",
        ),
        pytest.param("# a  b,c\n\n  \np,a,b,c,d,e\n", "# a  b,c\n\n  \np, a, b, c, d, e\n", id="comments stay"),
        pytest.param(
            "# p, who, server, method, tool, effect\np,user:a,d,*,t,deny\n",
            "# p, who,    server, method, tool, effect\np,   user:a, d,      *,      t,    deny\n",
            id="a comment that names the columns moves with them",
        ),
        pytest.param('p, "a ""b"", c",d, *,t , deny\n', 'p, "a ""b"", c", d, *, t, deny\n', id="quotes stay"),
        pytest.param(
            "p,a,b,c,d,e\r\np, aa,b,c,d,e\r\n", "p, a,  b, c, d, e\r\np, aa, b, c, d, e\r\n", id="line ends stay"
        ),
        pytest.param('p,a,"b\np,a,b,c,d,e\n', 'p,a,"b\np, a, b, c, d, e\n', id="a line with a mistake stays"),
        pytest.param("p,a,b,c,d,e", "p, a, b, c, d, e", id="a missing line end stays missing"),
        pytest.param("p,#a,b\n", "p,#a,b\n", id="a hash sign that a blank would make a note"),
        pytest.param("p;a;b\n", "p;a;b\n", id="another separator stays"),
        pytest.param(
            f"p,{'x' * 60},b\np,a,b\n", f"p, {'x' * 60}, b\np, a, b\n", id="one long field does not widen its column"
        ),
        pytest.param("p, a, ,\n", "p, a, ,\n", id="empty fields"),
    ],
)
def test_columns_are_aligned_and_the_rest_stays(before: str, after: str) -> None:
    assert fmt("policy.csv", before.encode()) == after.encode()
    assert fmt("policy.csv", after.encode()) == after.encode()


def test_files_with_a_header_are_one_table() -> None:
    assert fmt("scopes.csv", b"server,method,tool,scopes\nd,*,t,a b\n") == (
        b"server, method, tool, scopes\nd,      *,      t,    a b\n"
    )


def test_the_shipped_files_are_aligned() -> None:
    assert fmt_all(shipped()) == {}


def test_all_files_of_rows_are_aligned_and_no_other() -> None:
    given = {"policy.d/a.csv": b"p,a\n", "model.conf": b"p,a\n", "tools.json": b"{}", "matrix.csv": b"a,b\n"}
    assert fmt_all(given) == {"policy.d/a.csv": b"p, a\n", "matrix.csv": b"a, b\n"}


@given(policies)
def test_the_meaning_stays(policy: str) -> None:
    def meaning(data: bytes) -> object:
        rules = parse({"policy.csv": data, "model.conf": MODEL}, Findings()).rules
        said = [(one.subject, one.server, one.method, one.tool, one.effect, one.line) for one in rules.rules]
        return said, [(one.member, one.role, one.line) for one in rules.memberships]

    crowded = policy.replace(", ", " ,   ").encode()
    assert meaning(fmt("policy.csv", crowded)) == meaning(crowded)


_text = st.text(alphabet='pg,"# \t\r\na*:ü\u00a0', max_size=80)


@given(_text.map(str.encode) | st.binary(max_size=200))
def test_any_bytes_are_aligned_once_and_read_alike(data: bytes) -> None:
    def read(data: bytes) -> object:
        found = Findings()
        rules = parse({"policy.csv": data, "model.conf": MODEL}, found).rules
        return [(one.code, one.line) for one in found.problems], len(rules.rules), len(rules.memberships)

    for file in ("policy.csv", "expectations.csv"):
        once = fmt(file, data)
        assert fmt(file, once) == once
    assert read(fmt("policy.csv", data)) == read(data)
