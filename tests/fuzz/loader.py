"""The loader: any bytes in any file of a policy load, or are refused with places that are in the file."""

import re
from pathlib import Path
from typing import Final

from authz_sidecar.conditions.cel import Cel
from authz_sidecar.engines.casbin import CasbinEngine
from authz_sidecar.errors import EngineError, Problem
from authz_sidecar.model import Revision, Server
from authz_sidecar.policy import expect
from authz_sidecar.policy.build import Setting, _compile
from authz_sidecar.policy.csvrows import each_or
from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.parse import parse_policy, parse_rows
from authz_sidecar.policy.plainrows import LazyColumns, plain_rules
from authz_sidecar.policy.whens import Conditions
from authz_sidecar.ports import Policy
from authz_sidecar.rules import ScopeHierarchy
from tests.fuzz.target import Limit, finish

LIMIT: Final = Limit(steps=20_000, steps_a_byte=400, memory=800_000, memory_a_byte=4_000)
WORDS: Final = (
    *(
        "p, ",
        "g, ",
        "g2, ",
        "P,",
        ", allow\n",
        ", deny\n",
        "role:",
        "user:",
        "*",
        "\\*",
        '"',
        '""',
        "# until 2027-01-31\n",
    ),
    *("=== policy.csv\n", "=== scopes.csv\n", "=== expectations.csv\n", "=== matrix.csv\n", "=== model.conf\n"),
    *("=== policy.d/a.csv\n", "=== tools.json\n", "=== plain\n", "=== qualified\n", "tools/call", "resources/read"),
    *(
        "server,method,tool,scopes\n",
        "subjects,server,method,tool,scopes,args,expect\n",
        "file:///../x",
        "%2e",
        "\ufeff",
    ),
    *("[matchers]\nm = ", "g(r.sub, p.sub)", "keyMatch(r.obj, p.obj)", "regexMatch(", "eval(", " || ", "\r\n", "\x00"),
)
_ROOT: Final = Path(__file__).parents[2] / "policies"
_MODEL: Final = (_ROOT / "model.conf").read_bytes()
_SHIPPED: Final = b"".join(b"=== %s\n%s" % (name.encode(), (_ROOT / name).read_bytes()) for name in ("policy.csv",))
_RBAC: Final = (
    b"[request_definition]\nr = sub, dom, obj, act\n[policy_definition]\np = sub, dom, obj, act, eft\n"
    b"[role_definition]\ng = _, _, _\n[policy_effect]\n"
    b"e = some(where (p.eft == allow)) && !some(where (p.eft == deny))\n"
    b"[matchers]\nm = g(r.sub, p.sub, r.dom) && r.dom == p.dom && keyMatch(r.obj, p.obj) && r.act == p.act\n"
)
_FOREIGN: Final = _RBAC.replace(b"r.act == p.act", b"(r.act == p.act || r.obj == 'x')")
SEEDS: Final = (
    _SHIPPED,
    b'p, role:a, ops, tools/call, x, allow, "args.n <= 1"\ng, user:a, role:a\n',
    b"# until 2027-01-31\np,user:a,*,tools/call,x\\**,deny\n",
    b"p, role:a, ops, tools/call, x, allow\n=== scopes.csv\nserver,method,tool,scopes\nops,tools/call,x,a b\n",
    (
        b"p, role:a, ops, tools/call, x, allow\n=== expectations.csv\nsubjects,server,method,tool,scopes,args,expect\n"
        b"user:b role:a,ops,tools/call,x,,,allow\n"
    ),
    b"=== plain\n=== model.conf\n"
    + _RBAC
    + b"=== policy.csv\np, admin, ops, x*, tools/call, allow\ng, al, admin, ops\n",
    b"=== model.conf\n" + _FOREIGN + b"=== policy.csv\np, role:a, ops, x, tools/call, allow\ng, user:a, role:a, ops\n",
    b'=== tools.json\n{"ops": {"tools": [{"name": "x", "inputSchema": {"type": "object"}}]}}\n',
    b"p;role:a;ops;tools/call;x;allow\n",
    b"\xff\xfep\x00",
)
_PART: Final = re.compile(rb"^=== ([a-z.]{1,20}(?:/[a-z.]{1,10})?)\n", re.MULTILINE)
_SETTINGS: Final = {
    (plain, qualified): Setting(
        engine=CasbinEngine(),
        servers={"ops": Server(name="ops", audience="a"), "billing": Server(name="billing", audience="b")},
        qualified_by=frozenset({"corp", "ext"}) if qualified else frozenset(),
        hierarchy=ScopeHierarchy(),
        plain_subjects=plain,
        clock=lambda: 1_800_000_000.0,
        conditions=Conditions(language=Cel(), claims=frozenset({"tenant"}), context=frozenset({"ip"})),
    )
    for plain in (False, True)
    for qualified in (False, True)
}
_QUESTIONS: Final = (("ops", "tools/call", "x"), ("ops", "resources/read", "file:///a"), ("billing", "tools/list", ""))


def run(data: bytes) -> None:
    """Load, judge a few questions, and hold every problem to its place."""
    files = {"policy.csv": b"", "model.conf": _MODEL}
    first, *parts = _PART.split(data)
    files["policy.csv"] = first
    named = dict(zip((name.decode() for name in parts[::2]), parts[1::2], strict=True))
    files |= {name: part for name, part in named.items() if name not in ("plain", "qualified")}
    _read_alike(first)
    found = Findings()
    setting = _SETTINGS["plain" in named, "qualified" in named]
    parsed, compiled = _compile(files, setting, found)
    for problem in (*found.problems, *found.warnings):
        _place(problem, files)
    assert (compiled is None) is bool(found.problems), "neither refused nor compiled"
    if compiled is None:
        return
    policy = Policy(revision=Revision("sha256:0"), rules=parsed.rules, compiled=compiled)
    finish(expect.run(policy, setting.servers, setting.hierarchy, found))
    for question in _QUESTIONS:
        try:
            finish(compiled.judge(frozenset({"user:a", "role:a"}), *question))
        except EngineError:
            assert parsed.rules.foreign is not None, "our own engine failed"


def _read_alike(data: bytes) -> None:
    """Hold the quick reader of plain rows to the careful one."""
    careful, quick = Findings(), Findings()
    expected = parse_policy(data, {}, careful)
    rows = each_or(plain_rules("policy.csv"), "policy.csv", data, quick, ends=True)
    assert parse_rows(rows, LazyColumns({"policy.csv": data}), quick) == expected, "the quick reader differs"
    assert (quick.problems, quick.warnings) == (careful.problems, careful.warnings), "the quick reader says otherwise"


def _place(problem: Problem, files: dict[str, bytes]) -> None:
    assert problem.message
    assert problem.message.isprintable(), f"a message with what cannot be seen: {problem.message!a}"
    assert 0 <= problem.line <= files.get(problem.file, b"").count(b"\n") + 1, f"no such line: {problem}"
    if problem.line and problem.column:
        line = files[problem.file].split(b"\n")[problem.line - 1]
        assert problem.column <= len(line) + 1, f"no such column: {problem}"
