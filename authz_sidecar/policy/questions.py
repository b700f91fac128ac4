"""Answers who may do something, and what somebody may do, by asking the decision itself."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from authz_sidecar.judge import judge
from authz_sidecar.model import Decision, Principal, Question, Reason, Server
from authz_sidecar.policy.assumed import Assumed
from authz_sidecar.policy.callers import caller
from authz_sidecar.policy.holding import Path
from authz_sidecar.policy.opaque import unsaid
from authz_sidecar.policy.people import Name, People, names
from authz_sidecar.policy.tools import Tools
from authz_sidecar.policy.universe import Target, Universe
from authz_sidecar.ports import Policy
from authz_sidecar.rules import Effect, Pattern, ScopeHierarchy


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, and the conditions that it hangs on."""

    decision: Decision
    when: tuple[str, ...] = ()
    """It holds only when one of these is true; empty when a row without a condition decided."""
    unless: tuple[str, ...] = ()
    """It does not hold when one of these is true: conditions of deny rows."""

    @property
    def permitted(self) -> bool:
        """Say whether the policy permits it to a token that carries `scopes`."""
        return self.decision.allowed or self.decision.reason is Reason.INSUFFICIENT_SCOPE

    @property
    def scopes(self) -> tuple[str, ...]:
        """The scopes that the token must carry as well."""
        return self.decision.required_scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant(Reply):
    """What one name gets for one call."""

    name: Name
    target: Target
    path: Path = ()
    """The g rows by which the name holds the role that decided; empty for the name itself."""


class Questions:
    """Asks one policy about everybody and everything that it can tell apart."""

    def __init__(
        self,
        *,
        policy: Policy,
        servers: Mapping[str, Server],
        hierarchy: ScopeHierarchy,
        tools: Tools,
        universe: Universe | None = None,
    ) -> None:
        """Take a policy and what it is held against; `servers` is by name."""
        self.policy: Final = policy
        self._assumed: Final = Assumed(policy.compiled)
        self._asked: Final = replace(policy, compiled=self._assumed)
        self.servers: Final = servers
        self.people: Final = People(policy.rules)
        self.universe: Final = universe or Universe((policy.rules,), servers, tools)
        self.unsaid: Final = unsaid(policy.rules)
        """What cannot be told about this policy, for people; empty when all can."""
        self._hierarchy = hierarchy
        foreign = () if policy.rules.foreign is None else policy.rules.foreign.rows
        rows = (*policy.rules.rules, *(row.rule for row in foreign))
        self._subjects = {(rule.source, rule.line): rule.subject for rule in rows}

    @property
    def names(self) -> tuple[Name, ...]:
        """Give every name that the policy can tell apart."""
        return names((self.policy.rules,))

    async def ask(self, subjects: Collection[str], target: Target) -> Reply:
        """Ask about names, without scopes, whatever the arguments; raises `EngineError`."""
        self._assumed.met.clear()
        question = Question(method=target.method, tool=target.tool)
        server = self.servers[target.server]
        decision = await judge(self._asked, _as_caller(subjects), server, question, self._hierarchy)
        if not self._assumed.met:
            return Reply(decision=decision)
        met = self._assumed.met
        deciding = [met.get((rule.source, rule.line)) for rule in decision.rules]
        when = [rule.when.text for rule in deciding if rule is not None and rule.when is not None]
        denies = [rule for rule in met.values() if rule.effect is Effect.DENY and rule.when is not None]
        return Reply(
            decision=decision,
            when=tuple(sorted(set(when))) if len(when) == len(deciding) else (),
            unless=tuple(sorted({rule.when.text for rule in denies if rule.when is not None})),
        )

    async def who_can(self, target: Target) -> AsyncIterator[Grant]:
        """Give the answer for every name of the policy; raises `EngineError`."""
        for name in self.names:
            yield await self._grant((name.name,), name, target)

    async def what_can(self, subjects: Sequence[str]) -> AsyncIterator[Grant]:
        """Give the answer for every target that a row for these names speaks to; raises `EngineError`."""
        label = " ".join(subjects)
        for target in sorted(self.near(subjects), key=_order):
            yield await self._grant(subjects, Name(name=subjects[0], label=label), target)

    def near(self, subjects: Collection[str]) -> set[Target]:
        """Give the targets that some row for these names may decide; about all others the policy is silent."""
        if self.unsaid:
            return set(self.universe)
        return {
            target
            for rule in {
                (rule.server, rule.method, rule.tool) for rule in self.people.about(_as_caller(subjects).subjects)
            }
            for target in self.universe.matching(*rule)
        }

    async def _grant(self, subjects: Sequence[str], name: Name, target: Target) -> Grant:
        reply = await self.ask(subjects, target)
        return grant(reply, name, target, self._path(subjects, target.server, reply.decision))

    def _path(self, subjects: Sequence[str], server: str, decision: Decision) -> Path:
        """Give the shortest way from the names to a role that one of the deciding rows is about."""
        places = {(rule.source, rule.line) for rule in decision.rules}
        deciding = [self._subjects[place] for place in places if place in self._subjects]
        return _shortest(self.people.holding.on(server).paths(subjects), deciding)


def grant(reply: Reply, name: Name, target: Target, path: Path = ()) -> Grant:
    """Say for whom and for what an answer is."""
    return Grant(decision=reply.decision, when=reply.when, unless=reply.unless, name=name, target=target, path=path)


def target(server: str, method: str, tool: str) -> Target:
    """Give a call as it was asked."""
    return Target(server=server, method=method, tool=tool, label=tool)


def _as_caller(subjects: Collection[str]) -> Principal:
    who = caller(subjects)
    if who.agent is not None and len(subjects) == 1:
        # An agent is asked about alone: what it may do for a user who may do it too.
        return replace(who, user=None, client=who.agent, agent=None)
    return who


def _shortest(paths: Mapping[str, Path], deciding: Sequence[Pattern]) -> Path:
    ways = [way for name, way in paths.items() if any(one.matches(name) for one in deciding)]
    return min(ways, key=len, default=())


def _order(one: Target) -> tuple[str, str, bool, str]:
    return one.server, one.method, one.more, one.label
