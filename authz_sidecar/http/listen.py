"""The listener of the HTTP application: where it may be reached, and how much it takes."""

import ipaddress
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from authz_sidecar.connection import Connection
from authz_sidecar.errors import ConfigError
from authz_sidecar.serving import Serving, bound

_GRACE: Final = 2
"""Seconds that requests in flight get when we stop."""


class HttpServer:
    """A small listener: bounded connections, no access log, no signal handlers."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        beyond_loopback: bool = False,
        concurrency: int = 64,
        tls: tuple[Path, Path] | None = None,
        connection: type[Connection] = Connection,
    ) -> None:
        """Take the address; port 0 takes a free one. Raises `ConfigError` for one that a network can reach.

        `beyond_loopback` allows it: metrics hold no secret, but they tell who is denied what and how often. `tls` is
        a certificate and its key. Of more than `concurrency` connections, those end that have waited longest for a
        request to come; when each of them has one under way, the answer is 503.
        """
        if not (beyond_loopback or _is_loopback(host)):
            raise ConfigError(f"the HTTP listener would be open to the network on `{host}`: use 127.0.0.1, or allow it")
        self._host = _numeric(host)
        self._port = port
        self._backlog = max(concurrency, 64)
        self._scheme = "http" if tls is None else "https"
        self._server = Serving(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                http=connection,
                interface="asgi3",
                proxy_headers=False,
                h11_max_incomplete_event_size=16 * 1024,
                limit_concurrency=concurrency,
                backlog=max(concurrency, 64),
                timeout_keep_alive=5,
                timeout_graceful_shutdown=_GRACE,
                ssl_certfile=tls and tls[0],
                ssl_keyfile=tls and str(tls[1]),
            ),
            handshake_seconds=connection.handshake_seconds,
        )

    async def start(self) -> str:
        """Listen, and tell the address with the port that was taken; raises `ConfigError`."""
        try:
            listener = bound(self._host, self._port, backlog=self._backlog)
        except (OSError, OverflowError) as error:
            raise ConfigError(f"cannot listen on {self._host}:{self._port} for HTTP: {error}") from None
        return await self._server.begin(listener, scheme=self._scheme)

    async def stop(self) -> None:
        """Take no new connection, let requests in flight finish, and close."""
        await self._server.end()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(_numeric(host)).is_loopback
    except ValueError:
        return False


def _numeric(host: str) -> str:
    return "127.0.0.1" if host == "localhost" else host
