"""Reading a request body whole, and handing on the very bytes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from mcp_adapter.asgi_types import Event, Receive
from mcp_adapter.headers import Headers, too_large
from mcp_adapter.refusal import INVALID_REQUEST, Refusal, bad_request

SMALL: Final = 65_536
"""Bytes that are read before anybody asks who sends them."""


class Gone(Exception):
    """The client went away before it had said everything."""


async def read(
    receive: Receive,
    headers: Headers,
    *,
    limit: int,
    patience: float,
    large: Callable[[], Awaitable[None]] | None = None,
) -> bytes:
    """Give the body, of at most `limit` bytes and within `patience` seconds; raises `Refusal` and `Gone`.

    `large` is called once a body turns out to be no small one; what it raises ends the reading.
    """
    declared = headers.length(limit)
    try:
        async with asyncio.timeout(patience):
            body = await _collect(receive, limit, large)
    except TimeoutError:
        raise Refusal(408, INVALID_REQUEST, f"the body did not arrive within {patience:g} seconds") from None
    if declared is not None and declared != len(body):
        raise bad_request("the body is not as long as it says")
    return body


async def _collect(receive: Receive, limit: int, large: Callable[[], Awaitable[None]] | None) -> bytes:
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise Gone
        body += event.get("body", b"")
        if len(body) > limit:
            raise too_large(limit)
        if large is not None and len(body) > SMALL:
            await large()
            large = None
        if not event.get("more_body", False):
            return bytes(body)


class Replay:
    """A `receive` that says what was judged, once, and then listens for the end."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        """Take the bytes, and the server's own `receive`."""
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Event:
        """Give the next event."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        while True:
            event = await self._receive()
            if event["type"] != "http.request":  # nothing that was not judged goes on
                return event
