"""Lint: rows that no call can reach, by what is known about methods and by what the servers offer."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from authz_sidecar.breath import breathe
from authz_sidecar.methods import METHODS, Kind, find
from authz_sidecar.model import Server
from authz_sidecar.policy.covering import overlap
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.holding import Holding
from authz_sidecar.policy.lint_roles import Hints
from authz_sidecar.policy.parse import Parsed
from authz_sidecar.policy.tools import Offer
from authz_sidecar.rules import ANY, Effect, Membership, Pattern, Rule, ScopeRow

_COMPLETIONS: Final = (Pattern("ref/prompt:", prefix=True), Pattern("ref/resource:", prefix=True))
_COMPLETE: Final = "completion/complete"
_ACTS_ON_NOTHING: Final = frozenset({"logging/setLevel"})
_BY_URI: Final = ("resources/", "subscriptions/")
_BASE: Final = {name: entry.follows for name, entry in METHODS.items()}


def check(parsed: Parsed, servers: Mapping[str, Server], grouping: Holding, found: Findings) -> None:
    """Report rows whose tool does not fit their method or is offered nowhere, and scope rows that guard nothing."""
    reach = _Reach(parsed, servers, grouping)
    groups = {row.role for row in parsed.rules.tool_groups}
    kinds: dict[tuple[int, int], _About] = {}  # by ids: most rows share their patterns, and ids are quick to look up
    for rule in parsed.rules.rules:
        breathe()
        pair = id(rule.server), id(rule.method)
        about = kinds.get(pair)
        if about is None:
            about = kinds[pair] = reach.about(rule)
        if not about.quiet and rule.tool.text not in groups:  # which tools are in it, the g2 rows say
            reach.tool(rule, about, 4, found)
    for member in parsed.rules.tool_groups:
        if member.member not in groups:
            reach.member(member, parsed.places[member.source, member.line][1], found)
    scoped: dict[object, int] = {}
    for row in parsed.rules.scopes:
        columns = parsed.places[row.source, row.line]
        reach.tool(row, reach.about(row), 2, found)
        first = scoped.setdefault((row.server, row.method, row.tool, frozenset(row.scopes)), row.line)
        if first != row.line:
            found.warn(row.source, row.line, columns[0], "duplicate-row", f"says the same as line {first}")
        elif parsed.rules.rules and not reach.allowed(row):
            message = "no p row allows what this row guards, so it never applies"
            found.warn(row.source, row.line, columns[0], "scope-never-applies", message)


class _Reach:
    def __init__(self, parsed: Parsed, servers: Mapping[str, Server], grouping: Holding) -> None:
        self._parsed, self._servers, self._grouping = parsed, servers, grouping
        self._about: dict[str, list[Rule]] = {}
        for rule in parsed.rules.rules if parsed.rules.tool_groups else ():
            self._about.setdefault(rule.tool.text, []).append(rule)
        self._methods: dict[tuple[Pattern, Pattern], frozenset[str]] = {}
        self._offers: dict[tuple[Pattern, Pattern], _Offers | None] = {}
        self._allows = _allows(parsed.rules.rules, grouping) if parsed.rules.scopes else {}

    def about(self, row: Rule | ScopeRow) -> "_About":
        """Say what the server and the method of a row are about."""
        methods = self.methods(row.server, row.method)
        offers = self._offered(row.server, row.method) if methods else None
        quiet = offers is None and (not methods or not all(map(_is_choosy, methods)))
        return _About(methods=methods, offers=offers, quiet=quiet)

    def tool(self, row: Rule | ScopeRow, about: "_About", field: int, found: Findings) -> None:
        """Look at the tool of a row, which stands in this field."""
        if row.tool == ANY or about.quiet:
            return
        methods, offers = about.methods, about.offers
        if all(_never(method, row.tool) for method in methods):
            message = f"{quote(str(row.method))} never acts on {quote(str(row.tool))}, {_wanted(methods)}"
            found.warn(row.source, row.line, self._column(row, field), "never-matches", message)
            return
        if offers is not None and not offers.match(row.tool):
            near = offers.hint(row.tool.text)
            message = f"no server that is meant here offers {quote(str(row.tool))}, as recorded in tools.json{near}"
            found.warn(row.source, row.line, self._column(row, field), "unknown-tool", message)

    def _column(self, row: Rule | ScopeRow, field: int) -> int:
        return self._parsed.places[row.source, row.line][field]

    def member(self, row: Membership, column: int, found: Findings) -> None:
        """Look at a tool that is put into a group: some server must offer it to a method that a row is about."""
        tool = Pattern(row.member)
        about = [rule for name in sorted(self._grouping.held(row.member)) for rule in self._about.get(name, ())]
        kinds = {(rule.server, rule.method) for rule in about}
        offers = [self._offered(*kind) for kind in kinds]
        known = [offer for offer in offers if offer is not None]
        if known and len(known) == len(offers) and not any(offer.match(tool) for offer in known):
            message = f"no server that is meant here offers {quote(row.member)}, as recorded in tools.json"
            found.warn(row.source, row.line, column, "unknown-tool", message + known[0].hint(row.member))

    def allowed(self, row: ScopeRow) -> bool:
        """Say whether some allow row and the scope row are about a call in common."""
        methods = self.methods(row.server, row.method)
        # Scopes of a method and of the one that it follows from add up, whichever of them a p row allows.
        bases = methods | {_BASE[method] for method in methods if _BASE.get(method)}
        bases |= {name for name, entry in METHODS.items() if entry.kind is Kind.FOLLOWS and entry.follows in methods}
        for (server, method), tools in self._allows.items():
            if overlap(server, row.server) and any(method.matches(base) for base in bases) and tools.match(row.tool):
                return True
        # What completion acts on is spelled in a way of its own.
        return (not row.server.prefix and row.server.text not in self._servers) or _COMPLETE in methods

    def methods(self, server: Pattern, method: Pattern) -> frozenset[str]:
        """Give the known methods that a row is about."""
        key = (server, method)
        if key not in self._methods:
            extra = frozenset[str]().union(
                *(one.methods for name, one in self._servers.items() if server.matches(name))
            )
            known = {name for name in METHODS.keys() | extra if method.matches(name)}
            self._methods[key] = frozenset(name for name in known if _judged(name, extra))
        return self._methods[key]

    def _offered(self, server: Pattern, method: Pattern) -> "_Offers | None":
        """Give what the servers of a row offer, or None when that was not recorded for all of them."""
        key = (server, method)
        if key not in self._offers:
            bases = {_BASE.get(name) or name for name in self.methods(server, method)}
            meant = [name for name in self._servers if server.matches(name)]
            offers = [self._parsed.tools.offer(name, base) for name in meant for base in bases]
            recorded = [offer for offer in offers if offer is not None]
            complete = len(recorded) == len(offers) and recorded and _COMPLETE not in bases
            self._offers[key] = _Offers(recorded) if complete else None
        return self._offers[key]


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """What rows for a server and a method are about."""

    methods: frozenset[str]
    offers: "_Offers | None"
    quiet: bool
    """Whether there is nothing to report about them, whatever the tool."""


class _Offers:
    """Names and beginnings of names, ready to be matched."""

    def __init__(self, offers: Iterable[Offer]) -> None:
        known = tuple(offers)
        self._names: Final = sorted({name for offer in known for name in offer.names})
        self._templates: Final = {Pattern(text, prefix=True) for offer in known for text in offer.templates}
        self.hint: Final = Hints(self._names)

    def match(self, pattern: Pattern) -> bool:
        return _some(self._names, pattern) or any(overlap(pattern, template) for template in self._templates)


class _Tools:
    """The tools of some allow rows, ready to be matched."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        known = set(patterns)
        self._names: Final = sorted(pattern.text for pattern in known if not pattern.prefix)
        self._beginnings: Final = {pattern.text for pattern in known if pattern.prefix}
        self._lengths: Final = {len(text) for text in self._beginnings}
        self._sorted: Final = sorted(self._beginnings)

    def match(self, pattern: Pattern) -> bool:
        text = pattern.text
        if any(text[:length] in self._beginnings for length in self._lengths if length <= len(text)):
            return True
        return _some(self._names, pattern) or (pattern.prefix and _some(self._sorted, pattern))


def _some(names: list[str], pattern: Pattern) -> bool:
    """Say whether one of the sorted names matches."""
    at = bisect_left(names, pattern.text)
    return at < len(names) and pattern.matches(names[at])


def _allows(rules: Iterable[Rule], grouping: Holding) -> dict[tuple[Pattern, Pattern], _Tools]:
    groups: dict[tuple[Pattern, Pattern], list[Pattern]] = {}
    for rule in rules:
        if rule.effect is Effect.ALLOW:
            some = groups.setdefault((rule.server, rule.method), [])
            some.append(rule.tool)
            some += [] if rule.tool.prefix else map(Pattern, grouping.holders((rule.tool.text,)) - {rule.tool.text})
    return {key: _Tools(tools) for key, tools in groups.items()}


def _judged(method: str, extra: frozenset[str]) -> bool:
    entry = find(method, extra)
    return entry is not None and entry.kind is not Kind.PASS


def _is_choosy(method: str) -> bool:
    """Say whether there are names on anything of which the method never acts."""
    return method in _ACTS_ON_NOTHING or method == _COMPLETE or method.startswith(_BY_URI)


def _never(method: str, tool: Pattern) -> bool:
    """Say whether the method never acts on anything of this name."""
    if method in _ACTS_ON_NOTHING:
        return True
    if method == _COMPLETE:
        return not any(overlap(tool, known) for known in _COMPLETIONS)
    if method.startswith(_BY_URI):
        return not tool.prefix and ":" not in tool.text  # RFC 3986: a URI begins with a scheme and a colon
    return False


def _wanted(methods: frozenset[str]) -> str:
    if methods <= _ACTS_ON_NOTHING:
        return "write `*`"
    return "write `ref/prompt:NAME` or `ref/resource:URI`" if methods == {_COMPLETE} else "write a URI, `scheme://…`"
