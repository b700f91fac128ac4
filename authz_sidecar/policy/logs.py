"""Reads the decision log back: the questions that were asked, alike ones joined."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import msgspec

from authz_sidecar.errors import PolicyProblems, Problem
from authz_sidecar.events import DecisionEvent, Who
from authz_sidecar.policy.findings import quote

_LONGEST: Final = 4 * 1024 * 1024
_BUILTIN: Final = "builtin"


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the log tells it; `who` are the caller's names and scopes, sorted."""

    subjects: tuple[str, ...]
    scopes: tuple[str, ...]
    server: str
    method: str
    tool: str
    allowed: bool
    reason: str
    mode: str
    context: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, kw_only=True)
class Log:
    """What a decision log holds."""

    asked: Counter[Asked] = field(default_factory=Counter[Asked])
    """How often each question was asked and answered so."""
    last: dict[Asked, DecisionEvent] = field(default_factory=dict)
    """The last event of each."""
    events: int = 0
    untold: int = 0
    """Questions of batches that were allowed: the log does not name them."""
    conditional: int = 0
    """Questions that a replay could not answer, for want of arguments, claims or the time."""
    unverified: int = 0
    """Answers to callers whom no policy could know."""


class _Kind(msgspec.Struct):
    type: str


_kind: Final = msgspec.json.Decoder(_Kind)
_line: Final = msgspec.json.Decoder(DecisionEvent)


def read(name: str, lines: Iterable[bytes]) -> Log:
    """Read the decisions among the lines of a log; raises `PolicyProblems` at a line that is none of ours."""
    log = Log()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            if len(line) > _LONGEST:
                raise msgspec.DecodeError(f"has {len(line)} bytes")
            if _kind.decode(line).type != "decision":
                continue
            event = _line.decode(line)
        except msgspec.DecodeError as error:
            problem = Problem(name, number, 0, "bad-log", f"is not a decision event: {quote(str(error))}")
            raise PolicyProblems([problem]) from None
        _take(event, log)
    return log


def _take(event: DecisionEvent, log: Log) -> None:
    log.events += 1
    if event.who is None:
        log.unverified += 1 + event.repeated
        return
    if event.items:
        log.untold += event.items - len(event.denied)
    elif any(rule.source == _BUILTIN for rule in event.rules):
        return  # needs a valid token and nothing else, by every policy
    for asked in _asked(event, event.who):
        log.asked[asked] += 1
        log.last[asked] = event


def _asked(event: DecisionEvent, who: Who) -> Iterator[Asked]:
    calls = [denied.split(" ", 1) for denied in event.denied] if event.items else [[event.method, event.tool]]
    for method, tool in calls:
        yield Asked(
            subjects=who.subjects,
            scopes=who.scopes,
            server=event.server,
            method=method,
            tool=tool,
            allowed=event.allowed and not event.items,
            reason="" if event.items and event.reason == "batch" else event.reason,
            mode=event.mode,
            context=tuple(sorted(event.context.items())),
        )
