"""Telling a connected client that what it may see has changed."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from mcp_adapter.pdp import Unanswered
from mcp_adapter.principal import Principal
from mcp_adapter.seen import Seen, Sift

_SUBSCRIPTION: Final = "io.modelcontextprotocol/subscriptionId"


class Listener:
    """A stream on which a server may say that a list has changed; we say it, too, when a policy edit changes one.

    `kinds` are those of which the server said that it tells (and the client, that it wants to know).
    """

    def __init__(
        self,
        seen: Seen,
        who: Principal | None,
        *,
        kinds: Callable[[], frozenset[str]],
        sift: Sift,
        send: Callable[[bytes], Awaitable[None]],
        subscription: str | int | None = None,
    ) -> None:
        """Take whose stream it is, and the id of the request that subscribed, in the era that has such."""
        self._seen, self._who = seen, who
        self._kinds, self._sift, self._send = kinds, sift, send
        self._subscription = subscription
        self._told = seen.versions(who)

    async def told(self, heard: int) -> None:
        """Look whether something changed, after `heard` was told, and tell the client."""
        kinds = self._kinds()
        if not kinds:
            return
        try:
            now = await self._seen.look(self._who, heard, self._sift)
        except Unanswered:
            return  # nothing was compared, so that the next change of the policy finds the difference
        changed = [kind for kind in sorted(now) if now[kind] != self._told.get(kind, 0)]
        self._told = now
        for kind in changed:
            if kind in kinds:
                await self._send(self._event(kind))

    def _event(self, kind: str) -> bytes:
        message: dict[str, object] = {"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed"}
        if self._subscription is not None:
            message["params"] = {"_meta": {_SUBSCRIPTION: self._subscription}}
        return b"event: message\ndata: " + msgspec.json.encode(message) + b"\n\n"
