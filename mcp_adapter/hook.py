"""One message inside a server, between its SDK and its handler: judged, let through, recorded."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

import msgspec

from authz_sidecar.linelog import LineSink
from mcp_adapter import asked as reading
from mcp_adapter import methods, outcome
from mcp_adapter.answering import SIDECAR, answering, start
from mcp_adapter.asked import Asked
from mcp_adapter.awaiting import Lost, awaited
from mcp_adapter.challenge import NO_TOKEN, Challenger
from mcp_adapter.filter import Sift, Unreadable
from mcp_adapter.gate import Gate, Ruling, Way
from mcp_adapter.headers import Headers
from mcp_adapter.jsonrpc import Kind, Message
from mcp_adapter.judged import remember
from mcp_adapter.judging import judge
from mcp_adapter.owners import Owners
from mcp_adapter.pdp import Item, Pdp, Unanswered
from mcp_adapter.principal import SCOPE_KEY, piped
from mcp_adapter.record import Entry, Recorder
from mcp_adapter.refusal import INVALID_PARAMS, INVALID_REQUEST, SESSION_NOT_FOUND, UNANSWERED, Refusal
from mcp_adapter.streams import Pace, Streams
from mcp_adapter.tasks import Tasks

_Result = TypeVar("_Result")
_PACE: Final = Pace(grace=0)  # a handler has no client that could tell it to end
_OF_TASKS: Final = {"result_type", "resultType", "task", "task_id", "taskId"}


class Denied(Exception):
    """What the caller gets instead of an answer: the parts of a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Mapping[str, object] | None = None) -> None:
        """Take the parts."""
        super().__init__(message)
        self.code: Final = code
        self.message: Final = message
        self.data: Final = dict(data) if data else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A message as an SDK hands it to its middleware."""

    method: str
    params: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    notification: bool = False
    scope: Mapping[str, object] | None = None
    """The ASGI scope of the very HTTP request that carried it; None over a pipe."""
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What is left of a list for one caller."""

    listed: int
    hidden: int


class Hook:
    """Judges what an SDK's middleware sees, by the same gate as `AuthzMiddleware`.

    Who answers is chosen as there: `sidecar`, or `config` for one in this process, or a `client`. The token is the
    bearer token of the very request; over a pipe there is none, so that `token` must say where to find it, or all is
    denied. `audit` is a sink, a file, or None for JSON lines on stderr. `pace` is how patient we are with what lasts.
    """

    def __init__(
        self,
        *,
        server: str = "",
        sidecar: str = SIDECAR,
        config: Path | str | None = None,
        token: Callable[[], str] | None = None,
        audit: LineSink | Path | str | None = None,
        help_text: str = "",
        timeout: float = 1.0,
        client: Pdp | None = None,
        pace: Pace | None = None,
    ) -> None:
        """Take the settings; nothing is opened yet."""
        self._server = server
        self._pdp = answering(sidecar=sidecar, config=config, client=client, timeout=timeout)
        self._gate = Gate(self._pdp, server)
        self._token = token
        self._recorder = Recorder(audit)
        self._challenger = Challenger(help_text=help_text)
        self._owners = Owners()
        self._tasks = Tasks()
        self._streams = Streams(self._pdp, pace=pace or _PACE)

    async def open(self) -> None:
        """Start whoever answers and open the log now; raises `OSError` or `ValueError`."""
        self._recorder.open()
        await start(self._pdp)

    async def close(self) -> None:
        """Stop asking, and write what was recorded; the next message opens both again."""
        await self._pdp.close()
        self._recorder.close()

    @asynccontextmanager
    async def lifespan(self, server: object) -> AsyncIterator[dict[str, object]]:
        """Be open as long as a server runs; give it as the server's `lifespan`, or enter it in one of your own.

        Without, both are opened by the first message, and what a sidecar in this process would record last is lost.
        """
        await self.open()
        try:
            yield {}
        finally:
            await self.close()

    async def around(
        self,
        heard: Heard,
        proceed: Callable[[], Awaitable[_Result]],
        sift: Callable[[_Result, Sift], Awaitable[tuple[_Result, Shown | None]]],
    ) -> _Result:
        """Let a message proceed when it is allowed, and its list be sifted; raises `Denied`, and what it raises."""
        entry = Entry(server=self._server, request_id=uuid.uuid4().hex, http_method="", path="")
        entry.method, entry.protocol_version = heard.method, heard.version
        try:
            mark = self._streams.mark()
            asked, ruling = await self._judge(heard, entry)

            async def lasting() -> _Result:
                return await self._lasting(heard, asked, ruling, mark, entry, proceed)

            # Set for each message by itself, so that it cannot be stale; over HTTP the scope alone counts.
            with piped(entry.principal if heard.scope is None else None):
                result = await self._proceed(heard, ruling, entry, lasting, sift)
            if heard.method == "tools/call":
                self._tasks.remember(_made(result), entry.principal, asked.items[0])
            return result
        except Refusal as refusal:
            entry.outcome = {UNANSWERED: "unanswered", SESSION_NOT_FOUND: "denied"}.get(refusal.code, "refused")
            entry.detail = refusal.message
            raise Denied(refusal.code, refusal.message) from None
        except Lost as lost:
            raise self._denied(lost.ruling, entry) from None
        except asyncio.CancelledError:
            entry.outcome = "aborted"
            raise
        finally:
            self._recorder.write(entry)

    async def _judge(self, heard: Heard, entry: Entry) -> tuple[Asked, Ruling]:
        if not self._recorder.ready():
            raise Refusal(503, UNANSWERED, "the audit log cannot be written")
        headers = _headers(heard.scope)
        entry.token = self._bearer(headers)
        entry.http_method = "" if heard.scope is None else str(heard.scope.get("method", ""))
        entry.path = "" if heard.scope is None else str(heard.scope.get("path", ""))
        entry.traceparent = "" if headers is None else headers.text(b"traceparent")
        asked = _asked(heard)
        reading.note(entry, asked)
        ruling = await judge(self._gate, self._tasks, asked, entry)
        remember(entry, ruling)
        if not ruling:
            raise self._denied(ruling, entry)
        principal = None if ruling.answer is None else ruling.answer.principal
        if headers is not None:
            self._owners.check(headers.text(b"mcp-session-id"), principal)
        if isinstance(heard.scope, MutableMapping):
            heard.scope[SCOPE_KEY] = principal
        return asked, ruling

    def _bearer(self, headers: Headers | None) -> str:
        if headers is not None:
            return headers.token()
        if self._token is None:
            raise Refusal(401, NO_TOKEN, "no request carries a token here, and none is configured")
        return self._token()

    def _denied(self, ruling: Ruling, entry: Entry) -> Denied:
        answered = self._challenger.ruled(ruling, None, token_sent=bool(entry.token))
        error = msgspec.json.decode(answered.body)["error"]
        return Denied(error["code"], error["message"], error.get("data"))

    async def _lasting(
        self,
        heard: Heard,
        asked: Asked,
        ruling: Ruling,
        mark: int | None,
        entry: Entry,
        proceed: Callable[[], Awaitable[_Result]],
    ) -> _Result:
        """Let it proceed as long as the caller may, by the token as it is then; raises `Lost`, and what it raises."""

        async def again() -> Ruling:
            entry.token = self._bearer(_headers(heard.scope))
            return await judge(self._gate, self._tasks, asked, entry)

        return await awaited(proceed, self._streams, ruling, mark, judge=again, entry=entry)

    async def _proceed(
        self,
        heard: Heard,
        ruling: Ruling,
        entry: Entry,
        proceed: Callable[[], Awaitable[_Result]],
        sift: Callable[[_Result, Sift], Awaitable[tuple[_Result, Shown | None]]],
    ) -> _Result:
        try:
            result = await proceed()
        except Lost:
            raise
        except Exception:
            entry.tool_error = True if heard.method == "tools/call" else None
            raise
        listed = methods.METHODS.get(heard.method)
        if listed is None or listed.listing is None or ruling.way is not Way.PASS:
            entry.tool_error = _failed(result) if heard.method == "tools/call" else None
            return result
        try:
            result, shown = await sift(result, lambda items: self._sift(items, entry))
        except (Unanswered, Unreadable) as error:
            entry.outcome, entry.detail = "unanswered", str(error)
            raise Denied(UNANSWERED, "the answer could not be filtered for this caller") from None
        if shown is not None:
            entry.listed, entry.hidden = shown.listed, shown.hidden
        return result

    async def _sift(self, items: Sequence[Item], entry: Entry) -> tuple[bool, ...]:
        """Judge what a list names; a task by the tool that made it, where the caller did, and else not at all."""
        rights = [self._right(item, entry) for item in items]
        asked = [right for right in rights if right is not None]
        seen = iter(await self._gate.sift(entry.token, asked, entry.request_id) if asked else ())
        return tuple(right is not None and next(seen) for right in rights)

    def _right(self, item: Item, entry: Entry) -> Item | None:
        if item.method != "tasks/list":
            return item
        tool = self._tasks.tool(item.tool, entry.principal)
        return Item(method=item.method, tool=tool) if tool else None


def _headers(scope: Mapping[str, object] | None) -> Headers | None:
    if scope is None:
        return None
    raw = scope.get("headers", ())
    if not isinstance(raw, list | tuple):
        raise Refusal(400, INVALID_REQUEST, "the headers of the request cannot be read")
    return Headers(raw)


def _asked(heard: Heard) -> Asked:
    """Say what a message asks for, of the very values that the handler will see; raises `Refusal`."""
    arguments = b""
    if isinstance(given := heard.params.get("arguments"), Mapping):
        try:
            # The handler would see a NaN that a laxer encoder writes as null: what is judged is what is executed.
            arguments = json.dumps(dict(given), allow_nan=False, ensure_ascii=False).encode()
        except (TypeError, ValueError, RecursionError):
            raise Refusal(400, INVALID_PARAMS, "`arguments` cannot be written as JSON") from None
    elif given is not None:
        raise Refusal(400, INVALID_PARAMS, "`arguments` is not an object")
    kind = Kind.NOTIFICATION if heard.notification else Kind.REQUEST
    message = Message(kind=kind, method=heard.method, params=heard.params, arguments=arguments)
    # Without an era: which methods there are is for the SDK to say, which has more of them where a server adds some.
    return reading.by(message, Headers([]))


def _failed(result: object) -> bool | None:
    """Say whether a tool reported an error; None where the result does not say."""
    with suppress(AttributeError):
        found = result.get("isError", False) if isinstance(result, Mapping) else getattr(result, "is_error", None)
        return found if isinstance(found, bool) else None
    return None


def _made(result: object) -> str:
    """Give the task that a call came to, whatever an SDK wraps it in."""
    if callable(dump := getattr(result, "model_dump", None)):
        result = dump(mode="json", by_alias=True, exclude_none=True, include=_OF_TASKS)
    return outcome.made(result) if isinstance(result, Mapping) else ""
