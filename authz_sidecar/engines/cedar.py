"""The Cedar engine: policies of `engine.d/*.cedar`, evaluated by cedarpy, which this file alone imports.

The caller is `User::"alice"` (or `Client`, `Agent`), in its `Role`s and `Group`s and all that `g` rows give them; the
action is `Action::"tools/call"`; the resource is `Tool::"server/tool"` in `Server::"server"`, with the attributes
`server` and `name`. A policy that cannot be evaluated denies: Cedar itself would skip it, and a `permit` might win.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, Final

import cedarpy

from authz_sidecar.engines.membership import Names
from authz_sidecar.engines.statements import Statement, statements, tokens
from authz_sidecar.errors import EngineError, PolicyProblems, Problem
from authz_sidecar.rules import ANY, Effect, Pattern, Rule, Rules, Verdict

POLICIES: Final = ".cedar"
SCHEMA: Final = ".cedarschema"

_KINDS: Final = {"user": "User", "client": "Client", "agent": "Agent", "role": "Role", "group": "Group"}
"""In the order in which a name of the caller becomes the principal; the others become what it is in."""

_UNFINISHED: Final = "unexpected end of input"
_NAMED: Final = re.compile(r"`([^`]+)`|: (\S+)$")
_EFFECTS: Final = {"permit": Effect.ALLOW, "forbid": Effect.DENY}


class CedarPolicy:
    """A set of Cedar policies. A question takes about 100 µs, more with many policies, while nobody else is served."""

    def __init__(self, rules: Rules, policies: Any, by_id: Mapping[str, Rule]) -> None:
        """Take the rows for their memberships, the policies, and what to call each."""
        self._names: Final = Names(rules)
        self._policies: Final = policies
        self._by_id: Final = by_id

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        """Give the determining policies, or raise `EngineError` when one of them cannot be evaluated."""
        await asyncio.sleep(0)  # a long batch lets other callers in between its questions
        if not subjects:
            return Verdict()
        who, *others = _entities(self._names.of_caller(subjects, server), subjects)
        resource = {"type": "Tool", "id": f"{server}/{tool}"}
        within = [{"type": "Server", "id": server}]
        within += [{"type": "ToolGroup", "id": name} for name in self._names.of_tool(tool) or ()]
        entities: list[dict[str, Any]] = [
            {"uid": who, "attrs": {}, "parents": others},
            {"uid": resource, "attrs": {"server": server, "name": tool}, "parents": within},
        ]
        request = {"principal": who, "action": {"type": "Action", "id": method}, "resource": resource, "context": {}}
        return self._verdict(self._ask(request, entities))

    def _ask(self, request: dict[str, Any], entities: list[dict[str, Any]]) -> Any:
        try:
            return cedarpy.is_authorized(request, self._policies, entities)
        except Exception as error:  # whatever a library throws, nobody is let through on it
            raise EngineError(f"cedar failed: {type(error).__name__}: {error}") from error

    def _verdict(self, answer: Any) -> Verdict:
        if answer.diagnostics.errors:
            raise EngineError(f"cedar could not evaluate a policy: {answer.diagnostics.errors[0]}")
        # Cedar gives the reasons in the order of its hash tables.
        rules = sorted(
            (self._by_id[one] for one in answer.diagnostics.reasons), key=lambda rule: (rule.source, rule.line)
        )
        verdict = Verdict(
            allows=tuple(rule for rule in rules if rule.effect is Effect.ALLOW),
            denies=tuple(rule for rule in rules if rule.effect is Effect.DENY),
        )
        if answer.decision not in (cedarpy.Decision.Allow, cedarpy.Decision.Deny) or answer.allowed is not bool(
            verdict
        ):
            raise EngineError(f"cedar says {answer.decision}, its policies say {bool(verdict)}")
        return verdict


class CedarEngine:
    """Reads Cedar policies, and a schema that they are held against where there is one."""

    name: Final = "cedar"
    files: Final = (POLICIES, SCHEMA)

    def compile(self, rules: Rules) -> CedarPolicy:
        """Parse and validate; raises `PolicyProblems` with the place of every policy that Cedar refuses."""
        problems = [
            Problem(rule.source, rule.line, 0, "row-not-read", "the engine `cedar` reads no p rows, write it in Cedar")
            for rule in rules.rules[:1]
        ]
        texts = {name: _decoded(name, data, problems) for name, data in sorted(rules.sources.items())}
        policies = [one for name in texts if name.endswith(POLICIES) for one in statements(name, texts[name])]
        made = {f"policy{number}": _rule(one, problems) for number, one in enumerate(policies)}
        if not problems:
            problems += _invalid(policies, [(name, text) for name, text in texts.items() if name.endswith(SCHEMA)])
        if problems:
            raise PolicyProblems(problems)
        parsed = cedarpy.PolicySet.from_str("\n".join(one.text for one in policies))
        return CedarPolicy(rules, parsed, {one: rule for one, rule in made.items() if rule is not None})


def _entities(names: frozenset[str], own: frozenset[str]) -> list[dict[str, str]]:
    """Give the principal and then everything that it is in."""
    order = {kind: place for place, kind in enumerate(_KINDS)}
    ordered = sorted(names, key=lambda name: (name not in own, order.get(name.partition(":")[0], 9), name))
    found: list[dict[str, str]] = []
    for name in ordered:
        kind, _, rest = name.partition(":")
        found.append({"type": _KINDS.get(kind, "Name"), "id": rest})
    return found


def _decoded(name: str, data: bytes, problems: list[Problem]) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        problems.append(Problem(name, line, 0, "not-utf-8", f"byte 0x{data[error.start]:02x} is not UTF-8"))
        return ""


def _rule(one: Statement, problems: list[Problem]) -> Rule | None:
    """Parse one policy, or report at which word Cedar stumbles."""
    try:
        found = json.loads(cedarpy.policies_to_json_str(one.text))
    except ValueError as error:
        line, column = one.place(_stumbles(one.text, str(error)))
        problems.append(Problem(one.file, line, column, "cedar-syntax", f"cedar cannot read this: {error}"))
        return None
    if len(found["staticPolicies"]) != 1:
        message = "expected one policy; templates with `?principal` or `?resource` are not supported"
        problems.append(Problem(one.file, one.line, one.column, "cedar-template", message))
        return None
    (policy,) = found["staticPolicies"].values()
    action = policy["action"]
    return Rule(
        subject=ANY,
        server=ANY,
        # Only where a policy names one method alone can it be one for a list and not for what is listed.
        method=Pattern(action["entity"]["id"]) if action["op"] == "==" else ANY,
        tool=ANY,
        effect=_EFFECTS[policy["effect"]],
        source=one.file,
        line=one.line,
        text=one.folded,
    )


def _stumbles(text: str, message: str) -> int:
    """Find where Cedar stumbles: behind the longest beginning that it just finds unfinished, else by its words."""
    if message == _UNFINISHED:
        return 0
    words = list(tokens(text))
    ends = list(accumulate(map(len, words)))
    low, high = 0, len(ends) - 1
    while low < high:
        middle = (low + high) // 2
        if _says(text[: ends[middle]]) == _UNFINISHED:
            low = middle + 1
        else:
            high = middle
    if low < len(words) - 1 or words[low] != ";":
        return ends[low - 1] if low else 0
    # A policy that is refused as a whole: a word of the message that stands in it once, or its beginning.
    named = [one for pair in _NAMED.findall(message) for one in pair if one and text.count(one) == 1]
    return text.index(named[0]) if named else 0


def _says(text: str) -> str:
    try:
        cedarpy.policies_to_json_str(text)
    except ValueError as error:
        return str(error)
    return ""


def _invalid(policies: list[Statement], schemas: list[tuple[str, str]]) -> Iterator[Problem]:
    """Hold the policies against the schema."""
    if not schemas:
        return
    for name, _ in schemas[1:]:
        yield Problem(name, 0, 0, "cedar-schema", f"a second schema beside `{schemas[0][0]}`")
    name, schema = schemas[0]
    try:
        cedarpy.Schema.from_str(schema)
    except ValueError as error:
        yield Problem(name, 0, 0, "cedar-schema", f"cedar cannot read this: {error}")
        return
    for found in cedarpy.validate_policies("\n".join(one.text for one in policies), schema).errors:
        one = policies[int(found.policy_id.removeprefix("policy"))]
        message = found.error.removeprefix(f"for policy `{found.policy_id}`, ")
        yield Problem(one.file, one.line, one.column, "cedar-schema", f"does not fit the schema: {message}")
