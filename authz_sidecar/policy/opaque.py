"""Says what cannot be read off rows that only an engine understands, and which names stand in and beside them."""

from collections import Counter
from collections.abc import Iterator

from authz_sidecar.methods import METHODS
from authz_sidecar.rules import ANY, Pattern, Rules

_SPECIAL = frozenset("*?^$|+()[]{}\\")


def unread(rules: Rules) -> str:
    """Say, for people, which rows no tool can read; empty when there are none."""
    if rules.foreign is not None:
        return "only Casbin can read the rows of this model"
    return "only the engine can read engine.d" if rules.sources else ""


def unsaid(rules: Rules) -> str:
    """Say, for people, what no tool can tell about this policy; empty when there is nothing."""
    why = unread(rules)
    return why and (
        f"{why}: asked were the names that are written out in rows, in expectations.csv and in tools.json; what "
        "else a pattern or a policy there means is not told"
    )


def unproved(old: Rules, new: Rules) -> str:
    """Say why nobody can tell who gains what between two policies; empty when everybody can, or nothing changed."""
    return "" if _said(old) == _said(new) else unread(new) or unread(old)


def _said(rules: Rules) -> object:
    foreign = rules.foreign
    held = {(row.member, row.role, row.server, row.until) for row in (*rules.memberships, *rules.tool_groups)}
    guards = {(row.server, row.method, row.tool, row.scopes) for row in rules.scopes}
    rows = Counter((row.values, row.rule.until) for row in foreign.rows) if foreign else Counter[object]()
    own = Counter((row.subject, row.server, row.method, row.tool, row.effect, row.until) for row in rules.rules)
    return foreign.model if foreign else "", rows, own, held, guards, rules.sources, rules.namesakes


def subjects(rules: Rules) -> set[str]:
    """Give the names of callers that stand in or beside the rows; nothing for a policy that says all itself."""
    if not unread(rules):
        return set()
    foreign = () if rules.foreign is None else rules.foreign.rows
    written = {row.rule.subject.text for row in foreign}
    return {name for name in written if _is_name(name)} | {
        name for test in rules.expectations for name in test.subjects
    }


def _is_name(text: str) -> bool:
    """Say whether a field is surely no pattern in one of Casbin's languages, `/:id` among them."""
    return _SPECIAL.isdisjoint(text) and "/:" not in text


def calls(rules: Rules) -> Iterator[tuple[Pattern, Pattern, Pattern]]:
    """Give server, method and tool that stand in or beside the rows; nothing for a policy that says all itself."""
    if not unread(rules):
        return
    for row in () if rules.foreign is None else rules.foreign.rows:
        if _is_name(row.rule.tool.text):
            methods = METHODS.keys() & set(row.values)
            for method in sorted(methods):
                yield ANY, Pattern(method), row.rule.tool
            if not methods:
                yield ANY, ANY, row.rule.tool
    for test in rules.expectations:
        yield Pattern(test.server), Pattern(test.method), Pattern(test.tool)
