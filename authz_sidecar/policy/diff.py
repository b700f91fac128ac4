"""Compares two policies by what they mean: who gains and who loses which call."""

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from authz_sidecar.errors import ConfigError
from authz_sidecar.model import Server
from authz_sidecar.policy.callers import NOBODY
from authz_sidecar.policy.holding import Holding
from authz_sidecar.policy.matrix import MOST
from authz_sidecar.policy.people import Name, names
from authz_sidecar.policy.questions import Questions, Reply
from authz_sidecar.policy.tools import Tools
from authz_sidecar.policy.universe import Target, Universe
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Membership, Rule, Rules, ScopeHierarchy

_COMPLETES: Final = ("ref/prompt:", "ref/resource:")


class Change(StrEnum):
    """What happens to somebody's right to a call."""

    CONDITION = "condition"
    """The right hangs on other conditions; whether they are wider nobody can tell."""
    GAINS = "gains"
    LOSES = "loses"
    NEEDS_LESS = "needs_less"
    NEEDS_MORE = "needs_more"

    @property
    def opens(self) -> bool:
        """Say whether somebody may do what they could not do before."""
        return self in (Change.CONDITION, Change.GAINS, Change.NEEDS_LESS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One change for one name; `also` are those to whom it happens because they hold that name."""

    change: Change
    name: Name
    target: Target
    before: Reply
    after: Reply
    also: tuple[str, ...] = ()


def change(before: Reply, after: Reply) -> Change | None:
    """Say what happens between two answers to a caller without scopes, or None when nothing does."""
    if before.permitted != after.permitted:
        return Change.GAINS if after.permitted else Change.LOSES
    had, has = _terms(before), _terms(after)
    if not after.permitted or had == has:
        return None
    (scopes, when, unless), (scopes_now, when_now, unless_now) = had, has
    if scopes <= scopes_now and (not when or when == when_now) and unless <= unless_now:
        return Change.NEEDS_MORE
    if scopes == scopes_now and when_now and (when != when_now or unless != unless_now):
        return Change.CONDITION
    return Change.NEEDS_LESS


def _terms(reply: Reply) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    return frozenset(reply.scopes), frozenset(reply.when), frozenset(reply.unless)


async def compare(
    old: Policy, new: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy, tools: Tools
) -> tuple[Difference, ...]:
    """Give every difference that the two policies can tell apart; raises `EngineError`.

    Only names and calls that a changed row can touch are asked about: the cost grows with the edit.
    """
    universe = Universe((old.rules, new.rules), servers, tools)
    sides = _Sides(
        Questions(policy=old, servers=servers, hierarchy=hierarchy, tools=tools, universe=universe),
        Questions(policy=new, servers=servers, hierarchy=hierarchy, tools=tools, universe=universe),
    )
    found = [one async for one in sides.differences()]
    return tuple(sorted(_folded(found, sides), key=_order))


class _Sides:
    def __init__(self, old: Questions, new: Questions) -> None:
        self.old: Final = old
        self.new: Final = new
        self._names: Final = {one.name: one for one in names((old.policy.rules, new.policy.rules))}
        for user in old.policy.rules.namesakes ^ new.policy.rules.namesakes:
            self._names.setdefault(user, Name(name=user, label=user))

    async def differences(self) -> AsyncIterator[Difference]:
        """Ask both about everything that a changed row can touch."""
        for name, targets in self._touched().items():
            for target in targets:
                before, after = await self.old.ask((name.name,), target), await self.new.ask((name.name,), target)
                found = change(before, after)
                if found is not None:
                    yield Difference(change=found, name=name, target=target, before=before, after=after)

    def held(self, name: str, server: str, which: Change) -> Collection[str]:
        """Give what a name holds on a server, on the side where it has the right."""
        side = self.old if which is Change.LOSES else self.new
        return side.people.holding.on(server).held(name)

    def _touched(self) -> dict[Name, set[Target]]:
        old, new = self.old.policy.rules, self.new.policy.rules
        if (old.foreign, old.sources) != (new.foreign, new.sources):  # what a row there touches nobody can read
            every = set(self.new.universe)
            if len(every) * len(self._names) > MOST:
                raise ConfigError(f"the policies have more than {MOST:,} answers that only an engine can compare")
            return dict.fromkeys(self._names.values(), every)
        found: dict[Name, set[Target]] = {}
        for rule in _changed_rules(self.old.policy.rules, self.new.policy.rules):
            targets = set(self.new.universe.matching(rule.server, rule.method, rule.tool))
            for name in self._meant(rule):
                found.setdefault(name, set()).update(targets)
        for member in _changed_members(self.old.policy.rules, self.new.policy.rules):
            for name in self._below((member,)):
                near = self.old.near((member,)) | self.new.near((member,))
                found.setdefault(name, set()).update(near)
        for user in old.namesakes ^ new.namesakes:
            found.setdefault(self._names[user], set()).update(self.old.near((user,)) | self.new.near((user,)))
        everybody = self._guarded() | self._grouped()
        for name in self._names.values() if everybody else ():
            found.setdefault(name, set()).update(everybody)
        return found

    def _meant(self, rule: Rule) -> Iterator[Name]:
        meant = [name for name in self._names if rule.subject.matches(name)]
        if rule.subject.matches(NOBODY):  # whoever holds a role is some user
            meant += [name for name in self._names if name.startswith(("role:", "group:"))]
        yield from self._below(meant)

    def _below(self, roles: Iterable[str]) -> Iterator[Name]:
        roles = tuple(roles)
        holders = self.old.people.holding.holders(roles) | self.new.people.holding.holders(roles)
        yield from (self._names[name] for name in holders if name in self._names)

    def _guarded(self) -> set[Target]:
        """Give the targets of the scope rows that changed."""
        old, new = (
            {(row.server, row.method, row.tool, frozenset(row.scopes)) for row in side.policy.rules.scopes}
            for side in (self.old, self.new)
        )
        return {
            target
            for server, method, tool, _ in old ^ new
            for target in self.new.universe.matching(server, method, tool)
        }

    def _grouped(self) -> set[Target]:
        """Give the targets whose tools change the groups that they are in."""
        old, new = self.old.policy.rules.tool_groups, self.new.policy.rules.tool_groups
        members = _members(old) ^ _members(new)
        if not members:
            return set()
        moved = {member for member, *_ in members}
        tools = Holding(old).holders(moved) | Holding(new).holders(moved)
        # What completion acts on is spelled in a way of its own.
        return {one for one in self.new.universe if one.tool in tools or one.tool.startswith(_COMPLETES)}


def _changed_rules(old: Rules, new: Rules) -> Iterator[Rule]:
    before, after = {_key(rule): rule for rule in old.rules}, {_key(rule): rule for rule in new.rules}
    for key in before.keys() ^ after.keys():
        yield before.get(key) or after[key]


def _key(rule: Rule) -> tuple[object, ...]:
    return (
        rule.subject,
        rule.server,
        rule.method,
        rule.tool,
        rule.effect,
        rule.until,
        rule.when.text if rule.when else "",
    )


def _changed_members(old: Rules, new: Rules) -> set[str]:
    return {member for member, *_ in _members(old.memberships) ^ _members(new.memberships)}


def _members(rows: Iterable[Membership]) -> set[tuple[str, str, str | None, float | None]]:
    return {(row.member, row.role, row.server, row.until) for row in rows}


def _folded(found: Iterable[Difference], sides: _Sides) -> Iterator[Difference]:
    """Say a change once, at the name that it happens to, and name those who hold that name beside it."""
    by_call: dict[tuple[Target, Change], dict[str, Difference]] = {}
    for one in found:
        by_call.setdefault((one.target, one.change), {})[one.name.name] = one
    for (target, which), changed in by_call.items():
        also: dict[str, list[str]] = {}
        held_by = partial(sides.held, server=target.server, which=which)
        for name in changed:
            above = [held for held in held_by(name) if held != name and held in changed]
            # The one furthest up stands for all: it holds none of the others.
            top = next((held for held in above if not (set(held_by(held)) & set(above)) - {held}), None)
            if top is not None:
                also.setdefault(top, []).append(changed[name].name.label)
        folded = {label for labels in also.values() for label in labels}
        for name, one in changed.items():
            if one.name.label not in folded:
                yield Difference(
                    change=one.change,
                    name=one.name,
                    target=one.target,
                    before=one.before,
                    after=one.after,
                    also=tuple(sorted(also.get(name, ()))),
                )


def _order(one: Difference) -> tuple[object, ...]:
    return not one.change.opens, one.change, one.target.server, one.target.method, one.target.label, one.name.label
