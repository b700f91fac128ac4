"""Tells the address of the browser behind a proxy of our own, so that limits by address meet the right one."""

import ipaddress

from starlette.types import ASGIApp, Receive, Scope, Send


class Forwarded:
    """An ASGI app around another: reads the header that the operator's proxy writes."""

    def __init__(self, app: ASGIApp, *, header: str) -> None:
        """Take the name of the header, in lower case; none leaves every request as it is."""
        self._app = app
        self._header = header.encode("ascii")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the address in its place."""
        if self._header and scope["type"] == "http" and _from_here(scope.get("client")):
            values = [value for name, value in scope["headers"] if name == self._header]
            # What a browser wrote stands before what the proxy added: only the very last one is the proxy's word.
            last = values[-1].rpartition(b",")[2].strip().decode("latin-1") if values else ""
            if _is_address(last):
                scope = {**scope, "client": (last, 0)}
        await self._app(scope, receive, send)


def _from_here(client: tuple[str, int] | None) -> bool:
    """Say whether the peer is on this machine; nobody else is a proxy of ours."""
    return client is not None and _is_address(client[0]) and ipaddress.ip_address(client[0]).is_loopback


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
