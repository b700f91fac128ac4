"""What a policy says: checked rows, born in the loader and never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from authz_sidecar.facts import Facts
from authz_sidecar.model import RuleRef

PREFIXES: Final = ("user:", "role:", "group:", "client:", "agent:")
"""Every subject of a policy begins with one of these."""


class Effect(StrEnum):
    """What a rule does when it matches."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A literal, or a beginning (`tickets_*`, and `*` for anything). Compared by code points, never folded."""

    text: str
    prefix: bool = False

    def matches(self, value: str) -> bool:
        """Say whether the value is the literal or begins as the pattern does."""
        return value.startswith(self.text) if self.prefix else value == self.text

    def __hash__(self) -> int:
        """Tell most patterns apart; a policy is full of them, and this is quicker than what a dataclass makes."""
        return hash(self.text)

    def __str__(self) -> str:
        """Spell it as in the file, where `\\*` is a literal star."""
        return self.text.replace("*", "\\*") + ("*" if self.prefix else "")


ANY: Final = Pattern("", prefix=True)


class Condition(Protocol):
    """The compiled `when` of a rule. Immutable; two are equal when their texts are."""

    @property
    def text(self) -> str:
        """The condition as it is written."""
        ...

    @property
    def needs_arguments(self) -> bool:
        """Whether the answer may depend on the arguments of the call."""
        ...

    def holds(self, facts: Facts) -> bool:
        """Say whether the condition is true, or raise `ConditionError`.

        The cost is bounded whatever the facts. INVARIANT: the answer depends on the facts alone, not on what was
        evaluated before; else removing an allow row could make another one grant.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A `p` row."""

    subject: Pattern
    server: Pattern
    method: Pattern
    tool: Pattern
    effect: Effect
    source: str
    line: int
    text: str
    until: float | None = None
    """When an allow row ends, in seconds since the epoch; a deny row never does."""
    when: Condition | None = None
    """What must be true besides. Engines do not look at it: they find the row, and `judge` asks the condition."""

    @property
    def ref(self) -> RuleRef:
        """Point to the row."""
        return RuleRef(source=self.source, line=self.line, text=self.text, allow=self.effect is Effect.ALLOW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """A `g` row: `member` holds `role`. In a `g2` row both are tools: a rule for `role` is one for `member`."""

    member: str
    role: str
    source: str
    line: int
    text: str
    server: str | None = None
    """Where it holds, in a policy with roles by domain; None means on every server."""
    until: float | None = None
    """When it no longer leads to allow rows, in seconds since the epoch; to deny rows it always leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeRow:
    """A row of `scopes.csv`: the scopes that a token must carry for this call."""

    server: Pattern
    method: Pattern
    tool: Pattern
    scopes: tuple[str, ...]
    source: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What an expectation takes as given, for conditions."""

    claims: Mapping[str, object] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)
    now: float | None = None
    """In seconds since the epoch; without it, a condition on the time errs: no test may fail because time goes by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """A row of `expectations.csv`: what the policy must answer."""

    subjects: tuple[str, ...]
    server: str
    method: str
    tool: str
    scopes: tuple[str, ...]
    arguments: bytes
    expect: str
    """`allow`, `deny`, or the reason in lower case (`insufficient_scope`)."""
    source: str
    line: int
    column: int = 0
    """Of the expected outcome."""
    given: Given = field(default_factory=Given)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRule:
    """A `p` row whose fields only Casbin can compare."""

    values: tuple[str, ...]
    """The fields behind the `p` as they stand, but for the subject, which is a name as the policy spells it."""
    rule: Rule
    """The row for people to find it; its patterns mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """The `p` rows of a policy by a model that only Casbin can evaluate.

    They stand apart from the others, so that an engine that does not know of them denies.
    """

    model: str
    rows: tuple[ForeignRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All rows of one policy."""

    rules: tuple[Rule, ...] = ()
    memberships: tuple[Membership, ...] = ()
    tool_groups: tuple[Membership, ...] = ()
    """The `g2` rows, for models with resource roles."""
    scopes: tuple[ScopeRow, ...] = ()
    expectations: tuple[Expectation, ...] = ()
    model: str = ""
    """The text of `model.conf`, for engines that read one."""
    foreign: Foreign | None = None
    sources: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    """The files of `engine.d`, by their names in the policy directory: policies in an engine's own language."""
    namesakes: frozenset[str] = frozenset()
    """Users whose tokens are refused, because the policy has no prefixes and a role of the same name."""

    @property
    def size(self) -> int:
        """Count the `p` rows."""
        return len(self.rules) + (0 if self.foreign is None else len(self.foreign.rows))

    def required_scopes(self, server: str, method: str, tool: str) -> frozenset[str]:
        """Give all scopes of a call: the rows that match add up."""
        return frozenset(
            scope
            for row in self.scopes
            if row.server.matches(server) and row.method.matches(method) and row.tool.matches(tool)
            for scope in row.scopes
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Erred:
    """A row whose condition could not be evaluated, and why, for our logs."""

    rule: Rule
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Every rule that speaks to a call by a set of subjects. It is true when some rule allows and none denies."""

    allows: tuple[Rule, ...] = ()
    denies: tuple[Rule, ...] = ()
    erred: tuple["Erred", ...] = ()
    """Rows whose condition could not be evaluated: deny rows among `denies`, and allow rows that are missing above.

    Engines leave it empty."""

    def __bool__(self) -> bool:
        """Deny wins, silence denies."""
        return bool(self.allows) and not self.denies


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeHierarchy:
    """Which scopes stand for others (`[scopes.implies]`), closed over."""

    implies: Mapping[str, frozenset[str]] = field(default_factory=lambda: MappingProxyType({}))

    def held(self, scopes: frozenset[str]) -> frozenset[str]:
        """Give the scopes and everything that they imply."""
        if not self.implies:
            return scopes
        return scopes.union(*(self.implies.get(scope, frozenset()) for scope in scopes))
