"""Answering for a name that is hidden as the server answers for one that does not exist."""

import asyncio
import re
import secrets
import string
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import msgspec

from mcp_adapter import media
from mcp_adapter.asgi_types import App, Event, Receive, Scope
from mcp_adapter.asked import Asked
from mcp_adapter.body import Replay
from mcp_adapter.headers import RawHeaders
from mcp_adapter.outcome import Tap

LARGEST: Final = 64 * 1024
_SECONDS: Final = 10.0
_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
)
# No writer of JSON escapes these; those below are escaped by some (PHP, Go, .NET), each in one way, which is learnt.
_PLAIN: Final = frozenset(string.ascii_letters + string.digits + "-._~%:?#@!$()*,;[] ")
_LEARNT: Final = "/&+="
_CORE: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the server answered to our own question."""

    start: Event
    body: bytes


class Unknown:
    """Asks the server, in the caller's own session, for a name that cannot exist, and puts the caller's in its place.

    Nothing of what the caller sent goes along but its id and `_meta`: neither the name, which a server could obey in
    part, nor the arguments. An answer that is no error, or that does not show how it spells a name, is not used.
    """

    def __init__(self, app: App, *, seconds: float = _SECONDS) -> None:
        """Take the server, and how long it may take."""
        self._app = app
        self._seconds = seconds
        core = "".join(secrets.choice(string.ascii_lowercase) for _ in range(_CORE))
        self._core = core.encode("ascii")
        self._names = {"name": f"none_{core}", "uri": f"none-{core}://{core}/a?b=c&d=e+f"}

    def name(self, method: str) -> str:
        """Give the name that cannot exist; empty for a method that names nothing to hide."""
        return self._names.get(_NAMES.get(method, ""), "")

    def question(self, asked: Asked) -> bytes:
        """Give the body of our own question."""
        if asked.message is None:  # pragma: no cover - such requests name nothing
            raise ValueError("no message")
        method = asked.message.method
        params: dict[str, object] = {_NAMES[method]: self.name(method)}
        if method != "resources/read":
            params["arguments"] = {}
        if "_meta" in asked.message.params:
            params["_meta"] = asked.message.params["_meta"]
        return msgspec.json.encode({"jsonrpc": "2.0", "id": asked.id, "method": method, "params": params})

    def headers(self, raw: RawHeaders, method: str, body: bytes) -> RawHeaders:
        """Give the headers of our own question, made from those that would have gone on."""
        kept = [(name, value) for name, value in raw if not name.startswith(b"mcp-param-")]
        said = {b"content-length": str(len(body)).encode("ascii"), b"mcp-name": self.name(method).encode("ascii")}
        return [(name, said.get(name, value)) for name, value in kept]

    async def answer(self, asked: Asked, scope: Scope, body: bytes, receive: Receive) -> Heard | None:
        """Give the server's answer with the caller's name in it, or None where it cannot be had."""
        collected = _Collected()
        try:
            async with asyncio.timeout(self._seconds):
                await self._app(scope, Replay(body, receive), collected.send)
        except (TimeoutError, _TooLarge):
            return None
        if collected.start is None or not _says_no(collected, asked):
            return None
        method, item = _method(asked), asked.items[0]
        said = self._renamed(bytes(collected.body), self.name(method), item.tool)
        return None if said is None else Heard(start=_sized(collected.start, said), body=said)

    def _renamed(self, body: bytes, ours: str, theirs: str) -> bytes | None:
        """Put one name in the place of the other, spelled in the same way."""
        pattern = b"".join(_spellings(char) for char in ours)
        learnt: dict[str, bytes] = {}
        for found in re.finditer(pattern, body):
            for char, spelled in zip((c for c in ours if c in _LEARNT), found.groups(), strict=True):
                if learnt.setdefault(char, spelled) != spelled:
                    return None
        if any(char not in _PLAIN and char not in learnt for char in theirs) and re.search(pattern, body):
            return None
        name = b"".join(learnt.get(char, b"") or char.encode("ascii", "replace") for char in theirs)
        said = re.sub(pattern, lambda _: name, body)
        return None if self._core[:6] in said.lower() else said


def _method(asked: Asked) -> str:
    return "" if asked.message is None else asked.message.method


def _spellings(char: str) -> bytes:
    plain = re.escape(char.encode("ascii"))
    if char not in _LEARNT:
        return plain
    return b"(" + plain + rb"|\\" + plain + rb"|\\u00(?i:%02x))" % ord(char)


def _says_no(collected: "_Collected", asked: Asked) -> bool:
    """Say whether it is an error: a server that takes any name would otherwise speak for what it was not asked."""
    status = collected.start["status"] if collected.start is not None else 0
    tap = Tap(asked.id)
    tap.streams = collected.kind == media.EVENTS
    tap.take(bytes(collected.body))
    return bool(status >= 400 or tap.failed())


def _sized(start: Event, body: bytes) -> Event:
    length = str(len(body)).encode("ascii")
    headers = [
        (name, length if bytes(name).lower() == b"content-length" else value) for name, value in start["headers"]
    ]
    return {**start, "headers": headers}


class _TooLarge(Exception):
    """The answer is larger than an error is."""


class _Collected:
    """A `send` that keeps what it is given."""

    def __init__(self) -> None:
        self.start: Event | None = None
        self.kind = ""
        self.body = bytearray()

    async def send(self, event: Event) -> None:
        if event["type"] == "http.response.start":
            self.start = {**event, "headers": list(event.get("headers", ()))}
            found = {bytes(name).lower(): bytes(value) for name, value in self.start["headers"]}
            kind = media.parse(found.get(b"content-type", b""))
            self.kind = "" if kind is None else kind[0]
        elif event["type"] == "http.response.body":
            self.body += event.get("body", b"")
            if len(self.body) > LARGEST:
                raise _TooLarge
