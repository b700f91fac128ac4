"""Remembering who made which task by which call: its maker alone may ask about it, and only by that right."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from mcp_adapter import methods
from mcp_adapter.gate import Ruling, Way
from mcp_adapter.jsonrpc import Message
from mcp_adapter.pdp import Item
from mcp_adapter.principal import Principal

_SECONDS: Final = 24 * 3600.0
_MOST: Final = 16_384
_MOST_OF_ONE: Final = 256
_LONGEST_ARGUMENTS: Final = 4096
"""Bytes that are kept with a task; a condition on longer ones cannot be judged again, and denies."""

Owner = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A task, as it was made."""

    owner: Owner
    tool: str
    arguments: bytes
    until: float


class Tasks:
    """The tasks of one server (2025-11-25 "Tasks", extension `io.modelcontextprotocol/tasks`, "Auth binding").

    A task is forgotten a day after it was last asked for, or when there are too many: first those of the caller who
    makes too many, so that nobody crowds out the others. What is not known is nobody's.
    """

    def __init__(self, *, most: int = _MOST, each: int = _MOST_OF_ONE, clock: Callable[[], float] = time.monotonic):
        """Take how many are kept, of all callers and of each, and a clock in seconds."""
        self._most, self._each, self._clock = most, each, clock
        self._made: OrderedDict[str, Made] = OrderedDict()
        self._by: dict[Owner, OrderedDict[str, None]] = {}

    def remember(self, task: str, principal: Principal | None, item: Item) -> None:
        """Bind a task to its maker; the first one stays, since a server that names a task twice is not believed."""
        if principal is None or not task or len(task.encode()) > methods.LONGEST_TOOL or self._find(task) is not None:
            return
        arguments = item.arguments if len(item.arguments) <= _LONGEST_ARGUMENTS else b""
        owner = _owner(principal)
        self._made[task] = Made(owner=owner, tool=item.tool, arguments=arguments, until=self._clock() + _SECONDS)
        own = self._by.setdefault(owner, OrderedDict())
        own[task] = None
        if len(own) > self._each:
            self._forget(next(iter(own)))
        elif len(self._made) > self._most:
            self._forget(next(iter(self._made)))

    def tool(self, task: str, principal: Principal | None) -> str:
        """Give the tool that made a task of this caller; empty where it made none of that name."""
        made = self._find(task)
        return made.tool if made is not None and principal is not None and made.owner == _owner(principal) else ""

    def claim(self, message: Message, items: tuple[Item, ...]) -> "Claim":
        """Say what to ask in place of `items`, and what to make of the answer."""
        named = methods.task_ids(message)
        made = tuple(self._find(task) for task in named)
        if not named:
            return Claim(items=items)
        rest = tuple(item for item in items if not item.method.startswith("tasks/"))
        method = message.method if message.method.startswith("tasks/") else "tasks/get"
        asked = dict.fromkeys(_right(method, one) for one in made)
        return Claim(items=(*rest, *asked), made=made)

    def _find(self, task: str) -> Made | None:
        made = self._made.get(task)
        if made is None:
            return None
        now = self._clock()
        if made.until <= now:
            self._forget(task)
            return None
        self._made[task] = replace(made, until=now + _SECONDS)
        self._made.move_to_end(task)
        self._by[made.owner].move_to_end(task)
        return made

    def _forget(self, task: str) -> None:
        owner = self._made.pop(task).owner
        del self._by[owner][task]
        if not self._by[owner]:  # INVARIANT: a caller without a task leaves nothing behind
            del self._by[owner]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a request asks for, where it names tasks."""

    items: tuple[Item, ...]
    made: tuple[Made | None, ...] = ()

    def rule(self, ruling: Ruling) -> Ruling:
        """Turn the ruling on a task that is not the caller's into that on one that does not exist."""
        if ruling.answer is None or ruling.answer.principal is None or ruling.way is Way.CHALLENGE:
            return ruling
        owner = _owner(ruling.answer.principal)
        if all(one is not None and one.owner == owner for one in self.made):
            return ruling
        way = Way.OBSERVE if ruling.answer.observe else Way.UNKNOWN
        return replace(ruling, way=way, reason="task_unknown", message="task not found", scopes=())


def _right(method: str, made: Made | None) -> Item:
    """Ask by the right of the call that made the task; with no name at all where nobody knows which that was."""
    return Item(method=method) if made is None else Item(method=method, tool=made.tool, arguments=made.arguments)


def _owner(principal: Principal) -> Owner:
    return principal.issuer, principal.subject, principal.client_id
