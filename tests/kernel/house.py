"""A house without rooms: fakes that keep the promises of the ports, and short ways to ask the kernel."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import count

from authz_sidecar.decide import Decider
from authz_sidecar.errors import ConditionError, EngineError, LedgerFull, NotReady, TokenError
from authz_sidecar.facts import Facts
from authz_sidecar.judge import judge
from authz_sidecar.model import (
    Answer,
    Decision,
    Principal,
    Query,
    Question,
    RawToken,
    Revision,
    Server,
)
from authz_sidecar.ports import CompiledPolicy, Policy
from authz_sidecar.rules import Condition, Rules, ScopeHierarchy, ScopeRow, Verdict
from authz_sidecar.testing.cases import pattern, rows

A = "allow"
D = "deny"
CALL = "tools/call"
OPS = Server(name="ops", audience="https://ops.example/mcp", methods=frozenset({"acme/report"}))


@dataclass(frozen=True)
class LinearPolicy:
    """Reads all rows for each question; follows memberships naively."""

    rules: Rules

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        names = set(subjects)
        for _ in self.rules.memberships:
            names |= {row.role for row in self.rules.memberships if row.member in names}
        speaking = [
            rule
            for rule in self.rules.rules
            if rule.server.matches(server)
            and rule.method.matches(method)
            and rule.tool.matches(tool)
            and any(map(rule.subject.matches, names))
        ]
        return Verdict(
            allows=tuple(rule for rule in speaking if rule.ref.allow),
            denies=tuple(rule for rule in speaking if not rule.ref.allow),
        )


@dataclass(frozen=True)
class Fixed:
    """A condition that is always the same; None errs."""

    outcome: bool | None
    needs_arguments: bool = False
    asked: list[bytes] = field(default_factory=list, compare=False)

    @property
    def text(self) -> str:
        return f"{self.outcome} {self.needs_arguments}"

    def holds(self, facts: Facts) -> bool:
        self.asked.append(facts.arguments)
        if self.outcome is None:
            raise ConditionError("a field is not there")
        return self.outcome


def conditional(rules: Rules, **conditions: Condition) -> Rules:
    """Put conditions on rows: `line_3=Fixed(True)`."""
    changed = [replace(rule, when=conditions.get(f"line_{rule.line}")) for rule in rules.rules]
    return replace(rules, rules=tuple(changed))


class FailingPolicy:
    """Never certain."""

    async def judge(self, subjects: frozenset[str], server: str, method: str, tool: str) -> Verdict:
        raise EngineError(f"no answer for {sorted(subjects)} {server} {method} {tool}")


def policy(rules: Rules, compiled: CompiledPolicy | None = None, revision: str = "sha256:1") -> Policy:
    return Policy(revision=Revision(revision), rules=rules, compiled=compiled or LinearPolicy(rules))


def scoped(rules: Rules, *lines: tuple[str, str, str, str]) -> Rules:
    """Add rows of `scopes.csv`: server, method, tool, scopes."""
    added = tuple(
        ScopeRow(
            server=pattern(server),
            method=pattern(method),
            tool=pattern(tool),
            scopes=tuple(scopes.split()),
            source="scopes.csv",
            line=number,
        )
        for number, (server, method, tool, scopes) in enumerate(lines, 2)
    )
    return replace(rules, scopes=added)


def caller(
    user: str | None = "user:ann",
    *groups: str,
    client: str | None = None,
    agent: str | None = None,
    scopes: str = "",
) -> Principal:
    return Principal(
        issuer="https://idp.example",
        subject="ann",
        user=user,
        groups=frozenset(groups),
        client=client,
        agent=agent,
        scopes=frozenset(scopes.split()),
        expires_at=2_000_000_000.0,
    )


def ask(
    rules: Rules, who: Principal, method: str, tool: str, *, implies: Mapping[str, frozenset[str]] | None = None
) -> Decision:
    """Judge one question to the server `ops`."""
    hierarchy = ScopeHierarchy(implies=implies or {})
    return asyncio.run(judge(policy(rules), who, OPS, Question(method=method, tool=tool), hierarchy))


def lines(decision: Decision) -> list[int]:
    return [rule.line for rule in decision.rules]


@dataclass
class OnePolicy:
    """Holds what it is given; may change between two looks, as a reload does."""

    queue: list[Policy] = field(default_factory=list)
    looks: int = 0

    @property
    def current(self) -> Policy:
        self.looks += 1
        if not self.queue:
            raise NotReady
        return self.queue.pop(0) if len(self.queue) > 1 else self.queue[0]


@dataclass
class KnownTokens:
    """Verifies by a table."""

    table: Mapping[str, Principal | TokenError | NotReady]
    asked: list[tuple[RawToken, Server]] = field(default_factory=list)

    async def verify(self, token: RawToken, server: Server) -> Principal:
        self.asked.append((token, server))
        await asyncio.sleep(0)
        found = self.table[token.text]
        if isinstance(found, TokenError | NotReady):
            raise found
        return found


@dataclass
class Memory:
    """Remembers answers, up to `room`."""

    room: int = 1_000
    kept: list[tuple[Query, Answer, str]] = field(default_factory=list)

    def record(self, query: Query, answer: Answer, detail: str = "") -> None:
        if len(self.kept) >= self.room:
            raise LedgerFull
        self.kept.append((query, answer, detail))


READERS = rows(
    ("user:ann", "role:reader"),
    ("role:reader", "ops", "tools/call", "read", "allow"),
    ("user:mallory", "*", "*", "*", "deny"),
)


@dataclass
class House:
    """A decider and what it was built from."""

    policies: OnePolicy
    tokens: KnownTokens
    log: Memory
    decider: Decider

    def decide(self, query: Query) -> Answer:
        return asyncio.run(self.decider.decide(query))


def house(
    *snapshots: Policy,
    tokens: Mapping[str, Principal | TokenError | NotReady] | None = None,
    room: int = 1_000,
    servers: str = "ops",
) -> House:
    policies = OnePolicy(list(snapshots or (policy(READERS),)))
    verifier = KnownTokens(tokens or {"ann": caller(), "mallory": caller("user:mallory")})
    log = Memory(room)
    ids = count(1)
    decider = Decider(
        policies=policies,
        verifier=verifier,
        log=log,
        servers={name: replace(OPS, name=name) for name in servers.split()},
        new_id=lambda: f"id-{next(ids)}",
    )
    return House(policies, verifier, log, decider)


def query(token: str, *asked: tuple[str, str], server: str = "ops") -> Query:
    return Query(
        token=RawToken(token),
        server=server,
        questions=tuple(Question(method=method, tool=tool) for method, tool in asked or (("tools/call", "read"),)),
        batch=len(asked) > 1,
    )
