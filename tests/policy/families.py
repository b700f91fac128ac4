"""Policies of the families of Casbin's manual, drawn at random on the servers of `drawn`, as people write them."""

import asyncio

from hypothesis import strategies as st

from authz_sidecar.engines.casbin import CasbinEngine
from authz_sidecar.model import Revision
from authz_sidecar.policy.build import Built, Setting, build
from authz_sidecar.policy.coverage import Coverage, measure
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Rules
from tests.policy.drawn import ANYONE, HIERARCHY, SERVERS, files

Case = tuple[str, str]
"""A model and the rows for it."""

_DENY = "e = some(where (p.eft == allow)) && !some(where (p.eft == deny))"


def model(request: str, matcher: str, *, roles: str = "", policy: str = "") -> str:
    """Spell a model whose effect lets deny override."""
    defined = f"[role_definition]\n{roles}\n" if roles else ""
    return (
        f"[request_definition]\nr = {request}\n[policy_definition]\np = {policy or request}, eft\n{defined}"
        f"[policy_effect]\n{_DENY}\n[matchers]\nm = {matcher}\n"
    )


ACL = model("sub, obj, act", "r.sub == p.sub && r.obj == p.obj && r.act == p.act")
DOMAINS = model(
    "sub, dom, obj, act",
    "g(r.sub, p.sub, r.dom) && r.dom == p.dom && keyMatch(r.obj, p.obj) && keyMatch(r.act, p.act)",
    roles="g = _, _, _",
)
GROUPS = model(
    "sub, dom, obj, act",
    "g(r.sub, p.sub) && keyMatch(r.dom, p.dom) && g2(r.obj, p.obj) && r.act == p.act",
    roles="g = _, _\ng2 = _, _",
)
BOTH = model(
    "sub, dom, obj, act",
    "g(r.sub, p.sub, r.dom) && keyMatch(r.dom, p.dom) && g2(r.obj, p.obj) && keyMatch(r.act, p.act)",
    roles="g = _, _, _\ng2 = _, _",
)
FOREIGN = model(
    "sub, dom, obj, act",
    "g(r.sub, p.sub, r.dom) && keyMatch(r.dom, p.dom) && (r.obj == p.obj || keyMatch2(r.obj, p.obj)) && r.act == p.act",
    roles="g = _, _, _",
)

_ROLES = ("role:r", "role:s", "role:t")
_subject = st.sampled_from(("user:a", "user:b", *_ROLES))
_effect = st.sampled_from(("allow", "allow", "deny"))
_pair = st.sampled_from(
    ("user:a, role:r", "user:b, role:s", "role:r, role:s", "role:s, role:t", "user:b, role:t", "user:a, role:t")
)
_server = st.sampled_from(("desk", "shop"))
_servers = st.sampled_from(("desk", "shop", "*"))
_method = st.sampled_from(("tools/call", "tools/call", "prompts/get", "tools/list"))
_methods = st.one_of(_method, st.sampled_from(("tools/*", "*")))
_tool = st.sampled_from(("t", "tt", "u", "grp", "top"))
_tools = st.sampled_from(("t", "tt", "t*", "u", "*"))
_group = st.sampled_from(("t, grp", "tt, grp", "u, top", "grp, top", "tt, top"))


def _lines(*columns: st.SearchStrategy[str], kind: str = "p", most: int = 6) -> st.SearchStrategy[str]:
    least = 1 if kind == "p" else 0
    row = st.tuples(*columns).map(lambda fields: f"{kind}, {', '.join(fields)}\n")
    return st.lists(row, min_size=least, max_size=most, unique=kind != "p").map("".join)


def _joined(model: str, *rows: st.SearchStrategy[str]) -> st.SearchStrategy[Case]:
    return st.tuples(*rows).map(lambda found: (model, "".join(found)))


acl = _joined(ACL, _lines(_subject, _tool, _method, _effect))
domains = _joined(
    DOMAINS, _lines(_subject, _server, _tools, _methods, _effect), _lines(_pair, _server, kind="g", most=5)
)
groups = _joined(
    GROUPS,
    _lines(_subject, _servers, _tool, _method, _effect),
    _lines(_pair, kind="g", most=4),
    _lines(_group, kind="g2", most=4),
)
both = _joined(
    BOTH,
    _lines(_subject, _servers, _tool, _methods, _effect),
    _lines(_pair, _server, kind="g", most=5),
    _lines(_group, kind="g2", most=4),
)
foreign = _joined(
    FOREIGN, _lines(_subject, _servers, _tool, _method, _effect, most=4), _lines(_pair, _server, kind="g", most=4)
)

read = st.one_of(acl, domains, groups, both)
"""Policies of the families that we compile: a pair of model and rows."""

pairs = st.one_of(*(st.tuples(family, family) for family in (acl, domains, groups, both)))
"""Two policies of one family."""


async def built(case: Case, carried: frozenset[str] = ANYONE, **others: str) -> Built:
    given = {**files(case[1], **others), "model.conf": case[0].encode()}
    return await build(
        given, Setting(engine=CasbinEngine(), servers=SERVERS, hierarchy=HIERARCHY, carried=carried), hurry=True
    )


def policy(case: Case, **others: str) -> Policy:
    found = asyncio.run(built(case, **others))
    assert found.problems == ()
    assert found.policy is not None
    return found.policy


def compiled(rules: Rules) -> Policy:
    """Compile rows that somebody left one out of."""
    return Policy(revision=Revision("sha256:0"), rules=rules, compiled=CasbinEngine().compile(rules))


def covered(made: Policy) -> Coverage:
    return asyncio.run(measure(made, SERVERS, HIERARCHY))
