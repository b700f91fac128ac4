"""Carries one judged request to a server, and its answer back piece by piece."""

import asyncio
from typing import Final

import httpx2

from mcp_adapter import media
from mcp_adapter.asgi_types import Receive, Scope, Send
from mcp_adapter.gateway.carry import RawHeaders, inward, outward
from mcp_adapter.gateway.identity import Identity
from mcp_adapter.gateway.lifespan import nothing_to_do
from mcp_adapter.gateway.tell import BAD_GATEWAY, TIMED_OUT, Trouble, passed, tell
from mcp_adapter.gateway.upstreams import Failed, Upstream

_REFUSED: Final = Trouble(
    status=502,
    code=BAD_GATEWAY,
    message="the server did not accept the gateway",
    detail="upstream: it asks for credentials; set `credential_file`, or renew what is in it",
)
_MOVED: Final = Trouble(
    status=502,
    code=BAD_GATEWAY,
    message="the server is not at this address",
    detail="upstream: it answers with a redirect, which is not followed; correct `url`",
)
_COMPRESSED: Final = Trouble(
    status=502,
    code=BAD_GATEWAY,
    message="the server's answer cannot be read",
    detail="upstream: it compresses although `identity` was asked for",
)


class Proxy:
    """An ASGI app that stands for a server elsewhere; it expects requests that were judged, with their whole body.

    Nothing is buffered: the next piece is read from the server when the client has taken the last one. When the client
    goes away, the request to the server ends (MCP 2026-07-28, "Cancellation"). `close` ends streams cleanly.
    """

    def __init__(self, upstream: Upstream, identity: Identity) -> None:
        """Take the server, and who makes the headers that say who is calling."""
        self._upstream = upstream
        self._identity = identity
        self._streams: set[asyncio.Task[None]] = set()
        self._closing = False

    @property
    def streams(self) -> int:
        """How many streams of events are open."""
        return len(self._streams)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "lifespan":
            await nothing_to_do(receive, send)
            return
        body = await _body(receive)
        headers = [*inward(scope["headers"]), *self._identity.headers(scope, body)]
        answer = Answer(send)
        work = asyncio.create_task(self._carry(scope, headers, body, answer))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            left = not work.done()
            if left:
                passed(scope).note("the client went away", "aborted")
        finally:
            self._streams.discard(work)
            await _stop(work, gone)
        if not work.cancelled() and (error := work.exception()) is not None:
            await _tell(scope, send, answer, error)
        elif answer.streams and not left:
            await answer.end()

    def close(self) -> None:
        """End the streams that are open and those to come: their clients see a whole answer, and may ask again."""
        self._closing = True
        for work in self._streams:
            work.cancel()

    async def _carry(self, scope: Scope, headers: RawHeaders, body: bytes, answer: "Answer") -> None:
        response = await self._upstream.send(scope["method"], headers, body)
        try:
            if (trouble := _unfit(response)) is not None:
                raise Failed(trouble)
            await answer.begin(response)
            if not answer.streams:
                await answer.pieces(response, self._upstream.patience)
                await answer.end()
            elif not self._closing and (task := asyncio.current_task()) is not None:
                self._streams.add(task)
                await answer.pieces(response, None)
        finally:
            await response.aclose()


class Answer:
    """One answer on its way to the client."""

    def __init__(self, send: Send) -> None:
        """Take where it goes."""
        self.started = False
        self.streams = False
        self._send = send

    async def begin(self, response: httpx2.Response) -> None:
        """Send status and headers."""
        kind = media.parse(response.headers.get("content-type", "").encode("latin-1"))
        headers = outward(response.headers.raw)
        await self._send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        self.started = True
        self.streams = kind is not None and kind[0] == media.EVENTS

    async def pieces(self, response: httpx2.Response, patience: float | None) -> None:
        """Send the body; raises `Failed` when the server breaks off, or is silent for `patience` seconds."""
        pieces = response.aiter_raw()
        while True:
            try:
                async with asyncio.timeout(patience):
                    piece = await anext(pieces, b"")
            except TimeoutError:
                raise Failed(_broken(504, TIMED_OUT, f"silent for {patience:g} s")) from None
            except (httpx2.TransportError, OSError) as error:
                raise Failed(_broken(502, BAD_GATEWAY, f"{type(error).__name__}: {error}")) from None
            if not piece:
                return
            await self._send({"type": "http.response.body", "body": piece, "more_body": True})

    async def end(self) -> None:
        """Say that this was all."""
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


async def _tell(scope: Scope, send: Send, answer: Answer, error: BaseException) -> None:
    if not isinstance(error, Failed):
        raise error
    if answer.started:
        # The answer is left incomplete, so that the client can tell a part from the whole.
        passed(scope).note(error.trouble.detail, "")
    else:
        await tell(scope, send, error.trouble)


def _broken(status: int, code: int, detail: str) -> Trouble:
    return Trouble(status=status, code=code, message="the server broke off", detail=f"upstream: {detail}")


def _unfit(response: httpx2.Response) -> Trouble | None:
    """Say why an answer is not for the client."""
    if response.status_code in (401, 407):
        return _REFUSED  # the caller's token is not at fault, and a new one would not help
    if 300 <= response.status_code < 400:
        return _MOVED  # following it could carry a credential anywhere
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        return _COMPRESSED
    return None


async def _body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            return bytes(body)
        body += event.get("body", b"")
        if not event.get("more_body", False):
            return bytes(body)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stop(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
