"""Fills the table of names times calls, leaving out where the policy is silent."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from authz_sidecar.errors import ConfigError
from authz_sidecar.model import Reason
from authz_sidecar.policy.people import Name
from authz_sidecar.policy.questions import Grant, Questions, grant
from authz_sidecar.policy.universe import Target

MOST: Final = 500_000
"""Answers that a matrix may have; beyond them nobody reads it."""
_HEADER: Final = ("server", "method", "tool")
_SPECIAL: Final = frozenset(',"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrix:
    """Names, calls, and the answers by both; where there is none, no row speaks."""

    names: tuple[Name, ...]
    targets: tuple[Target, ...]
    grants: dict[tuple[str, Target], Grant]
    """By the name asked and the call."""

    def at(self, name: Name, target: Target) -> Grant | None:
        """Give the answer, or None where the policy is silent."""
        return self.grants.get((name.name, target))

    def telling(self, target: Target) -> bool:
        """Say whether a call is worth a line: somebody may do it, or it has a name."""
        return bool(target.label and not target.more) or any(found.permitted for found in self.of(target))

    def of(self, target: Target) -> Iterator[Grant]:
        """Give the answers about one call, in the order of the names."""
        for name in self.names:
            found = self.at(name, target)
            if found is not None:
                yield found


async def fill(questions: Questions, *, servers: frozenset[str], kinds: frozenset[str]) -> Matrix:
    """Ask about every name of these kinds and every call of these servers that a row may decide; empty means all.

    Raises `ConfigError` when that is more than `MOST`, and `EngineError`.
    """
    names = tuple(one for one in questions.names if not kinds or one.kind in kinds)
    grants: dict[tuple[str, Target], Grant] = {}
    for name in names:
        for target in questions.near((name.name,)):
            if servers and target.server not in servers:
                continue
            if len(grants) >= MOST:
                raise ConfigError(f"the matrix has more than {MOST:,} answers, narrow it with --server or --who")
            reply = await questions.ask((name.name,), target)
            if reply.decision.reason is not Reason.NO_MATCHING_RULE:
                grants[name.name, target] = grant(reply, name, target)
    targets = tuple(one for one in questions.universe if not servers or one.server in servers)
    spoken = {name for name, _ in grants}
    return Matrix(
        names=tuple(name for name in names if name.name in spoken),
        targets=tuple(sorted(targets, key=lambda one: (one.server, one.method, one.more, one.label))),
        grants=grants,
    )


def as_csv(matrix: Matrix) -> Iterator[str]:
    """Spell it as `matrix.csv`: whole names only, and what holds today for a token without scopes as expectation.

    Raises `ConfigError` when it would be empty or too long.
    """
    names = [name for name in matrix.names if not name.more and name.kind != "agent:"]
    targets = [target for target in matrix.targets if not target.more]
    if not names or not targets:
        raise ConfigError("the policy names nobody or nothing that matrix.csv could name, a pattern cannot stand there")
    if len(names) * len(targets) > MOST:
        raise ConfigError(f"the matrix has more than {MOST:,} cells, narrow it with --server or --who")
    yield ", ".join((*_HEADER, *(_quoted(name.name) for name in names)))
    for target in targets:
        cells = (_cell(matrix.at(name, target)) for name in names)
        yield ", ".join((target.server, target.method, _quoted(target.label), *cells))


def _cell(found: Grant | None) -> str:
    if found is None or not found.permitted:
        return "deny"
    if found.when or found.unless:
        return ""  # hangs on the arguments: a row of expectations.csv can say more
    return "allow" if found.decision.allowed else found.decision.reason.value


def _quoted(text: str) -> str:
    if not _SPECIAL.isdisjoint(text) or text != text.strip() or text.startswith("#") or " #" in text:
        return '"' + text.replace('"', '""') + '"'
    return text
