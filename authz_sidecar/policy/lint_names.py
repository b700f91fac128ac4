"""Lint: names that are not what they look like: they differ only by case, or letters of two alphabets are in a word."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from authz_sidecar.breath import breathe
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.parse import Parsed
from authz_sidecar.rules import Membership, Rule, ScopeRow

_Row = Rule | Membership | ScopeRow

_Name = tuple[str, str, _Row, int]
"""Kind, spelling, row, field."""

_WORD: Final = re.compile(r"[^\W\d_]+")
_ALPHABETS: Final = frozenset({"LATIN", "CYRILLIC", "GREEK"})
"""Those whose letters look alike (UTS 39, section 5)."""


def check(parsed: Parsed, found: Findings) -> None:
    """Report each further spelling of a name once, where it first stands."""
    spellings: dict[tuple[str, str], dict[str, _Row]] = {}
    for kind, name, row, field in _names(parsed):
        known = spellings.setdefault((kind, name.casefold()), {})
        if name in known:
            continue
        if known:
            other, first = next(iter(known.items()))
            place = f"{first.source}:{first.line}"
            message = f"{quote(name)} and {quote(other)} ({place}) differ only by case, and are two names"
            found.warn(row.source, row.line, parsed.places[row.source, row.line][field], "differs-by-case", message)
        known[name] = row
        if stray := _stray(name):
            message = f"{quote(name)} has a {stray} among letters of another alphabet: it is not the name it looks like"
            found.warn(row.source, row.line, parsed.places[row.source, row.line][field], "mixed-alphabets", message)


def _stray(name: str) -> str:
    """Give the Unicode name of the first letter that is not of its word's alphabet; empty for a name like most."""
    if name.isascii():
        return ""
    for word in _WORD.findall(name):
        letters = [unicodedata.name(letter, "") for letter in word]
        known = [letter for letter in letters if letter.partition(" ")[0] in _ALPHABETS]
        alphabets = Counter(letter.partition(" ")[0] for letter in known)
        usual = max(alphabets, key=lambda alphabet: alphabets[alphabet], default="")
        if strays := [letter for letter in known if not letter.startswith(usual)]:
            return strays[0]
    return ""


def _names(parsed: Parsed) -> Iterator[_Name]:
    rules = parsed.rules
    yield from _of_rules(rules.rules)
    for row in rules.memberships:
        yield "subject", row.member, row, 1
        yield "subject", row.role, row, 2
    for row in rules.tool_groups:
        yield "tool", row.member, row, 1
        yield "tool", row.role, row, 2
    for scope in rules.scopes:
        yield "server", str(scope.server), scope, 0
        yield "tool", str(scope.tool), scope, 2


def _of_rules(rules: Iterable[Rule]) -> Iterator[_Name]:
    """Give the names of the p rows, most of them once: rows share their patterns, and ids are quick to look up."""
    subjects: set[int] = set()
    servers: set[int] = set()
    tools: set[int] = set()
    for rule in rules:
        breathe()
        if id(rule.subject) not in subjects:
            subjects.add(id(rule.subject))
            yield "subject", str(rule.subject), rule, 1
        if id(rule.server) not in servers:
            servers.add(id(rule.server))
            yield "server", str(rule.server), rule, 2
        if id(rule.tool) not in tools:
            tools.add(id(rule.tool))
            yield "tool", str(rule.tool), rule, 4
