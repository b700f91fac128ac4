"""Hearing, in passing, of which lists a server will say that they have changed."""

from collections.abc import Callable
from typing import Final

import msgspec

from mcp_adapter.outcome import Tap

KINDS: Final = ("prompts", "resources", "tools")
"""What there are lists of, as the names of notifications have it."""


class _Changes(msgspec.Struct):
    changes: bool = msgspec.field(default=False, name="listChanged")


class _Capabilities(msgspec.Struct):
    prompts: _Changes | None = None
    resources: _Changes | None = None
    tools: _Changes | None = None


class _Result(msgspec.Struct):
    capabilities: _Capabilities | None = None


class _Honored(msgspec.Struct):
    prompts: bool = msgspec.field(default=False, name="promptsListChanged")
    resources: bool = msgspec.field(default=False, name="resourcesListChanged")
    tools: bool = msgspec.field(default=False, name="toolsListChanged")


class _Params(msgspec.Struct):
    notifications: _Honored | None = None


class _Message(msgspec.Struct):
    id: str | int | None = None
    method: str = ""
    result: _Result | None = None
    params: _Params | None = None


_decoder: Final = msgspec.json.Decoder(_Message)
_ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"


class Overheard(Tap):
    """Listens to one answer until it is known what the server will tell, and says so once.

    That is the answer to `initialize` (2025-11-25, "Lifecycle"), or the first message on a stream of
    `subscriptions/listen` (2026-07-28, "Subscriptions").
    """

    def __init__(self, request_id: str | int | None, heard: Callable[[frozenset[str]], None]) -> None:
        """Take the id of the request, and who wants to know."""
        super().__init__(request_id)
        self._id = request_id
        self._heard = heard

    def _look(self, data: bytes | None) -> None:
        try:
            message = _decoder.decode(data or b"")
        except msgspec.DecodeError:
            return
        if message.id == self._id and message.result is not None and message.result.capabilities is not None:
            said = message.result.capabilities
            self._told(frozenset(kind for kind in KINDS if (one := getattr(said, kind)) is not None and one.changes))
        elif message.method == _ACKNOWLEDGED and message.params is not None and message.params.notifications:
            honored = message.params.notifications
            self._told(frozenset(kind for kind in KINDS if getattr(honored, kind)))

    def _told(self, kinds: frozenset[str]) -> None:
        self._kept = None  # what follows is not looked at
        self._heard(kinds)
