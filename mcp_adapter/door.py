"""One request at the MCP endpoint: ask about it, then forward the very bytes or say no."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from mcp_adapter import asked as reading
from mcp_adapter.asgi_types import App, Receive, Scope
from mcp_adapter.asked import Asked
from mcp_adapter.body import Replay
from mcp_adapter.challenge import ALLOW, Answered, Challenger
from mcp_adapter.cors import Cors
from mcp_adapter.filter import Filter
from mcp_adapter.gate import Gate, Ruling, Way
from mcp_adapter.headers import Headers, RawHeaders, without_token
from mcp_adapter.judging import judge
from mcp_adapter.marks import Marks
from mcp_adapter.outcome import Tap
from mcp_adapter.params import Params
from mcp_adapter.passed import PASSED_KEY, Passed
from mcp_adapter.pdp import NO_CONTEXT, Item
from mcp_adapter.principal import SCOPE_KEY, Principal
from mcp_adapter.record import ENDED, Entry
from mcp_adapter.refusal import INVALID_REQUEST, Refusal
from mcp_adapter.reply import Reply
from mcp_adapter.seen import Sift
from mcp_adapter.sessions import Sessions
from mcp_adapter.staying import Stay, Staying
from mcp_adapter.tasks import Tasks
from mcp_adapter.unknown import Unknown

DECISION_KEY: Final = "authz.decision"
_EVENT: Final = b"last-event-id"
_SESSION: Final = b"mcp-session-id"
_OUTCOMES: Final = {
    Way.BAD_REQUEST: "refused",
    Way.OBSERVE: "observed",
    Way.PASS: "allowed",
    Way.UNANSWERED: "unanswered",
}


class _Stranger(Exception):
    """Nobody who was verified, so that the rest of the body does not matter."""

    def __init__(self, ruling: Ruling) -> None:
        super().__init__(ruling.reason)
        self.ruling: Final = ruling


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Serves the MCP endpoint of one server."""

    app: App
    gate: Gate
    challenger: Challenger
    sessions: Sessions
    staying: Staying
    max_body: int
    patience: float = 30.0
    """Seconds that a client has to send its body."""
    unknown: Unknown | None = None
    """Who answers for what is hidden, as if it did not exist; None says 403."""
    context: Callable[[Scope], Mapping[str, str]] = lambda scope: NO_CONTEXT
    """What we vouch for in a question, for conditions."""
    cors: Cors = field(default_factory=Cors)
    tasks: Tasks = field(default_factory=Tasks)
    params: Params = field(default_factory=Params)

    async def serve(self, scope: Scope, headers: Headers, receive: Receive, reply: Reply, entry: Entry) -> None:
        """Answer one request; raises `Refusal` for one that is not well formed, and `Gone`."""
        http_method = scope["method"]
        if http_method == "OPTIONS":
            entry.outcome = "public"
            await reply.answer(self.cors.preflight(scope) or Answered(status=204, headers=(ALLOW,), body=b""))
            return
        if http_method != "POST" and http_method not in reading.BODILESS:
            raise Refusal(405, INVALID_REQUEST, "this method is not served here")
        entry.protocol_version = headers.text(b"mcp-protocol-version")
        entry.traceparent = headers.text(b"traceparent")
        try:
            asked = await self._read(http_method, headers, receive, entry)
        except _Stranger as stranger:
            _remember(entry, stranger.ruling)
            await reply.answer(self.challenger.ruled(stranger.ruling, None, token_sent=bool(entry.token)))
            return
        context, mark = self.context(scope), self.staying.streams.mark()
        ruling = await self._judge(asked, entry, context)
        if ruling:
            stay = self._stay(asked, ruling, mark, context, reply, entry)
            await self._forward(scope, asked, ruling, context, receive, reply, entry, stay)
        elif not await self._hidden(scope, asked, ruling, context, receive, reply, entry):
            said = self.challenger.ruled(ruling, asked.id, token_sent=bool(entry.token), modern=asked.modern)
            await reply.answer(said)

    async def _read(self, http_method: str, headers: Headers, receive: Receive, entry: Entry) -> Asked:
        """Read what is wanted; without a good token nobody is listened to for long. Raises `_Stranger` too."""

        async def known() -> None:
            # A ping needs a good token and nothing else. The method of a caller without one does not matter.
            item = Item(method="ping" if entry.token else "")
            ruling = await self.gate.judge(entry.token, (item,), entry.request_id)
            if ruling.way in (Way.CHALLENGE, Way.UNANSWERED):
                raise _Stranger(ruling)

        if http_method == "POST" and not entry.token:
            await known()
        return await reading.read(
            http_method, headers, receive, limit=self.max_body, patience=self.patience, large=known
        )

    async def _judge(self, asked: Asked, entry: Entry, context: Mapping[str, str]) -> Ruling:
        """Ask; raises `Refusal` for a verified caller whose headers contradict the body."""
        reading.note(entry, asked)
        ruling = await self._ask(asked, entry, context)
        _remember(entry, ruling)
        if ruling and asked.message is not None and asked.modern:
            # Not before the ruling: what a tool's arguments are called is nobody else's business.
            self.params.check(asked.headers, asked.message)
        return ruling

    async def _ask(self, asked: Asked, entry: Entry, context: Mapping[str, str]) -> Ruling:
        return await judge(self.gate, self.tasks, asked, entry, context)

    def _stay(
        self,
        asked: Asked,
        ruling: Ruling,
        mark: int | None,
        context: Mapping[str, str],
        reply: Reply,
        entry: Entry,
    ) -> Stay:
        async def again() -> Ruling:
            return await self._ask(asked, entry, context)

        sift = self._sift(entry, context)
        return self.staying.beside(asked, ruling, mark, judge=again, sift=sift, reply=reply, entry=entry)

    async def _forward(
        self,
        scope: Scope,
        asked: Asked,
        ruling: Ruling,
        context: Mapping[str, str],
        receive: Receive,
        reply: Reply,
        entry: Entry,
        stay: Stay,
    ) -> None:
        onward = self._onward(scope, asked, ruling, reply, entry)
        tap = stay.tap
        if asked.message is not None and asked.message.method == "tools/call":
            principal, item = _principal(ruling), asked.items[0]
            tap = Tap(asked.id, lambda task: self.tasks.remember(task, principal, item))
        reply.expect(
            asked.id,
            rewrite=self._rewrite(asked, ruling, entry),
            filtering=self._filter(asked, ruling, entry, context),
            tap=tap,
            marks=self._marks(asked, ruling),
            began=stay.vigil.begin,
        )
        replay = Replay(asked.body, receive)
        await stay.vigil.run(self.app(onward, lambda: stay.vigil.receive(replay), reply.send))

    async def _hidden(
        self,
        scope: Scope,
        asked: Asked,
        ruling: Ruling,
        context: Mapping[str, str],
        receive: Receive,
        reply: Reply,
        entry: Entry,
    ) -> bool:
        """Answer as the server answers for what does not exist, and say whether that was possible."""
        method = "" if asked.message is None else asked.message.method
        if self.unknown is None or ruling.way is not Way.FORBID or not self.unknown.name(method):
            return False
        body = self.unknown.question(asked)
        onward = self._onward(scope, asked, ruling, reply, entry, tool=self.unknown.name(method))
        onward["headers"] = self.unknown.headers(onward["headers"], method, body)
        heard = await self.unknown.answer(asked, onward, body, receive)
        if heard is None:
            return False
        reply.expect(
            asked.id,
            rewrite=self._rewrite(asked, ruling, entry),
            # As for a name that is not there, so that not even the order of the headers tells them apart.
            filtering=self._filter(asked, replace(ruling, way=Way.PASS), entry, context),
            marks=self._marks(asked, ruling),
        )
        await reply.send(heard.start)
        await reply.send({"type": "http.response.body", "body": heard.body, "more_body": False})
        entry.detail = entry.detail or "answered as an unknown name"
        return True

    def _onward(
        self, scope: Scope, asked: Asked, ruling: Ruling, reply: Reply, entry: Entry, tool: str = ""
    ) -> dict[str, Any]:
        """Give the scope as the server gets to see it; raises `Refusal` (404) for a session of somebody else."""
        session, event = self._open(asked, ruling, entry), self._open_event(asked, ruling)
        return {
            **scope,
            "headers": asked.headers.onward(session=session, legacy=not asked.modern, event=event),
            "query_string": without_token(scope.get("query_string", b"")),
            "extensions": {},  # the answer must pass us as plain events
            SCOPE_KEY: _principal(ruling),
            DECISION_KEY: ruling.answer,
            PASSED_KEY: _passed(asked, reply, entry, tool),
        }

    def _filter(self, asked: Asked, ruling: Ruling, entry: Entry, context: Mapping[str, str]) -> Filter | None:
        if not asked.lists or ruling.way is not Way.PASS:
            return None

        principal = _principal(ruling)
        return Filter(
            self._sift(entry, context),
            modern=asked.modern,
            task=lambda task: self.tasks.tool(task, principal),
            learn=self.params.learn,
            note=lambda items, shown: self.staying.seen.note(principal, items, shown),
        )

    def _sift(self, entry: Entry, context: Mapping[str, str]) -> Sift:
        async def sift(items: Sequence[Item]) -> tuple[bool, ...]:
            return await self.gate.sift(entry.token, items, entry.request_id, context)

        return sift

    def _rewrite(self, asked: Asked, ruling: Ruling, entry: Entry) -> Callable[[RawHeaders], RawHeaders]:
        return lambda raw: self._seal(raw, asked, ruling, entry)

    def _open(self, asked: Asked, ruling: Ruling, entry: Entry) -> str:
        """Give the session id as the server knows it; raises `Refusal` (404) for one of somebody else."""
        sealed = asked.headers.get(_SESSION)
        if sealed is None or asked.modern:  # the stateless era has none: "ignore it, do not mint or echo"
            return ""
        session = self.sessions.open(sealed.decode("latin-1"), _principal(ruling), asked.id)
        entry.session = self.sessions.digest(session)
        return session

    def _open_event(self, asked: Asked, ruling: Ruling) -> bytes:
        """Give the event after which a stream goes on, as the server knows it; raises `Refusal` (404)."""
        sealed = asked.headers.get(_EVENT)
        return b"" if sealed is None or asked.modern else self.sessions.open_event(sealed, _principal(ruling))

    def _marks(self, asked: Asked, ruling: Ruling) -> Marks | None:
        if asked.modern:  # its streams cannot be resumed
            return None
        return Marks(lambda event: self.sessions.seal_event(event, _principal(ruling)))

    def _seal(self, raw: RawHeaders, asked: Asked, ruling: Ruling, entry: Entry) -> RawHeaders:
        """Let the client see no session id but one that is bound to it."""
        sealed: RawHeaders = []
        for name, value in raw:
            if bytes(name).lower() != _SESSION:
                sealed.append((name, value))
            elif not asked.modern:
                session = bytes(value).decode("latin-1")
                entry.session = self.sessions.digest(session)
                sealed.append((_SESSION, self.sessions.seal(session, _principal(ruling)).encode("latin-1")))
        return sealed


def _remember(entry: Entry, ruling: Ruling) -> None:
    entry.outcome = _OUTCOMES.get(ruling.way, "denied")
    entry.reason, entry.detail, entry.rules = ruling.reason, ruling.detail, ruling.rules
    if ruling.answer is not None:
        entry.decision_id, entry.revision = ruling.answer.decision_id, ruling.answer.revision
        entry.principal = ruling.answer.principal


def _passed(asked: Asked, reply: Reply, entry: Entry, tool: str) -> Passed:
    def note(detail: str, outcome: str) -> None:
        if reply.answered:  # the client has what it asked for, whatever became of the connection
            return
        if entry.outcome != ENDED:
            entry.detail, entry.outcome = detail, outcome or entry.outcome

    return Passed(id=asked.id, method=entry.method, tool=tool or entry.tool, request_id=entry.request_id, note=note)


def _principal(ruling: Ruling) -> Principal | None:
    return None if ruling.answer is None else ruling.answer.principal
