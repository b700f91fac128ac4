"""Runs an ASGI app by uvicorn inside our own event loop."""

import asyncio
import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import uvicorn

from mcp_adapter.asgi_types import App

_GRACE: Final = 10
"""Seconds that requests in flight get when we stop."""
_LARGEST_HEAD: Final = 64 * 1024


class Listener:
    """One listening socket; no access log, no signal handlers, no trust in headers of a proxy."""

    def __init__(self, app: App, bind: str, *, tls: ssl.SSLContext | None = None, most: int = 10_000) -> None:
        """Take the app, `HOST:PORT` (port 0 takes a free one), the TLS settings, and the most connections."""
        host, _, port = bind.rpartition(":")
        self._host = "127.0.0.1" if host == "localhost" else host.strip("[]")
        self._port = int(port)
        self._server = _Server(
            uvicorn.Config(
                app,  # pyright: ignore[reportArgumentType]  # the same three callables, typed more loosely
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                lifespan="off",
                ws="none",
                http="h11",
                interface="asgi3",
                proxy_headers=False,
                h11_max_incomplete_event_size=_LARGEST_HEAD,
                limit_concurrency=most,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=_GRACE,
                ssl_context_factory=None if tls is None else lambda config, default: tls,
            )
        )
        self._scheme = "http" if tls is None else "https"
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen, and give the URL with the port that was taken; raises `ValueError`."""
        listener = self._bind()
        host, port = listener.getsockname()[:2]
        self._task = asyncio.create_task(self._server.serve([listener]))
        started = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({self._task, started}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if self._task.done():
            listener.close()
            self._task.result()
        return f"{self._scheme}://[{host}]:{port}" if ":" in host else f"{self._scheme}://{host}:{port}"

    async def stop(self) -> None:
        """Take no new connection, let requests in flight finish, and close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    def _bind(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, proto=socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle on
        try:
            # Restarting at once is wanted; SO_REUSEPORT, which shares the port with others, is not.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
            listener.listen(1024)
            listener.setblocking(False)
        except (OSError, OverflowError) as error:
            listener.close()
            raise ValueError(f"cannot listen on {self._host}:{self._port}: {error}") from None
        return listener


class _Server(uvicorn.Server):
    """Leaves signals to the process that it lives in."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
