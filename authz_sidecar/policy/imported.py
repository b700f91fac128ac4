"""Turns a Casbin model and its policy into a policy of ours that means the same, or says why there is none."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from authz_sidecar.errors import PolicyProblems
from authz_sidecar.methods import METHODS, Kind
from authz_sidecar.policy.csvrows import read
from authz_sidecar.policy.findings import Findings, quote
from authz_sidecar.policy.model import read_model
from authz_sidecar.policy.shaped import parse_shaped
from authz_sidecar.policy.stored import Stored
from authz_sidecar.policy.until import spelled
from authz_sidecar.rules import ANY, Membership, Pattern, Rule, Rules

_KINDS: Final = ("user:", "role:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What the words of the old policy mean here."""

    methods: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Methods by the old word for an action, for example `read`."""
    server: str = ""
    """The server of rows that name none; empty means all."""
    plain: bool = True
    """Whether subjects have no `user:` or `role:` in front."""


def imported(model: tuple[str, bytes], policy: tuple[str, bytes], wording: Wording) -> list[Stored]:
    """Give the rows of our policy; raises `PolicyProblems` with everything that has no exact meaning.

    Names that stand on the right side of a `g` row become roles, all others users. Roles of a domain become roles
    `role:DOMAIN/NAME`, groups of tools become a row for each tool.
    """
    found = Findings()
    shape = read_model(*model, found)
    if shape is not None and shape.foreign:
        message = (
            "only Casbin can say what this matcher means, so it has no rows of ours; keep the model as `model.conf` "
            "instead, it is read as it is"
        )
        found.error(model[0], 0, 0, "foreign-model", message)
    rows = read(*policy, found, ends=True)
    if shape is None or found.problems:
        raise PolicyProblems(found.problems)
    rules = parse_shaped(rows, shape, {}, found, plain=wording.plain) if rows else Rules()
    converted = list(_Converter(rules, wording, found).rows())
    if found.problems:
        raise PolicyProblems(found.problems)
    return converted


class _Converter:
    def __init__(self, rules: Rules, wording: Wording, found: Findings) -> None:
        self._rules, self._wording, self._found = rules, wording, found
        self._domains = dict.fromkeys(row.server for row in rules.memberships if row.server is not None)
        self._roles = frozenset(row.role for row in rules.memberships)
        self._meant: dict[str, tuple[str, str | None]] = {}

    def rows(self) -> Iterator[Stored]:
        """Give every row, the rules first."""
        seen: set[tuple[tuple[str, ...], str]] = set()
        for values, until in (*self._rule_rows(), *self._membership_rows()):
            if (values, until) not in seen:
                seen.add((values, until))
                yield Stored(id=len(seen), values=values, until=until)

    def _rule_rows(self) -> Iterator[tuple[tuple[str, ...], str]]:
        for rule in self._rules.rules:
            method = self._method(rule)
            if method is None:
                continue
            until = "" if rule.until is None else spelled(rule.until)
            for tool in self._tools(rule):
                for subject, server in self._placed(rule):
                    yield ("p", str(subject), str(server), str(method), str(tool), rule.effect.value), until

    def _membership_rows(self) -> Iterator[tuple[tuple[str, ...], str]]:
        for row in self._rules.memberships:
            until = "" if row.until is None else spelled(row.until)
            yield ("g", self._local(row.member, row.server, row), self._local(row.role, row.server, row)), until

    def _placed(self, rule: Rule) -> Iterator[tuple[Pattern, Pattern]]:
        """Give subject and server; a role of domains has a name of its own in each of them."""
        server = rule.server
        if server == ANY and self._wording.server and not self._domains:
            server = Pattern(self._wording.server)
        if not self._domains or rule.subject.text not in self._roles or rule.subject.prefix:
            yield rule.subject, server
            return
        for domain in self._domains:
            if server.matches(domain):
                yield Pattern(self._local(rule.subject.text, domain, rule)), Pattern(domain)

    def _local(self, name: str, domain: str | None, row: Rule | Membership) -> str:
        """Give the name in this domain; two that would be spelled alike are reported, or one would hold the other."""
        kind, _, rest = name.partition(":")
        spelled_ = f"{kind}:{domain}/{rest}" if domain is not None and name in self._roles else name
        meant = (name, domain) if name in self._roles else (name, None)
        if self._meant.setdefault(spelled_, meant) != meant:
            message = f"{quote(spelled_)} would stand for two roles, rename one of them or its domain"
            self._found.error(row.source, row.line, 0, "ambiguous-role", message)
        return spelled_

    def _tools(self, rule: Rule) -> Iterator[Pattern]:
        """Give the tool and, where it is a group, every tool in it."""
        yield rule.tool
        if rule.tool.prefix:
            return
        members = _below(self._rules.tool_groups)
        waiting, known = [rule.tool.text], {rule.tool.text}
        while waiting:
            for member in members.get(waiting.pop(), ()):
                if member not in known:
                    known.add(member)
                    waiting.append(member)
                    yield Pattern(member)

    def _method(self, rule: Rule) -> Pattern | None:
        """Give what an action means in MCP, or report that it means nothing there."""
        word = rule.method
        if not word.prefix and word.text in self._wording.methods:
            return Pattern(self._wording.methods[word.text])
        known = [name for name, method in METHODS.items() if method.kind is not Kind.PASS]
        if any(word.matches(name) for name in known):
            return word
        near = difflib.get_close_matches(word.text, known, n=1)
        example = near[0] if near else "tools/call"
        message = f"no method of MCP is called {quote(str(word))}, say what it means: `--method {word}={example}`"
        self._found.error(rule.source, rule.line, 0, "unknown-method", message)
        return None


def _below(rows: tuple[Membership, ...]) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {}
    for row in rows:
        members.setdefault(row.role, []).append(row.member)
    return members
