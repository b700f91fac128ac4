"""One request as it was read: everything that can be known before anybody is asked."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from mcp_adapter import body, jsonrpc, media, methods, mirror
from mcp_adapter.asgi_types import Receive
from mcp_adapter.headers import Headers
from mcp_adapter.jsonrpc import Kind, Message
from mcp_adapter.pdp import Item
from mcp_adapter.record import Entry
from mcp_adapter.refusal import bad_request

BODILESS: Final = {"DELETE": methods.SESSION_DELETE, "GET": methods.SESSION_STREAM}
_SESSION: Final = b"mcp-session-id"
_CLIENT_INFO: Final = "io.modelcontextprotocol/clientInfo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a client wants."""

    headers: Headers
    items: tuple[Item, ...]
    message: Message | None = None
    gone: bool = False
    """Whether the method is one that the protocol version of the request has no more."""
    body: bytes = b""
    """The very bytes that `message` was read from."""

    @property
    def id(self) -> str | int | None:
        """The id that an answer carries."""
        return None if self.message is None else self.message.id

    @property
    def modern(self) -> bool:
        """Whether it is of the stateless era."""
        return mirror.is_modern(self.headers)

    @property
    def lists(self) -> bool:
        """Whether the answer can hold a list, or is as private as one.

        A session's own stream may replay any answer. In a session, answers are told apart by the id that the client
        chose: with two requests of one id, a list can come as the answer to the other one.
        """
        if self.message is None:
            return self.items[0].method == methods.SESSION_STREAM
        if self.message.kind is not Kind.REQUEST:
            return False
        entry = methods.METHODS.get(self.message.method)
        if entry is not None and (entry.listing is not None or (self.modern and entry.find is methods.uri)):
            return True
        return not self.modern and self.headers.get(_SESSION) is not None


async def read(
    http_method: str,
    headers: Headers,
    receive: Receive,
    *,
    limit: int,
    patience: float,
    large: Callable[[], Awaitable[None]],
) -> Asked:
    """Read a request with a body of at most `limit` bytes, sent in `patience` seconds; raises `Refusal` and `Gone`.

    `large` is called before more than a small body is read; what it raises goes on.
    """
    if http_method in BODILESS:
        if headers.length(0) or headers.get(b"transfer-encoding") is not None:
            raise bad_request("a request like this has no body")
        return Asked(headers=headers, items=(Item(method=BODILESS[http_method]),))
    media.require_json(headers.get(b"content-type"), headers.get(b"content-encoding"))
    sent = await body.read(receive, headers, limit=limit, patience=patience, large=large)
    message = jsonrpc.read(sent)
    mirror.check(headers, message)
    return by(message, headers, sent)


def by(message: Message, headers: Headers, sent: bytes = b"") -> Asked:
    """Say what a message asks for, in the era that its headers name; raises `Refusal`."""
    entry = methods.METHODS.get(message.method)
    if entry is not None and entry.old and mirror.is_modern(headers):  # what it would act on does not matter
        return Asked(headers=headers, items=(Item(method=message.method),), message=message, gone=True, body=sent)
    return Asked(headers=headers, items=methods.items(message), message=message, body=sent)


def version(said: object) -> Headers:
    """Give the version that somebody names without HTTP as its headers would; what is no version names none."""
    if not isinstance(said, str) or not said.isascii():
        return Headers([])
    return Headers([(b"mcp-protocol-version", said.encode("ascii"))])


def note(entry: Entry, asked: Asked) -> None:
    """Keep for the log what is wanted, and what the client says of itself, on which nobody may rely."""
    entry.method = asked.items[0].method
    entry.tool = asked.items[0].tool if len(asked.items) == 1 else ""
    if asked.message is None:
        return
    said = asked.message.params
    meta = said.get("_meta")
    meta = meta if isinstance(meta, dict) else {}
    info = said.get("clientInfo") if asked.message.method == "initialize" else meta.get(_CLIENT_INFO)
    if isinstance(info, dict):
        entry.untrusted_client = "/".join(str(info[key])[:100] for key in ("name", "version") if key in info)
    if not entry.traceparent and isinstance(trace := meta.get("traceparent"), str):
        entry.traceparent = trace
