"""Lint: roles that nobody has, and roles that may do nothing."""

from collections.abc import Iterable
from functools import cache
from typing import Final

from authz_sidecar.breath import breathe
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.holding import Holding
from authz_sidecar.policy.names import closest
from authz_sidecar.policy.parse import Parsed
from authz_sidecar.rules import Rule

_HINTS: Final = 20
"""Looking for the name that was meant is slow: only the first few are worth it."""
_MOST_KNOWN: Final = 2_000


class Hints:
    """Says which known name was probably meant, as long as that is cheap."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known: Final = frozenset(known)
        self._left = _HINTS if len(self._known) <= _MOST_KNOWN else 0

    def __call__(self, name: str) -> str:
        """Give `, did you mean …` or nothing."""
        if not self._left:
            return ""
        self._left -= 1
        near = closest(name, self._known - {name})
        return f", did you mean {quote(near)}" if near else ""


def check(parsed: Parsed, holding: Holding, carried: frozenset[str], found: Findings) -> None:
    """Report p rows for a role that no token and no g row gives, and g rows into a role that no p row names."""
    _unheld(parsed, holding, carried, found)
    _idle(parsed, holding, found)


def _unheld(parsed: Parsed, holding: Holding, carried: frozenset[str], found: Findings) -> None:
    members = [row.member for row in parsed.rules.memberships if _is_carried(row.member, carried)]
    places = _Places(holding)

    @cache
    def reached(place: str) -> frozenset[str]:
        return frozenset[str]().union(*map(holding.on(place).held, members))

    hint = Hints(row.role for row in parsed.rules.memberships)
    quiet: set[int] = set()  # ids: most rows share their subjects, and ids are quick to look up
    for rule in parsed.rules.rules:
        breathe()
        if id(rule.subject) in quiet:
            continue
        name = rule.subject.text
        if rule.subject.prefix or _is_carried(name, carried):
            quiet.add(id(rule.subject))
            continue
        if any(name in reached(at) for at in places.of(rule)):
            continue
        here = f" on {quote(str(rule.server))}" if holding.servers else ""
        message = f"nobody has {quote(name)}{here}: no token carries it and no g row gives it{hint(name)}"
        found.warn(rule.source, rule.line, _column(parsed, rule), "unheld-role", message)


def _idle(parsed: Parsed, holding: Holding, found: Findings) -> None:
    literals: dict[str, set[str]] = {}
    beginnings: dict[str, set[str]] = {}
    places = _Places(holding)
    seen: set[int] = set()
    for rule in parsed.rules.rules if parsed.rules.memberships else ():
        breathe()
        if not holding.servers and id(rule.subject) in seen:
            continue
        seen.add(id(rule.subject))
        for at in places.of(rule):
            (beginnings if rule.subject.prefix else literals).setdefault(at, set()).add(rule.subject.text)
    hint = Hints({name for names in literals.values() for name in names})
    told: set[tuple[str, str]] = set()
    for row in parsed.rules.memberships:
        at = row.server or ""
        held = holding.on(at).held(row.role)
        begin = tuple(beginnings.get(at, ()))
        if (row.role, at) in told or not held.isdisjoint(literals.get(at, ())):
            continue
        if begin and any(name.startswith(begin) for name in held):
            continue
        told.add((row.role, at))
        here = f" on {quote(at)}" if at else ""
        message = f"no p row says what {quote(row.role)} may do{here}{hint(row.role)}"
        found.warn(row.source, row.line, parsed.places[row.source, row.line][2], "idle-role", message)


class _Places:
    """Knows where a row speaks: on the servers that have roles of their own; without such, in one place called ""."""

    def __init__(self, holding: Holding) -> None:
        self._own: Final = sorted(holding.servers) or [""]

    def of(self, rule: Rule) -> list[str]:
        if self._own == [""]:
            return self._own
        return [server for server in self._own if rule.server.matches(server)]


def _is_carried(name: str, carried: frozenset[str]) -> bool:
    return name[: name.find(":") + 1] in carried


def _column(parsed: Parsed, rule: Rule) -> int:
    return parsed.places[rule.source, rule.line][1]
