"""Whose session is whose, where the ids of sessions cannot be sealed."""

from collections import OrderedDict
from typing import Final

from mcp_adapter.principal import Principal
from mcp_adapter.refusal import SESSION_NOT_FOUND, Refusal

_MOST: Final = 10_000
_MOST_OF_ONE: Final = 256
_Who = tuple[str, str, str]


class Owners:
    """Remembers who was first to use a session; nobody else may.

    The oldest are forgotten when there are too many: first those of the caller who has too many, so that nobody can
    make us forget whose another's session is.
    """

    def __init__(self, *, most: int = _MOST, each: int = _MOST_OF_ONE) -> None:
        """Take how many to remember, of all callers and of each."""
        self._most, self._each = most, each
        self._known: OrderedDict[str, _Who | None] = OrderedDict()
        self._by: dict[_Who | None, OrderedDict[str, None]] = {}

    def check(self, session: str, caller: Principal | None) -> None:
        """Return when the session is the caller's, or nobody's yet; raises `Refusal` (404)."""
        if not session:
            return
        who = None if caller is None else (caller.issuer, caller.subject, caller.client_id)
        if self._known.setdefault(session, who) != who:
            raise Refusal(404, SESSION_NOT_FOUND, "session not found")
        own = self._by.setdefault(who, OrderedDict())
        own[session] = None
        own.move_to_end(session)
        self._known.move_to_end(session)
        if len(own) > self._each:
            self._forget(next(iter(own)))
        elif len(self._known) > self._most:
            self._forget(next(iter(self._known)))

    def _forget(self, session: str) -> None:
        who = self._known.pop(session)
        del self._by[who][session]
        if not self._by[who]:  # INVARIANT: a caller without a session leaves nothing behind
            del self._by[who]
