"""Lists the calls that a policy can tell apart: every known name of a tool, and one for each pattern."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from string import ascii_letters
from typing import Final

from authz_sidecar.methods import METHODS, Kind
from authz_sidecar.model import Server
from authz_sidecar.policy import opaque
from authz_sidecar.policy.tools import Tools
from authz_sidecar.rules import Pattern, Rules

_OTHERS: Final = "~" + ascii_letters
_CALL: Final = "tools/call"
_ACTS_ON_NOTHING: Final = frozenset({"logging/setLevel"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One call. When it stands for `more`, its tool is one of the many names that only the pattern `label` means."""

    server: str
    method: str
    tool: str
    label: str
    more: bool = False

    def __str__(self) -> str:
        """Spell it for people."""
        return f"{self.method} {self.label}".rstrip()


class Universe:
    """All targets of some policies. Two calls that no row tells apart are one target."""

    def __init__(self, policies: Sequence[Rules], servers: Mapping[str, Server], tools: Tools) -> None:
        """Take every policy that is to be asked, so that the answers can be compared."""
        self._grouped: Final = any(rules.tool_groups for rules in policies)
        self._calls: dict[tuple[str, str], list[Target]] = {}
        groups = _groups(policies)
        for name, server in sorted(servers.items()):
            for method in _methods(server, {called for where, called in groups if where.matches(name)}):
                offer = tools.offer(name, method)
                spoken = _spoken(groups, name, method)
                if spoken or offer is not None:
                    names = spoken | ({Pattern(one) for one in offer.names} if offer else set())
                    self._calls[name, method] = sorted(_targets(name, method, names), key=lambda one: one.tool)

    def __iter__(self) -> Iterator[Target]:
        """Give all targets, by server and method."""
        for targets in self._calls.values():
            yield from targets

    def matching(self, server: Pattern, method: Pattern, tool: Pattern) -> Iterator[Target]:
        """Give the targets that a row with these patterns may decide."""
        for (name, called), targets in self._calls.items():
            if not server.matches(name) or not _decides(method, called):
                continue
            if self._grouped or called == "completion/complete":
                yield from targets  # here a row decides about tools that are not spelled as in it
                continue
            for target in targets[bisect_left(targets, tool.text, key=lambda one: one.tool) :]:
                if not tool.matches(target.tool):
                    break
                yield target


def _groups(policies: Iterable[Rules]) -> dict[tuple[Pattern, Pattern], set[Pattern]]:
    found: dict[tuple[Pattern, Pattern], set[Pattern]] = {}
    for rules in policies:
        for rule in rules.rules:
            found.setdefault((rule.server, rule.method), set()).add(rule.tool)
        for row in rules.scopes:
            found.setdefault((row.server, row.method), set()).add(row.tool)
        for server, method, tool in opaque.calls(rules):
            found.setdefault((server, method), set()).add(tool)
    grouped = {Pattern(group.member) for rules in policies for group in rules.tool_groups}
    return {key: patterns | grouped for key, patterns in found.items()}


def _methods(server: Server, patterns: Iterable[Pattern]) -> Iterator[str]:
    """Give the methods that are judged in a way of their own; the others follow one of them."""
    for method, entry in METHODS.items():
        alone = entry.follows or _CALL
        follows = any(one.matches(method) and not one.matches(alone) for one in patterns)
        if entry.kind is Kind.RULE or (entry.kind is not Kind.PASS and follows):
            yield method
    yield from sorted(server.methods - METHODS.keys())


def _spoken(groups: Mapping[tuple[Pattern, Pattern], set[Pattern]], server: str, method: str) -> set[Pattern]:
    """Give the tool patterns of all rows that decide about this method of this server."""
    return {
        pattern
        for (where, called), patterns in groups.items()
        if where.matches(server) and _decides(called, method)
        for pattern in patterns
    }


def _decides(pattern: Pattern, method: str) -> bool:
    entry = METHODS.get(method)
    return pattern.matches(method) or bool(entry and entry.follows and pattern.matches(entry.follows))


def _targets(server: str, method: str, patterns: set[Pattern]) -> Iterator[Target]:
    if method in _ACTS_ON_NOTHING:
        yield Target(server=server, method=method, tool="", label="")
        return
    literals = {pattern.text for pattern in patterns if not pattern.prefix}
    for text in literals:
        yield Target(server=server, method=method, tool=text, label=str(Pattern(text)))
    beginnings = {pattern.text for pattern in patterns if pattern.prefix}
    known = sorted(literals | beginnings)
    for text in beginnings:
        other = unlike(text, known)
        yield Target(server=server, method=method, tool=other, label=str(Pattern(text, prefix=True)), more=True)


def unlike(beginning: str, known: Sequence[str]) -> str:
    """Give a name that begins so and that no known name or longer beginning means; `known` are sorted."""
    taken: set[str] = set()
    for name in known[bisect_left(known, beginning) :]:
        if not name.startswith(beginning):
            break
        taken.add(name[len(beginning) : len(beginning) + 1])
    # Whatever comes behind a character that none of them has there is meant by the beginning alone.
    return beginning + next(char for char in chain(_OTHERS, map(chr, count(0x100))) if char not in taken)
