"""Whose session is whose, where the ids of sessions cannot be sealed."""

from collections import OrderedDict
from typing import Final

from mcp_adapter.principal import Principal
from mcp_adapter.refusal import SESSION_NOT_FOUND, Refusal

_MOST: Final = 10_000
_Who = tuple[str, str, str]


class Owners:
    """Remembers who was first to use a session; nobody else may. The oldest are forgotten beyond `most`."""

    def __init__(self, *, most: int = _MOST) -> None:
        """Take how many to remember."""
        self._most = most
        self._known: OrderedDict[str, _Who | None] = OrderedDict()

    def check(self, session: str, caller: Principal | None) -> None:
        """Return when the session is the caller's, or nobody's yet; raises `Refusal` (404)."""
        if not session:
            return
        who = None if caller is None else (caller.issuer, caller.subject, caller.client_id)
        if self._known.setdefault(session, who) != who:
            raise Refusal(404, SESSION_NOT_FOUND, "session not found")
        self._known.move_to_end(session)
        if len(self._known) > self._most:
            self._known.popitem(last=False)
