"""Lint: rows that another row makes idle."""

import math
from functools import partial
from typing import Final

from authz_sidecar.breath import breathe
from authz_sidecar.methods import METHODS, Kind
from authz_sidecar.policy.cells import where
from authz_sidecar.policy.covering import Cover, Names
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.holding import Holding
from authz_sidecar.policy.parse import Parsed
from authz_sidecar.policy.suspects import suspects
from authz_sidecar.rules import ANY, Effect, Pattern, Rule

_LISTS: Final = tuple((name, entry.follows) for name, entry in METHODS.items() if entry.kind is Kind.LIST)


def check(parsed: Parsed, holding: Holding, grouping: Holding, found: Findings) -> None:
    """Report rows that a deny or a broader row covers, and rows that give everything to everybody."""
    rules = parsed.rules.rules
    suspect = suspects(rules, holding, grouping)
    denies = Cover(rule for rule in suspect.rows if rule.effect is Effect.DENY)
    allows = Cover(rule for rule in suspect.rows if rule.effect is Effect.ALLOW)
    for place, rule in enumerate(rules):
        breathe()
        if place not in suspect.places and not rule.subject.prefix:
            continue
        # A row for many servers is covered only by roles that are held on all of them.
        held = holding.on("" if rule.server.prefix else rule.server.text).held(rule.subject.text)
        names = Names(subjects=sorted(held), tools=sorted(grouping.held(rule.tool.text)))
        allow = rule.effect is Effect.ALLOW
        said = ""
        serves = partial(_serves, rule=rule)
        if (deny := denies.over(rule, names, serves)) is not None:
            said = _by_deny(rule, deny)
        elif allow and (broader := allows.over(rule, names, serves)) is not None:
            message = (
                f"{where(broader, rule.source)} allows all of this already ({quote(broader.text)}), remove one of them"
            )
            found.warn(rule.source, rule.line, _column(parsed, rule, 0), "shadowed-by-allow", message)
        if said:
            code = "shadowed-by-deny" if allow else "redundant-deny"
            found.warn(rule.source, rule.line, _column(parsed, rule, 0), code, said)
        if allow and rule.subject.prefix and rule.tool == ANY:
            who = "everybody" if rule.subject == ANY else f"everybody who is {quote(str(rule.subject))}"
            message = f"gives `*` to {who}, name the tools or the role that is meant"
            found.warn(rule.source, rule.line, _column(parsed, rule, 1), "allows-everybody", message)


def _by_deny(rule: Rule, deny: Rule) -> str:
    if rule.effect is Effect.ALLOW:
        return f"never allows anything: {where(deny, rule.source)} denies all of it ({quote(deny.text)})"
    return f"{where(deny, rule.source)} denies all of this already ({quote(deny.text)}), remove one of them"


def _serves(broader: Rule, rule: Rule) -> bool:
    """Say whether the broader row does all that the other one does.

    A row for a list alone is the last word on that list; one that also names what is listed is not.
    """
    if broader.when is not None:
        return False  # it does so only sometimes
    if broader.effect is not rule.effect:
        return True
    if rule.effect is Effect.ALLOW and broader.until is not None and broader.until < (rule.until or math.inf):
        return False  # the broader row ends first
    return broader.method == rule.method or not _names_a_list_alone(rule.method)


def _names_a_list_alone(method: Pattern) -> bool:
    return any(method.matches(name) and not method.matches(follows) for name, follows in _LISTS)


def _column(parsed: Parsed, rule: Rule, field: int) -> int:
    return parsed.places[rule.source, rule.line][field]
