"""Suggests rows for what was asked and denied: never wider than what was seen."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from authz_sidecar.errors import ConfigError
from authz_sidecar.methods import METHODS, Kind
from authz_sidecar.model import Reason, Server
from authz_sidecar.policy.callers import NOBODY
from authz_sidecar.policy.holding import Holding
from authz_sidecar.policy.logs import Asked, Log
from authz_sidecar.policy.opaque import unread
from authz_sidecar.policy.replay import decide
from authz_sidecar.policy.spelling import Spelling
from authz_sidecar.ports import Policy
from authz_sidecar.rules import ScopeHierarchy


@dataclass(slots=True, kw_only=True)
class Suggestion:
    """A p row that somebody seems to need, and who was seen asking."""

    subject: str
    server: str
    method: str
    tool: str
    seen: Counter[str] = field(default_factory=Counter[str])
    """How often each caller asked."""

    spelling: Spelling = field(default_factory=Spelling)

    @property
    def row(self) -> str:
        """Spell it as a line of `policy.csv`: whole names, no pattern."""
        return self.spelling.row((self.subject, self.server, self.method, self.tool))


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggested:
    """The rows that somebody seems to need, and the calls that no row can give to whoever made them."""

    rows: list[Suggestion]
    left_out: Counter[Asked] = field(default_factory=Counter[Asked])
    """How often each was asked: the caller has no name that a row may have, or a name cannot be spelt in one."""


async def suggest(
    log: Log,
    policy: Policy,
    servers: Mapping[str, Server],
    hierarchy: ScopeHierarchy,
    *,
    by_user: bool = False,
    spelling: Spelling | None = None,
) -> Suggested:
    """Give a row for each call that was denied because no row spoke for it, and still would be.

    A row is for a role that the caller carried or holds, so that colleagues get it too; `by_user` names the callers
    instead, and nobody else. What a row denies, and what only a scope stands before, is left alone. Raises
    `EngineError`, and `ConfigError` where only an engine could say what a row would mean.
    """
    if why := unread(policy.rules):
        raise ConfigError(f"{why}, so none can be suggested for it")
    holding = Holding(policy.rules.memberships)
    silent: dict[tuple[str, str, str], Counter[Asked]] = {}
    for asked, times in log.asked.items():
        if asked.allowed or not _judged(asked, servers):
            continue
        call = asked.server, *_base(asked)
        async for one in _silent(asked, call, policy, servers, hierarchy):
            silent.setdefault(call, Counter())[one] += times
    spelling = spelling or Spelling()
    left_out: Counter[Asked] = Counter()
    found = [
        row for call, asks in silent.items() for row in _rows(call, asks, holding, spelling, left_out, by_user=by_user)
    ]
    found.sort(key=lambda one: (_rank(one.subject), one.subject, one.server, one.method, one.tool))
    return Suggested(rows=found, left_out=left_out)


async def _silent(
    asked: Asked, call: tuple[str, str, str], policy: Policy, servers: Mapping[str, Server], hierarchy: ScopeHierarchy
) -> AsyncIterator[Asked]:
    """Give the question as each would ask it for whom no row speaks: the caller, and an agent that acts for it."""
    decision, _ = await decide(asked, policy, servers, hierarchy)
    if decision.reason is not Reason.NO_MATCHING_RULE:
        return
    agents = tuple(name for name in asked.subjects if name.startswith("agent:"))
    if agents and not (await policy.compiled.judge(frozenset(agents), *call)).allows:
        yield replace(asked, subjects=agents)
    alone = replace(asked, subjects=tuple(name for name in asked.subjects if name not in agents))
    if agents:
        decision, _ = await decide(alone, policy, servers, hierarchy)
    if alone.subjects and decision.reason is Reason.NO_MATCHING_RULE:
        yield alone


def _judged(asked: Asked, servers: Mapping[str, Server]) -> bool:
    # A list request itself needs no row.
    return asked.server in servers and bool(asked.tool)


def _base(asked: Asked) -> tuple[str, str]:
    """Give the call whose right the asked one follows from: whoever lists a tool wants to call it."""
    entry = METHODS.get(asked.method)
    follows = entry.follows if entry is not None and entry.kind in (Kind.LIST, Kind.FOLLOWS) else ""
    return follows or asked.method, asked.tool


def _rows(
    call: tuple[str, str, str],
    asks: Mapping[Asked, int],
    holding: Holding,
    spelling: Spelling,
    left_out: Counter[Asked],
    *,
    by_user: bool,
) -> Iterator[Suggestion]:
    server, method, tool = call
    holding = holding.on(server)
    found: dict[str, Suggestion] = {}
    roles = Counter(role for asked in asks for role in _roles(asked.subjects, holding))
    for asked, times in asks.items():
        mine = [] if by_user else sorted(_roles(asked.subjects, holding), key=lambda role: (-roles[role], role))
        subject = mine[0] if mine else _caller(asked.subjects)
        row = Suggestion(subject=subject, server=server, method=method, tool=tool, spelling=spelling)
        # Whoever asked chose the names in it.
        if not subject or not spelling.sound(row.row, (subject, server, method, tool)):
            left_out[asked] += times
            continue
        found.setdefault(subject, row).seen[_caller(asked.subjects) or subject] += times
    yield from found.values()


def _roles(subjects: Sequence[str], holding: Holding) -> set[str]:
    """Give the roles in the token and those that a g row gives to the caller itself; inherited ones reach too far."""
    carried = {name for name in subjects if name.startswith(("role:", "group:"))}
    direct = {way[0].role for name in subjects for way in holding.paths((name,)).values() if len(way) == 1}
    return carried | {role for role in direct if role.startswith("role:")}


def _caller(subjects: Sequence[str]) -> str:
    named = [name for name in subjects if name.startswith(("user:", "client:", "agent:")) and name != NOBODY]
    return min(named, key=lambda name: not name.startswith("user:"), default="")


def _rank(subject: str) -> int:
    return 0 if subject.startswith(("role:", "group:")) else 1


def as_csv(suggestions: Iterable[Suggestion]) -> Iterator[str]:
    """Spell the rows with comments that say who was seen, ready for `policy.csv`."""
    subject = ""
    for one in suggestions:
        if one.subject != subject:
            subject = one.subject
            yield ""
            yield f"# {_told(subject)}: everybody who has this name gets the rows below."
        seen = ", ".join(f"{_told(name)} {times}x" for name, times in one.seen.most_common(5))
        more = f" and {len(one.seen) - 5} more" if len(one.seen) > 5 else ""
        yield f"# asked by {seen}{more}"
        yield one.row


def _told(name: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in name)
