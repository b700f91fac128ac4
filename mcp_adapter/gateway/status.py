"""The page for operators: `/healthz`, `/readyz`, `/metrics`, and the key that identities are verified with."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from mcp_adapter.asgi_types import Receive, Scope, Send
from mcp_adapter.gateway.metrics import CONTENT_TYPE, Metrics

KEYS_PATH: Final = "/identity/jwks.json"
_LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")


class Status:
    """An ASGI app; GET only, and only for those who know its name (a foreign web page does not)."""

    def __init__(
        self,
        *,
        metrics: Metrics,
        servers: Callable[[], dict[str, bool]],
        jwks: object,
        hosts: Iterable[str] = (),
    ) -> None:
        """Take the numbers, who says which server is up, the public key, and further `Host` values."""
        self._metrics = metrics
        self._servers = servers
        self._jwks = jwks
        self._hosts = frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        status, body, kind = self._answer(scope)
        length = (b"content-length", str(len(body)).encode("ascii"))
        headers = [(b"content-type", kind.encode("ascii")), length]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _answer(self, scope: Scope) -> tuple[int, bytes, str]:
        named = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        foreign = any(name == b"origin" for name, _ in scope["headers"])
        if len(named) != 1 or not self._is_ours(named[0]) or foreign:
            return _said(403, {"error": "not for this host or page"})
        match (scope["method"], scope["path"]):
            case ("GET", "/metrics"):
                for server, up in self._servers().items():
                    self._metrics.upstream(server, up=up)
                return 200, self._metrics.render(), CONTENT_TYPE
            case ("GET", "/healthz"):
                return _said(200, {"live": True})
            case ("GET", "/readyz"):
                return self._ready()
            case ("GET", path) if path == KEYS_PATH:
                return _said(200, self._jwks)
            case _:
                return _said(404, {"error": "not found"})

    def _ready(self) -> tuple[int, bytes, str]:
        """Be ready while some server is up: one that is down must not take the others away."""
        servers = self._servers()
        ready = any(servers.values())
        states = {name: "up" if up else "down" for name, up in servers.items()}
        return _said(200 if ready else 503, {"ready": ready, "servers": states})

    def _is_ours(self, host: str) -> bool:
        return host in self._hosts or host.rpartition(":")[0] in _LOOPBACK or host in _LOOPBACK


def _said(status: int, value: object) -> tuple[int, bytes, str]:
    return status, msgspec.json.encode(value), "application/json"
