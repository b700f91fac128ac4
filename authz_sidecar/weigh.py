"""Asks the conditions of the rows that an engine found. Pure; a doubt denies."""

from authz_sidecar.errors import ConditionError
from authz_sidecar.facts import Facts
from authz_sidecar.rules import Erred, Rule, Verdict


def weigh(found: Verdict, facts: Facts, *, listing: bool) -> Verdict:
    """Leave the rows whose condition holds.

    A deny row whose condition cannot be evaluated denies; such an allow row grants nothing, and spoils no other.
    Where only a list is made (`listing`), what depends on the arguments of a later call counts as true in allow rows
    and as false in deny rows.
    """
    # Rows without a condition pay for this look and for nothing else: no argument is read.
    if all(rule.when is None for rule in found.allows) and all(rule.when is None for rule in found.denies):
        return found
    erred: list[Erred] = []
    # Never cut short at the first deny: people want to see every row that decided.
    denies = tuple(rule for rule in found.denies if _denies(rule, facts, erred, listing=listing))
    allows = tuple(rule for rule in found.allows if _allows(rule, facts, erred, listing=listing))
    return Verdict(allows=allows, denies=denies, erred=tuple(erred))


def _denies(rule: Rule, facts: Facts, erred: list[Erred], *, listing: bool) -> bool:
    if rule.when is None:
        return True
    if listing and rule.when.needs_arguments:
        return False
    try:
        return rule.when.holds(facts)
    except ConditionError as error:
        erred.append(Erred(rule=rule, why=str(error)))
        return True


def _allows(rule: Rule, facts: Facts, erred: list[Erred], *, listing: bool) -> bool:
    if rule.when is None or (listing and rule.when.needs_arguments):
        return True
    try:
        return rule.when.holds(facts)
    except ConditionError as error:
        erred.append(Erred(rule=rule, why=str(error)))
        return False
