"""From the server to the client: lists are filtered, and nothing passes that answers no request."""

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

import msgspec

from mcp_adapter.challenge import FORBIDDEN, error_body
from mcp_adapter.filter import Unreadable
from mcp_adapter.outcome import Tap
from mcp_adapter.pdp import Unanswered
from mcp_adapter.refusal import UNANSWERED
from mcp_adapter.reply import LARGEST_ANSWER
from mcp_adapter.stdio.calls import Call, Calls, Id
from mcp_adapter.stdio.lines import LineWriter, TooLongLine, unbroken
from mcp_adapter.stdio.standing import Standing
from mcp_adapter.stdio.toolong import answered
from mcp_adapter.tasks import Tasks

_log: Final = logging.getLogger(__name__)
_Raws = dict[str, msgspec.Raw]
_object: Final = msgspec.json.Decoder(_Raws)
_array: Final = msgspec.json.Decoder(list[msgspec.Raw])


class _Meta(msgspec.Struct):
    subscription: str | int | None = msgspec.field(default=None, name="io.modelcontextprotocol/subscriptionId")


class _Params(msgspec.Struct):
    meta: _Meta = msgspec.field(default_factory=_Meta, name="_meta")


_tagged: Final = msgspec.json.Decoder(_Params)
_ANSWERS: Final = frozenset({"result", "error"})
_id: Final = msgspec.json.Decoder(str | int | None)


@dataclass(slots=True, kw_only=True)
class Outward:
    """Takes lines of the server."""

    calls: Calls
    tasks: Tasks
    standing: Standing
    to_server: LineWriter
    to_client: LineWriter
    dropped: Counter[str] = field(default_factory=Counter)
    """What did not go on, and how often; the first of each kind is told at once."""

    async def take(self, line: bytes | TooLongLine) -> None:
        """Pass a message on, filtered; raises `ConnectionError` when the client, or the server, is gone."""
        if isinstance(line, TooLongLine):
            await self._too_long(line)
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
        if "method" in message and not _ANSWERS.isdisjoint(message):
            self._drop("a call and an answer at once")  # some clients would read the answer, which nobody filtered
        elif "method" in message:
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
        elif (subscription := _subscription(message)) is not None and not self.calls.listens(subscription):
            self._drop("what belongs to no open subscription")
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
            if self.calls.sure(request_id):
                Tap(request_id, lambda task: self.tasks.remember(task, call.entry.principal, call.item)).take(line)
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
        if self.calls.look(request_id) is not call:  # it was ended in the meantime
            self._drop("an answer to no open request")
            return
        self.calls.end(request_id)
        await self.to_client.put(_line(line))

    async def _too_long(self, line: TooLongLine) -> None:
        """Let nobody wait for an answer that cannot be passed on."""
        self._drop("a message that is too long")
        request_id = answered(line)
        call = None if request_id is None else self.calls.look(request_id)
        if request_id is None or call is None:
            return
        call.entry.outcome, call.entry.detail = "unanswered", "the server's answer is too long"
        self.calls.end(request_id)
        await self.to_client.put(error_body(request_id, UNANSWERED, call.entry.detail, {}))

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


def _subscription(message: _Raws) -> Id | None:
    """Give the subscription that a notification names (2026-07-28, "Subscriptions")."""
    try:
        return _tagged.decode(message.get("params", msgspec.Raw(b"{}"))).meta.subscription
    except msgspec.DecodeError:
        return None


def _line(message: bytes) -> bytes:
    """Spell a message so that it is one line for everybody: outside of strings a carriage return is but a space."""
    return unbroken(message.replace(b"\r", b" "))
