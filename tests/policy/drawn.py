"""Small policies, made by hand or drawn at random, and what the tests of the tools ask them."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from authz_sidecar.engines.index import IndexEngine
from authz_sidecar.model import Server
from authz_sidecar.policy.build import Built, Setting, build
from authz_sidecar.policy.questions import Questions
from authz_sidecar.policy.tools import Tools
from authz_sidecar.policy.universe import Target
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Rules, ScopeHierarchy
from tests.effort import examples
from tests.policy.plainly import MODEL

SERVERS = {
    name: Server(name=name, audience=f"https://{name}.example", methods=frozenset({"x/y"})) for name in ("desk", "shop")
}
HIERARCHY = ScopeHierarchy(implies={"all": frozenset({"s1", "s2"})})
HEADERS = {
    "scopes.csv": "server,method,tool,scopes\n",
    "expectations.csv": "subjects,server,method,tool,scopes,args,expect\n",
    "matrix.csv": "",
    "tools.json": "",
}
ANYONE = frozenset({"user:", "role:", "group:", "client:", "agent:"})


def files(policy: str, **others: str) -> dict[str, bytes]:
    """Give the files; `scopes="…"` stands below the header of scopes.csv."""
    found = {"policy.csv": policy.encode(), "model.conf": MODEL}
    for name, text in others.items():
        file = "tools.json" if name == "tools" else f"{name}.csv"
        found[file] = (HEADERS[file] + text).encode()
    return found


async def made(given: Mapping[str, bytes], carried: frozenset[str] = ANYONE) -> Built:
    setting = Setting(engine=IndexEngine(), servers=SERVERS, hierarchy=HIERARCHY, carried=carried)
    return await build(given, setting, hurry=True)


def loaded(policy: str, **others: str) -> Policy:
    built = asyncio.run(made(files(policy, **others)))
    assert built.problems == ()
    assert built.policy is not None
    return built.policy


def questions(policy: Policy) -> Questions:
    return Questions(policy=policy, servers=SERVERS, hierarchy=HIERARCHY, tools=Tools())


CALM = settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.too_slow])


def answers(policy: Policy, like: Policy | None = None) -> dict[tuple[str, Target], tuple[bool, tuple[str, ...]]]:
    """Ask about everything that `like` (or the policy itself) can tell apart."""
    asked, known = questions(policy), questions(like or policy)

    async def all_of_them() -> dict[tuple[str, Target], tuple[bool, tuple[str, ...]]]:
        found = {}
        for name in known.names:
            for target in known.universe:
                reply = await asked.ask((name.name,), target)
                found[name.name, target] = (reply.permitted, reply.scopes if reply.permitted else ())
        return found

    return asyncio.run(all_of_them())


def without(policy: Policy, rules: Rules) -> Policy:
    return replace(policy, rules=rules, compiled=IndexEngine().compile(rules))


_subject = st.sampled_from(
    ["user:a", "user:b", "user:*", "role:r", "role:s", "role:t*", "role:tt", "*", "client:c", "agent:x"]
)
_server = st.sampled_from(["desk", "shop", "*"])
_method = st.sampled_from(["tools/call", "tools/list", "tools/*", "*", "prompts/get", "tasks/get", "x/y"])
_tool = st.sampled_from(["t", "tt", "t*", "tt*", "u", "*"])
_effect = st.sampled_from(["allow", "allow", "allow", "deny"])
_edge = st.sampled_from(
    ["user:a, role:r", "user:b, role:s", "role:r, role:s", "role:r, role:tt", "role:s, role:tt", "user:b, role:tt"]
)
_row = st.tuples(_subject, _server, _method, _tool, _effect).map(lambda row: "p, " + ", ".join(row))

policies = st.tuples(st.lists(_row, min_size=1, max_size=7), st.lists(_edge, max_size=4, unique=True)).map(
    lambda found: "".join(f"{line}\n" for line in (*found[0], *(f"g, {edge}" for edge in found[1])))
)

scopes = st.lists(
    st.tuples(
        _server, st.sampled_from(["tools/call", "*", "tasks/get"]), _tool, st.sampled_from(["s1", "s2", "s1 s2"])
    ),
    max_size=3,
    unique=True,
).map(lambda rows: "".join(f"{', '.join(row)}\n" for row in rows))
