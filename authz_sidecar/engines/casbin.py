"""The Casbin engines: the default compiles what it can mean exactly, the other always asks pycasbin as well.

The only file that imports casbin. Its loader never sees a file, and its role manager is ours. The traps that this
file is built round are each named where they are met; the cost is linear, about 10 µs a row and question.
"""

import asyncio
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import casbin
from casbin.rbac import RoleManager
from casbin.util.log import DEFAULT_LOGGING

from authz_sidecar.engines.foreign import Caller, ForeignPolicy
from authz_sidecar.engines.index import IndexPolicy
from authz_sidecar.engines.membership import Names
from authz_sidecar.engines.plain import PlainPolicy
from authz_sidecar.errors import EngineError, PolicyProblems, Problem
from authz_sidecar.ports import CompiledPolicy
from authz_sidecar.rules import Foreign, Pattern, Rules, Verdict

DEFAULT_MODEL: Final = """\
[request_definition]
r = sub, server, method, tool

[policy_definition]
p = sub, server, method, tool, eft

[role_definition]
g = _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = g(r.sub, p.sub) && match(r.server, p.server) && match(r.method, p.method) && match(r.tool, p.tool)
"""
"""What answers when the policy has no `model.conf` of its own."""

_SECTIONS: Final = {"r": ["r"], "p": ["p"], "g": ["g"], "e": ["e"], "m": ["m"]}
_REQUEST: Final = ["r_sub", "r_server", "r_method", "r_tool"]
_POLICY: Final = ["p_sub", "p_server", "p_method", "p_tool", "p_eft"]
_ROLE: Final = "_,_"
_EFFECT: Final = "some(where (p_eft == allow)) && !some(where (p_eft == deny))"
_MATCHER: Final = frozenset(
    {"g(r_sub,p_sub)", "match(r_server,p_server)", "match(r_method,p_method)", "match(r_tool,p_tool)"}
)


class PycasbinPolicy:
    """A policy inside a Casbin enforcer.

    `judge` lets others in before a question and never in its middle, so questions on one event loop cannot mix. It
    takes about 10 µs for every row, and nobody else is served meanwhile: with many rows take the `index` engine.
    """

    def __init__(self, rules: Rules, enforcer: Any) -> None:
        """Take the rows, and an enforcer that was filled from them."""
        self._enforcer: Final = enforcer
        self._plain: Final = PlainPolicy(rules)
        self._empty: Final = not rules.rules

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Give every row that speaks to this call by these subjects, in the order of the file.

        Raises `EngineError` when Casbin fails, or says something else than the rows do.
        """
        # A batch of a thousand questions at milliseconds each would hold up every caller and outlive its deadline.
        await asyncio.sleep(0)
        verdict = self._plain.verdict(subjects, server, method, tool)
        if self._empty:
            return verdict  # without rows Casbin runs the matcher on empty strings, and ("", "", "") is allowed
        answer = self._ask(_Held(self._plain.names.of_caller(subjects, server)), server, method, self._tool(tool))
        if answer is not bool(verdict):
            raise EngineError(
                f"casbin says {'yes' if answer else 'no'}, the rows say {'yes' if verdict else 'no'}: "
                f"{sorted(subjects)!a} {server!a} {method!a} {tool!a}"
            )
        return verdict

    def _tool(self, tool: str) -> "str | _Held":
        groups = self._plain.names.of_tool(tool)
        return tool if groups is None else _Held(groups)

    def _ask(self, held: "_Held", server: str, method: str, tool: "str | _Held") -> bool:
        # One question about all subjects at once: asking for each and joining the answers would lose denies.
        if self._enforcer.enabled is not True:
            raise EngineError("the casbin enforcer is switched off and would say yes to everything")
        try:
            answer: object = self._enforcer.enforce(held, server, method, tool)
        except Exception as error:  # whatever a library throws, nobody is let through on it
            raise EngineError(f"casbin failed: {type(error).__name__}: {error}") from error
        if not isinstance(answer, bool):
            raise EngineError(f"casbin answered a {type(answer).__name__}, not yes or no")
        return answer


class CasbinEngine:
    """Compiles rows that our index can mean exactly; the others it leaves to pycasbin."""

    name: Final = "casbin"
    foreign: Final = True

    def compile(self, rules: Rules) -> CompiledPolicy:
        """Build the index, or where only Casbin can read the model, its enforcer; raises `PolicyProblems`."""
        return IndexPolicy(rules) if rules.foreign is None else _foreign_policy(rules, rules.foreign)


class PycasbinEngine:
    """Fills a Casbin enforcer with checked rows: pycasbin says yes or no, the plain engine names the rows."""

    name: Final = "pycasbin"
    foreign: Final = True

    def compile(self, rules: Rules) -> CompiledPolicy:
        """Build the enforcer; raises `PolicyProblems` when the model means something else than the rows."""
        return _own_policy(rules) if rules.foreign is None else _foreign_policy(rules, rules.foreign)


def _own_policy(rules: Rules) -> PycasbinPolicy:
    model = _model(rules.model or DEFAULT_MODEL)
    # Set at once: `add_policy` compares each row with all others. Patterns go in as what they are, not as text, so
    # that a literal star, a comma or a quote has nothing to survive.
    model["p"]["p"].policy = [
        [rule.subject, rule.server, rule.method, rule.tool, rule.effect.value] for rule in rules.rules
    ]
    return PycasbinPolicy(rules, _enforcer(model))


@dataclass(frozen=True, slots=True)
class _Held:
    """All names of a caller as one value: Casbin's evaluator walks through bare sets, row by row."""

    names: frozenset[str]


class _Holds(RoleManager):  # type: ignore[misc] # casbin publishes no types
    """Our meaning of `g(r.sub, p.sub)`: the closed set on the left holds a name that the pattern matches."""

    def has_link(self, name1: _Held, name2: Pattern, *_domain: str) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not name2.prefix:
            return name2.text in name1.names
        return any(map(name2.matches, name1.names))


def _match(value: "str | _Held", pattern: Pattern) -> bool:
    return any(map(pattern.matches, value.names)) if isinstance(value, _Held) else pattern.matches(value)


def _model(text: str) -> Any:  # casbin publishes no types
    try:
        model: Any = casbin.Enforcer.new_model(text=text)
        found = {section: list(keys) for section, keys in model.items()}
    except Exception as error:
        raise _refusal(f"casbin cannot read this model: {error}") from error
    if found != _SECTIONS:
        raise _refusal("expected exactly one definition each of `r`, `p`, `g`, `e` and `m`")
    if model["r"]["r"].tokens != _REQUEST:
        raise _refusal("expected `r = sub, server, method, tool`")
    if model["p"]["p"].tokens != _POLICY:
        raise _refusal("expected `p = sub, server, method, tool, eft`")
    if _squeezed(model["g"]["g"].value) != _ROLE:
        raise _refusal("expected `g = _, _`")
    if _squeezed(model["e"]["e"].value) != _squeezed(_EFFECT):
        raise _refusal("expected `e = some(where (p.eft == allow)) && !some(where (p.eft == deny))`")
    terms = _squeezed(model["m"]["m"].value).split("&&")
    if frozenset(terms) != _MATCHER:
        raise _refusal("expected a matcher that joins `g(r.sub, p.sub)` and `match(r.X, p.X)` for server, method, tool")
    model["e"]["e"].value = _EFFECT  # casbin looks it up by its very spaces
    return model


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _refusal(message: str) -> PolicyProblems:
    return PolicyProblems([Problem("model.conf", 0, 0, "model-not-understood", message)])


def _foreign_policy(rules: Rules, foreign: Foreign) -> ForeignPolicy:
    try:
        model: Any = casbin.Enforcer.new_model(text=foreign.model)
        enforcer = _enforcer(model, g=_Links(), g2=_Groups(Names(rules)))
        broken = list(_broken(foreign, model, enforcer.fm.get_functions()))
        made = ForeignPolicy(rules, foreign, enforcer)
    except Exception as error:
        raise _refusal(f"casbin cannot use this model: {error}") from error
    if broken:
        raise PolicyProblems(broken)
    return made


def _broken(foreign: Foreign, model: Any, functions: Any) -> Iterator[Problem]:
    """Find the patterns on which Casbin fails; one such row would fail every question that comes to it."""
    for name, field in re.findall(r"(\w+)\s*\(\s*r_\w+\s*,\s*(p_\w+)\s*\)", model["m"]["m"].value):
        if name not in functions:
            continue
        place = model["p"]["p"].tokens.index(field)
        probe = "127.0.0.1" if name == "ipMatch" else "probe"
        for row in foreign.rows:
            try:
                functions[name](probe, row.values[place])
            except (ValueError, re.error) as error:
                said = f"`{name}` cannot read `{row.values[place]}`: {error}"
                yield Problem(row.rule.source, row.rule.line, 0, "pattern-not-readable", said)


class _Links(RoleManager):  # type: ignore[misc] # casbin publishes no types
    """Our meaning of `g(r.sub, p.sub, r.dom)` in a model that only Casbin can read."""

    def has_link(self, name1: Caller, name2: str, *domain: str) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return name1.holds(name2, *(domain or (None,)))


class _Groups(RoleManager):  # type: ignore[misc] # casbin publishes no types
    """Our meaning of `g2(r.obj, p.obj)` there."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def has_link(self, name1: str, name2: str, *_domain: str) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        return name2 in (self._names.of_tool(name1) or (name1,))


def _enforcer(model: Any, **links: Any) -> Any:
    # Building an enforcer disables loggers that are not ours; put them back as they were.
    loggers = [logging.getLogger(name) for name in DEFAULT_LOGGING["loggers"]]
    before = [logger.disabled for logger in loggers]
    try:
        enforcer: Any = casbin.Enforcer(model)
    finally:
        for logger, disabled in zip(loggers, before, strict=True):
            logger.disabled = disabled
    # Every denial would be logged as a warning with the caller's names; the decision log is the place for that.
    enforcer.logger = logging.Logger("silent")  # noqa: LOG001 - registered nowhere, so nobody can switch it on
    enforcer.logger.disabled = True
    for key, link in (links or {"g": _Holds()}).items():
        if key in (model["g"] or ()):
            enforcer.set_named_role_manager(key, link)
    enforcer.build_role_links()
    enforcer.add_function("match", _match)
    return enforcer
