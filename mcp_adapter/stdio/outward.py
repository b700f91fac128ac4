"""From the server to the client: lists are filtered, and nothing passes that answers no request."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import msgspec

from mcp_adapter.challenge import FORBIDDEN, error_body
from mcp_adapter.filter import Unreadable
from mcp_adapter.pdp import Unanswered
from mcp_adapter.refusal import UNANSWERED
from mcp_adapter.reply import LARGEST_ANSWER
from mcp_adapter.stdio.calls import Call, Calls, Id
from mcp_adapter.stdio.lines import LineWriter, TooLongLine, unbroken
from mcp_adapter.stdio.standing import Standing

_log: Final = logging.getLogger(__name__)
_Raws = dict[str, msgspec.Raw]
_object: Final = msgspec.json.Decoder(_Raws)
_array: Final = msgspec.json.Decoder(list[msgspec.Raw])
_id: Final = msgspec.json.Decoder(str | int | None)


@dataclass(slots=True, kw_only=True)
class Outward:
    """Takes lines of the server."""

    calls: Calls
    standing: Standing
    to_server: LineWriter
    to_client: LineWriter
    dropped: Counter[str] = field(default_factory=Counter)
    """What did not go on, and how often; the first of each kind is told at once."""

    async def take(self, line: bytes | TooLongLine) -> None:
        """Pass a message on, filtered; raises `ConnectionError` when the client, or the server, is gone."""
        if isinstance(line, TooLongLine):
            self._drop("a message that is too long")
            return
        try:
            if line.lstrip(b" \t").startswith(b"["):  # servers of 2025-03-26 may send batches
                for part in _array.decode(line):
                    await self._message(_object.decode(part))
            else:
                await self._message(_object.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._drop("a line that is no message")

    async def _message(self, message: _Raws) -> None:
        # Written anew from what was read, so that a client that takes the first of two keys sees nothing else, and
        # with no end of a line inside, wherever a reader of lines may see one.
        request_id = _id.decode(message["id"]) if "id" in message else None
        if "method" in message:
            await self._ask(message, request_id)
        elif request_id is None:
            self._drop("an answer to nobody")
        elif (call := self.calls.look(request_id)) is None:
            self._drop("an answer to no open request")
        else:
            await self._answer(message, request_id, call)

    async def _ask(self, message: _Raws, request_id: Id | None) -> None:
        """Pass a request or a notification of the server, as long as the caller may hear it."""
        if not await self.standing.holds():
            self._drop("what the caller may no longer hear")
        elif request_id is None or self.calls.ask(request_id):
            await self.to_client.put(_line(msgspec.json.encode(message)))
            return
        else:
            self._drop("a request beyond those that may be open")
        if request_id is not None:
            await self.to_server.put(error_body(request_id, FORBIDDEN, "the client cannot be asked now", {}))

    async def _answer(self, message: _Raws, request_id: Id, call: Call) -> None:
        line = msgspec.json.encode(message)
        if call.entry.method == "tools/call":
            call.entry.tool_error = _failed(message)
        if call.filtering is not None:
            try:
                if len(line) > LARGEST_ANSWER:
                    raise Unreadable("the server's answer is too long to be filtered")
                line = await call.filtering.payload(line)
            except (Unanswered, Unreadable) as error:
                call.entry.outcome, call.entry.detail = "unanswered", str(error)
                text = "the answer could not be filtered for this caller"
                line = error_body(request_id, UNANSWERED, text, {})
            call.entry.listed, call.entry.hidden = call.filtering.listed, call.filtering.hidden
        self.calls.end(request_id)
        await self.to_client.put(_line(line))

    def _drop(self, what: str) -> None:
        self.dropped[what] += 1
        if self.dropped[what] == 1:
            _log.warning("dropped: the server sent %s", what)


def _failed(message: _Raws) -> bool:
    if "error" in message:
        return True
    raw = message.get("result")
    if raw is None or not bytes(raw).startswith(b"{"):
        return False
    return bytes(_object.decode(raw).get("isError", b"false")) == b"true"


def _line(message: bytes) -> bytes:
    """Spell a message so that it is one line for everybody: outside of strings a carriage return is but a space."""
    return unbroken(message.replace(b"\r", b" "))
