"""Casbin policies that exist, as policies of ours: the same answers, or a reason."""

import itertools
from contextlib import suppress
from pathlib import Path

import casbin
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from authz_sidecar.cli.root import cli
from authz_sidecar.errors import PolicyProblems
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.foreigncsv import SEPARATORS, translated
from authz_sidecar.policy.imported import Wording, imported
from authz_sidecar.policy.parse import parse_policy
from authz_sidecar.policy.pull import as_csv
from authz_sidecar.rules import Rules
from tests.effort import examples
from tests.policy.plainly import LinearPolicy

METHODS = {"read": "resources/read", "write": "tools/call"}


def model(
    request: str, policy: str, matcher: str, *, roles: str = "", effect: str = "some(where (p.eft == allow))"
) -> str:
    return (
        f"[request_definition]\nr = {request}\n[policy_definition]\np = {policy}\n"
        f"{f'[role_definition]{chr(10)}{roles}{chr(10)}' if roles else ''}"
        f"[policy_effect]\ne = {effect}\n[matchers]\nm = {matcher}\n"
    )


OVERRIDE = "some(where (p.eft == allow)) && !some(where (p.eft == deny))"
ACL = model("sub, obj, act", "sub, obj, act", "r.sub == p.sub && r.obj == p.obj && r.act == p.act")
RBAC = model("sub, obj, act", "sub, obj, act", "g(r.sub, p.sub) && r.obj == p.obj && r.act == p.act", roles="g = _, _")
DENY = model(
    "sub, obj, act",
    "sub, obj, act, eft",
    "g(r.sub, p.sub) && keyMatch(r.obj, p.obj) && r.act == p.act",
    roles="g = _, _",
    effect=OVERRIDE,
)
GROUPS = model(
    "sub, obj, act",
    "sub, obj, act",
    "g(r.sub, p.sub) && g2(r.obj, p.obj) && r.act == p.act",
    roles="g = _, _\ng2 = _, _",
)
DOMAINS = model(
    "sub, dom, obj, act",
    "sub, dom, obj, act",
    "g(r.sub, p.sub, r.dom) && r.dom == p.dom && r.obj == p.obj && r.act == p.act",
    roles="g = _, _, _",
)


def convert(text: str, policy: str, **wording: object) -> str:
    words = Wording(**({"methods": METHODS} | wording))  # type: ignore[arg-type] # named by the tests
    return as_csv(imported(("model.conf", text.encode()), ("policy.csv", policy.encode()), words)).decode()


def refused(text: str, policy: str, **wording: object) -> list[str]:
    with pytest.raises(PolicyProblems) as caught:
        convert(text, policy, **wording)
    return [f"{one.code} {one}" for one in caught.value.problems]


_NAME = st.sampled_from(["alice", "bob", "admin", "editor"])
_DOMAIN = st.sampled_from(["d1", "d2"])
_TOOL = st.sampled_from(["t1", "t2", "all"])
_ACT = st.sampled_from(["read", "write"])
_ROLE = st.sampled_from([("alice", "admin"), ("bob", "editor"), ("admin", "editor"), ("alice", "editor")])


def _lines(*rows: st.SearchStrategy[tuple[str, ...]]) -> st.SearchStrategy[str]:
    return st.lists(st.one_of(*rows), min_size=1, max_size=8, unique=True).map(
        lambda found: "".join(", ".join(row) + "\n" for row in found)
    )


def _p(*fields: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.tuples(st.just("p"), *fields)


_g = _ROLE.map(lambda pair: ("g", *pair))
_FAMILIES = {
    ACL: _lines(_p(_NAME, _TOOL, _ACT)),
    RBAC: _lines(_p(_NAME, _TOOL, _ACT), _g),
    DENY: _lines(_p(_NAME, st.sampled_from(["t1", "t*", "*"]), _ACT, st.sampled_from(["allow", "deny"])), _g),
    GROUPS: _lines(_p(_NAME, _TOOL, _ACT), _g, st.sampled_from([("g2", "t1", "all"), ("g2", "t2", "all")])),
    DOMAINS: _lines(
        _p(_NAME, _DOMAIN, _TOOL, _ACT), st.tuples(_ROLE, _DOMAIN).map(lambda pair: ("g", *pair[0], pair[1]))
    ),
}


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in
    {"ACL": ACL, "RBAC": RBAC, "deny": DENY, "groups": GROUPS, "domains": DOMAINS}.items()])  # fmt: skip
async def test_what_is_imported_answers_as_casbin_did(tmp_path: Path, text: str, data: st.DataObject) -> None:
    policy = data.draw(_FAMILIES[text])
    (tmp_path / "model.conf").write_text(text)
    (tmp_path / "policy.csv").write_text(policy)
    enforcer = casbin.Enforcer(str(tmp_path / "model.conf"), str(tmp_path / "policy.csv"))
    found = Findings()
    rules, memberships = parse_policy(convert(text, policy).encode(), {}, found)
    assert not found.problems
    ours = LinearPolicy(Rules(rules=rules, memberships=memberships))
    domains = ["d1", "d2"] if text == DOMAINS else [""]
    for user, domain, tool, (act, method) in itertools.product(
        ["alice", "bob"], domains, ["t1", "t2", "all"], METHODS.items()
    ):
        if any(row.role == f"role:{user}" for row in memberships):
            continue
        theirs = enforcer.enforce(*[one for one in (user, domain, tool, act) if one])
        verdict = await ours.judge(frozenset({f"user:{user}"}), domain or "any", method, tool)
        assert bool(verdict) is theirs, (user, domain, tool, act)


def test_names_get_their_kind_and_rows_their_columns() -> None:
    assert convert(RBAC, "p, admin, t1, write\np, carol, t1, write\ng, alice, admin\n", server="ops") == (
        "# p, subject,    server, method,     tool, effect\n"
        "p,   role:admin, ops,    tools/call, t1,   allow\n"
        "p,   user:carol, ops,    tools/call, t1,   allow\n"
        "\n"
        "# g, member,     role\n"
        "g,   user:alice, role:admin\n"
    )


def test_ends_come_along() -> None:
    assert "# until 2027-01-31\ng,   user:alice," in convert(RBAC, "p, a, t, read\n# until 2027-01-31\ng, alice, a\n")


@pytest.mark.parametrize(
    ("text", "policy", "wording", "problem"),
    [
        pytest.param(RBAC, "p, a, t, chat\n", {}, "unknown-method policy.csv:1: no method of MCP is called `chat`, "
            "say what it means: `--method chat=tools/call`", id="an action that MCP does not know"),
        pytest.param(RBAC.replace("r.act == p.act", "regexMatch(r.act, p.act)"), "p, a, t, read\n", {},
            "foreign-model model.conf: only Casbin can say", id="a matcher that only Casbin knows"),
        pytest.param(DENY, "p, a, t*x, read, allow\n", {}, "star-inside policy.csv:1", id="a star inside"),
        pytest.param(RBAC, "p, a, t\n", {}, "row-too-short policy.csv:1", id="a row too short"),
        pytest.param(RBAC, "P, a, t, read\n", {}, "unknown-row-kind policy.csv:1", id="another row kind"),
        pytest.param(DOMAINS, "g, u, b/c, a\ng, u, c, a/b\n", {},
            "ambiguous-role policy.csv:2: `role:a/b/c` would stand for two roles", id="two roles of one spelling"),
        pytest.param("", "", {}, "model-incomplete model.conf", id="no model"),
    ],
)  # fmt: skip
def test_what_has_no_exact_meaning_is_refused_with_the_reason(
    text: str, policy: str, wording: dict[str, object], problem: str
) -> None:
    assert refused(text, policy, **wording)[0].startswith(problem)


@pytest.mark.parametrize(
    ("dialect", "data"),
    [
        pytest.param("casbin", b'# note\np, a, "t,1"\n\n', id="as it stands"),
        pytest.param("excel", b'\xef\xbb\xbfsep=;\r\n# note;;\r\np;a;"t,1";\r\n;;\r\n', id="Excel"),
        pytest.param("semicolon", b'# note\np; a; "t,1"\n', id="semicolons"),
        pytest.param("tab", '# note\t\t\r\np\ta\t"t,1"\t\r\n'.encode("utf-16"), id="Unicode Text"),
        pytest.param("comma", b'"# note",,\np,a,"t,1",,\n', id="commas"),
    ],
)
def test_other_dialects_are_translated(dialect: str, data: bytes) -> None:
    from authz_sidecar.policy.csvrows import read

    found = Findings()
    rows = read("x.csv", translated("x.csv", data, dialect, found), found)
    assert [tuple(field.text for field in row.fields) for row in rows] == [("p", "a", "t,1")]
    assert not found.problems


@given(st.binary(max_size=200), st.sampled_from(sorted(SEPARATORS)))
def test_any_bytes_are_translated_or_refused(data: bytes, dialect: str) -> None:
    translated("x.csv", data, dialect, Findings())


@given(st.text(max_size=200))
def test_any_policy_is_imported_or_refused(text: str) -> None:
    with suppress(PolicyProblems):
        convert(RBAC, text)


def test_the_command_writes_a_policy_or_says_why_not(tmp_path: Path) -> None:
    (tmp_path / "m.conf").write_text(RBAC)
    (tmp_path / "p.csv").write_text("p, admin, t1, write\ng, alice, admin\n")
    command = ["policy", "import", "--model", str(tmp_path / "m.conf"), str(tmp_path / "p.csv")]
    out = tmp_path / "policy.csv"
    run = CliRunner().invoke(cli, [*command, "--method", "write=tools/call", "-o", str(out)], standalone_mode=False)
    assert run.return_value == 0, run.output
    assert "role:admin" in out.read_text()
    printed = CliRunner().invoke(cli, [*command, "--method", "write=tools/call"], standalone_mode=False)
    assert printed.output == out.read_text()
    told = CliRunner().invoke(cli, [*command, "--method", "write=tools/call", "--json"], standalone_mode=False)
    assert '"rows": 2' in told.output
    assert isinstance(CliRunner().invoke(cli, command, standalone_mode=False).exception, PolicyProblems)
    for wrong in (["--method", "write"], ["--method", "write=tools/call", "-o", str(out)]):
        assert CliRunner().invoke(cli, [*command, *wrong], standalone_mode=False).exception is not None


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param("p;a;é\n".encode("latin-1"), "is not UTF-8", id="Latin 1"),
        pytest.param("p;a\n".encode("utf-16") + b"x", "is not UTF-16", id="half a character"),
        pytest.param(b'p;"a\n', "is not CSV", id="an open quote"),
    ],
)
def test_what_is_no_text_or_no_csv_is_refused(data: bytes, says: str) -> None:
    found = Findings()
    translated("x.csv", data, "semicolon", found)
    assert says in str(found.problems[0])
