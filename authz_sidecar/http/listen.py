"""Runs the HTTP application by uvicorn inside our own event loop."""

import asyncio
import ipaddress
import socket
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from authz_sidecar.errors import ConfigError

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
    ) -> None:
        """Take the address; port 0 takes a free one. Raises `ConfigError` for one that a network can reach.

        `beyond_loopback` allows it: metrics hold no secret, but they tell who is denied what and how often. `tls` is
        a certificate and its key; beyond `concurrency` connections the answer is 503.
        """
        if not (beyond_loopback or _is_loopback(host)):
            raise ConfigError(f"the HTTP listener would be open to the network on `{host}`: use 127.0.0.1, or allow it")
        self._host = _numeric(host)
        self._port = port
        self._backlog = max(concurrency, 64)
        self._scheme = "http" if tls is None else "https"
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                http="h11",
                interface="asgi3",
                proxy_headers=False,
                h11_max_incomplete_event_size=16 * 1024,
                limit_concurrency=concurrency,
                backlog=max(concurrency, 64),
                timeout_keep_alive=5,
                timeout_graceful_shutdown=_GRACE,
                ssl_certfile=tls and tls[0],
                ssl_keyfile=tls and str(tls[1]),
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Listen, and tell the address with the port that was taken; raises `ConfigError`."""
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
            listener.listen(self._backlog)
            listener.setblocking(False)
        except (OSError, OverflowError) as error:
            listener.close()
            raise ConfigError(f"cannot listen on {self._host}:{self._port} for HTTP: {error}") from None
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


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(_numeric(host)).is_loopback
    except ValueError:
        return False


def _numeric(host: str) -> str:
    return "127.0.0.1" if host == "localhost" else host
