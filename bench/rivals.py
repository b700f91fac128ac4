"""Asks each engine, raw pycasbin, cedarpy and a bare dict the same questions, for `bench.engines`."""

from collections.abc import Callable

import casbin
import cedarpy
from casbin.model.model_fast import FastModel

from authz_sidecar.engines.index import IndexPolicy
from authz_sidecar.ports import CompiledPolicy
from authz_sidecar.rules import Effect, Rule
from bench.bed import Bed, Call

Asker = Callable[[Call], bool]

RAW_MODEL = """
[request_definition]
r = sub, server, method, tool
[policy_definition]
p = sub, server, method, tool, eft
[role_definition]
g = _, _
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = g(r.sub, p.sub) && r.server == p.server && r.method == p.method && keyMatch(r.tool, p.tool)
"""


def engine(compiled: CompiledPolicy) -> Asker:
    """Ask without an event loop: the built-in engines let others in, but wait for nothing."""

    def ask(call: Call) -> bool:
        asked = compiled.judge(*call).__await__()
        while True:
            try:
                next(asked)
            except StopIteration as done:
                return bool(done.value)

    return ask


def raw(bed: Bed, enforcer: "casbin.Enforcer") -> Asker:
    """Ask pycasbin as its manual shows it: the user alone, roles by `g` rows, `keyMatch` for the tool."""
    rules = [[r.subject.text, r.server.text, r.method.text, str(r.tool), r.effect.value] for r in bed.rules.rules]
    model = enforcer.get_model()
    if isinstance(model["p"]["p"].policy, list):
        model["p"]["p"].policy = rules
    else:  # the filtering policy of FastEnforcer
        for rule in rules:
            model["p"]["p"].policy.append(rule)
    for row in bed.rules.memberships:
        enforcer.get_role_manager().add_link(row.member, row.role)

    def ask(call: Call) -> bool:
        subjects, *rest = call
        return bool(enforcer.enforce(next(name for name in subjects if name.startswith("user:")), *rest))

    return ask


def table(bed: Bed) -> Asker:
    """Look each of the caller's names up in a dict of literal rows: the control, not an engine."""
    rows = {(r.subject.text, r.server.text, r.method.text, r.tool.text): r for r in bed.rules.rules}

    def ask(call: Call) -> bool:
        subjects, server, method, tool = call
        found = False
        for name in subjects:
            if (name, server, method, tool) in rows:
                found = True
        return found

    return ask


def strangers(compiled: IndexPolicy) -> Asker:
    """Ask for a caller who was never seen: nothing about it is remembered."""
    inner = engine(compiled)

    def ask(call: Call) -> bool:
        compiled.forget()
        return inner(call)

    return ask


def cedar(bed: Bed) -> Asker:
    """Ask cedarpy with policies and entities parsed before, one policy a row."""
    policies = cedarpy.PolicySet.from_str("\n".join(map(_in_cedar, bed.rules.rules)))

    def uid(kind: str, name: str) -> dict[str, str]:
        return {"type": kind, "id": name}

    def ask(call: Call) -> bool:
        subjects, server, method, tool = call
        user, *held = sorted(subjects, reverse=True)
        thing = uid("Tool", f"{server}/{tool}")
        entities = [
            {"uid": uid("User", user), "attrs": {}, "parents": [uid("Role", name) for name in held]},
            {"uid": thing, "attrs": {"name": tool}, "parents": [uid("Server", server)]},
        ]
        asked = {"principal": uid("User", user), "action": uid("Action", method), "resource": thing}
        return bool(cedarpy.is_authorized(asked, policies, entities).allowed)

    return ask


def _in_cedar(rule: Rule) -> str:
    server, tool = rule.server.text, rule.tool.text
    resource = f'in Server::"{server}"' if rule.tool.prefix else f'== Tool::"{server}/{tool}"'
    when = f' when {{ resource.name like "{tool}*" }}' if rule.tool.prefix else ""
    effect = "permit" if rule.effect is Effect.ALLOW else "forbid"
    action = f'action == Action::"{rule.method.text}"'
    return f'{effect} (principal in Role::"{rule.subject.text}", {action}, resource {resource}){when};'


def fast() -> "casbin.FastEnforcer":
    # Its cache keys are fields that are literal in every row: server and method.
    model = FastModel([1, 2])
    model.load_model_from_text(RAW_MODEL)
    return casbin.FastEnforcer(model, cache_key_order=[1, 2])
