"""The listener of the gateway: where it is reached, and how much it takes."""

import ssl
from typing import Final

import uvicorn

from authz_sidecar.connection import Connection
from authz_sidecar.serving import Serving, bound
from mcp_adapter.asgi_types import App

_GRACE: Final = 10
"""Seconds that requests in flight get when we stop."""
_LARGEST_HEAD: Final = 64 * 1024


class _Connection(Connection):
    """Gives a body the time that the adapter gives it, so that whoever is slow hears why."""

    seconds = 40.0


class Listener:
    """One listening socket; no access log, no signal handlers, no trust in headers of a proxy."""

    def __init__(self, app: App, bind: str, *, tls: ssl.SSLContext | None = None, most: int = 10_000) -> None:
        """Take the app, `HOST:PORT` (port 0 takes a free one), the TLS settings, and the most connections.

        Beyond those, the ones end that have waited longest for a request to come; when each has one under way, the
        answer is 503.
        """
        host, _, port = bind.rpartition(":")
        self._host = "127.0.0.1" if host == "localhost" else host.strip("[]")
        self._port = int(port)
        self._server = Serving(
            uvicorn.Config(
                app,  # pyright: ignore[reportArgumentType]  # the same three callables, typed more loosely
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                lifespan="off",
                ws="none",
                http=_Connection,
                interface="asgi3",
                proxy_headers=False,
                h11_max_incomplete_event_size=_LARGEST_HEAD,
                limit_concurrency=most,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=_GRACE,
                ssl_context_factory=None if tls is None else lambda config, default: tls,
            ),
            handshake_seconds=_Connection.handshake_seconds,
        )
        self._scheme = "http" if tls is None else "https"

    async def start(self) -> str:
        """Listen, and give the URL with the port that was taken; raises `ValueError`."""
        try:
            listener = bound(self._host, self._port, backlog=1024)
        except (OSError, OverflowError) as error:
            raise ValueError(f"cannot listen on {self._host}:{self._port}: {error}") from None
        return await self._server.begin(listener, scheme=self._scheme)

    async def stop(self) -> None:
        """Take no new connection, let requests in flight finish, and close."""
        await self._server.end()
