"""From the client to the server: each message is judged, and what passes goes on as the very bytes."""

import uuid
from dataclasses import dataclass
from typing import Final

from mcp_adapter import asked as reading
from mcp_adapter import jsonrpc
from mcp_adapter.asked import Asked
from mcp_adapter.challenge import FORBIDDEN, Challenger, error_body
from mcp_adapter.filter import Filter
from mcp_adapter.gate import Gate, Ruling, Way
from mcp_adapter.jsonrpc import Kind, Message
from mcp_adapter.judged import remember
from mcp_adapter.judging import judge
from mcp_adapter.principal import Principal
from mcp_adapter.record import Entry, Recorder
from mcp_adapter.refusal import INVALID_REQUEST, UNANSWERED, Refusal
from mcp_adapter.stdio.bearer import Bearer
from mcp_adapter.stdio.calls import Call, Calls
from mcp_adapter.stdio.lasting import Lasting
from mcp_adapter.stdio.lines import LineWriter, TooLongLine, unbroken
from mcp_adapter.stdio.toolong import requested
from mcp_adapter.tasks import Tasks

_VERSION: Final = "io.modelcontextprotocol/protocolVersion"


@dataclass(slots=True, kw_only=True)
class Inward:
    """Takes lines of the client."""

    gate: Gate
    challenger: Challenger
    bearer: Bearer
    recorder: Recorder
    calls: Calls
    tasks: Tasks
    lasting: Lasting
    server: str
    to_server: LineWriter
    to_client: LineWriter
    max_line: int
    caller: Principal | None = None
    """Whose session this is: whoever was verified first."""

    async def take(self, line: bytes | TooLongLine) -> None:
        """Let a message through or answer it; raises `ConnectionError` when the server, or the client, is gone."""
        entry = Entry(server=self.server, request_id=uuid.uuid4().hex, http_method="STDIO", path="")
        asked: Asked | None = None
        try:
            if not self.recorder.ready():
                raise Refusal(503, UNANSWERED, "the audit log cannot be written")
            asked, message = self._read(line, entry)
            mark = self.lasting.streams.mark()
            ruling = await self._ask(asked, entry)
            remember(entry, ruling)
        except Refusal as refusal:
            entry.outcome = "unanswered" if refusal.code == UNANSWERED else "refused"
            entry.detail = refusal.message
            self.recorder.write(entry)
            await self._refuse(refusal, asked)
            return
        if ruling:
            await self._forward(asked, message, ruling, mark, entry)
        else:
            self.recorder.write(entry)
            await self._deny(asked, ruling, entry)

    def _read(self, line: bytes | TooLongLine, entry: Entry) -> tuple[Asked, Message]:
        if isinstance(line, TooLongLine):
            known = requested(line)
            if known is not None and self.calls.look(known) is not None:  # that one will be answered by the server
                known = None
            text = f"the message is longer than {self.max_line} bytes"
            raise Refusal(413, INVALID_REQUEST, text, request_id=known)
        if b"\r" in line:  # a reader that ends lines there would find another message inside this one
            raise Refusal(400, INVALID_REQUEST, "the message has a carriage return")
        line = unbroken(line)
        message = jsonrpc.read(line)
        asked = reading.by(message, reading.version(_version(message)), line)
        reading.note(entry, asked)
        entry.protocol_version = asked.headers.text(b"mcp-protocol-version")
        if message.kind is Kind.REQUEST and message.id is not None:
            self.calls.room(message.id)
        if message.kind is Kind.RESPONSE and not self.calls.answers(message.id):
            raise Refusal(400, INVALID_REQUEST, "the server has not asked for this response")
        return asked, message

    async def _ask(self, asked: Asked, entry: Entry) -> Ruling:
        """Judge, for the first time or again, by the token as it is now."""
        entry.token = self.bearer()
        ruling = await judge(self.gate, self.tasks, asked, entry)
        if not ruling or ruling.answer is None or ruling.answer.principal is None:
            return ruling
        self.caller = self.caller or ruling.answer.principal
        if _who(self.caller) == _who(ruling.answer.principal):
            return ruling
        text = "the session belongs to another caller"
        return Ruling(way=Way.FORBID, reason=ruling.reason, message=text, detail=text, answer=ruling.answer)

    async def _forward(self, asked: Asked, message: Message, ruling: Ruling, mark: int | None, entry: Entry) -> None:
        if message.kind is Kind.REQUEST and message.id is not None:

            async def again() -> Ruling:
                return await self._ask(asked, entry)

            vigil = self.lasting.beside(asked, ruling, mark, request_id=message.id, judge=again, entry=entry)
            call = Call(entry=entry, item=asked.items[0], filtering=self._filter(asked, entry), vigil=vigil)
            self.calls.open(message.id, call)
        else:
            self.recorder.write(entry)
        gone = message.params.get("requestId") if message.method == "notifications/cancelled" else None
        if isinstance(gone, str | int) and not isinstance(gone, bool):  # to Python, `true` is request 1
            self.calls.leave(gone, "aborted")
        await self.to_server.put(asked.body)

    def _filter(self, asked: Asked, entry: Entry) -> Filter | None:
        # Every answer: the id of a request that was cancelled may be used again, and its list come as another's answer.
        if entry.outcome == "observed":
            return None
        return Filter(
            lambda items: self.gate.sift(self.bearer(), items, entry.request_id),
            modern=asked.modern,
            task=lambda task: self.tasks.tool(task, entry.principal),
        )

    async def _refuse(self, refusal: Refusal, asked: Asked | None) -> None:
        """Answer what is not well formed; with the id null where that is not known (JSON-RPC 2.0 section 5)."""
        known = refusal.request_id if asked is None else asked.id
        await self.to_client.put(error_body(known, refusal.code, refusal.message, {}))

    async def _deny(self, asked: Asked, ruling: Ruling, entry: Entry) -> None:
        message = asked.message
        body = self.challenger.ruled(ruling, asked.id, token_sent=bool(entry.token)).body
        match message:
            case Message(kind=Kind.REQUEST):
                await self.to_client.put(body)
            case Message(kind=Kind.RESPONSE):  # the server waits for it, and hears that it will not come
                await self.to_server.put(error_body(asked.id, FORBIDDEN, "the client's response was not permitted", {}))
            case _:
                pass  # a notification has no answer


def _version(message: Message) -> object:
    """Give what a message says of its version: each for itself, but for the handshake."""
    if message.method == "initialize":
        return message.params.get("protocolVersion")
    meta = message.params.get("_meta")
    return meta.get(_VERSION) if isinstance(meta, dict) else None


def _who(principal: Principal) -> tuple[str, str, str]:
    return principal.issuer, principal.subject, principal.client_id
