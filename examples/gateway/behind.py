"""Lets a Python server behind the gateway know who is calling; copy this file together with `verify.py`."""

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any, Final

from examples.gateway.verify import Refused, verify  # in your own project: from verify import Refused, verify
from mcp_adapter import Principal

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]

CALLER: Final = "authz.principal"  # where `current_principal` looks
_BODY: Final = b'{"jsonrpc":"2.0","id":null,"error":{"code":40300,"message":"not signed by the gateway"}}'
_log: Final = logging.getLogger(__name__)


class BehindGateway:
    """Lets in what the gateway signed, and nothing else; then `current_principal` says who is calling.

    `jwks` is the gateway's `identity-jwks.json`, `issuer` its `public_url`, `audience` the `url` under which it knows
    this server. `public_paths` are for everybody, and nobody is known there.
    """

    def __init__(
        self,
        app: Callable[[Event, Receive, Send], Awaitable[None]],
        *,
        jwks: Path,
        issuer: str,
        audience: str,
        public_paths: Iterable[str] = (),
        max_body: int = 1_048_576,
    ) -> None:
        """Take the app and what its gateway is called; `max_body` is that of the gateway."""
        self._app = app
        self._jwks = jwks
        self._issuer, self._audience = issuer, audience
        self._public = frozenset(public_paths)
        self._max_body = max_body

    async def __call__(self, scope: Event, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "lifespan" or (scope["type"] == "http" and scope["path"] in self._public):
            await self._app({**scope, CALLER: None}, receive, send)
        elif scope["type"] == "http":
            await self._signed(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    async def _signed(self, scope: Event, receive: Receive, send: Send) -> None:
        try:
            # Two headers would leave open whom the next reader believes.
            (token,) = [value for name, value in scope["headers"] if name == b"x-authz-identity"] or [b""]
            body = await _whole(receive, self._max_body) if token else b""
            caller = self._caller(token.decode("latin-1"), body)
        except (Refused, OSError, ValueError) as why:
            _log.warning("not_signed_by_the_gateway: %s", why)
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(_BODY)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": _BODY})
            return
        await self._app({**scope, CALLER: caller}, _again(body, receive), send)

    def _caller(self, token: str, body: bytes) -> Principal:
        # Read each time: the gateway writes the file at its first start, and anew when its key is replaced.
        jwks = json.loads(self._jwks.read_bytes())
        claims = verify(token, body, jwks=jwks, issuer=self._issuer, audience=self._audience)
        return Principal(
            issuer=claims["sub_iss"],
            subject=claims["sub"],
            client_id=claims.get("client_id", ""),
            actor=claims.get("act", {}).get("sub", ""),
            scopes=tuple(claims["scope"].split()),
        )


async def _whole(receive: Receive, limit: int) -> bytes:
    body = b""
    while True:
        event = await receive()
        body += event.get("body", b"")
        if event["type"] != "http.request" or len(body) > limit:
            raise Refused("the body is not whole, or too long")
        if not event.get("more_body", False):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a `receive` that says the body once, and then listens for the end."""
    said = False

    async def again() -> Event:
        nonlocal said
        if said:
            return await receive()
        said = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
