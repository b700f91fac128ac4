"""Runs an ASGI app by uvicorn inside our own event loop, on a socket that we take ourselves."""

import asyncio
import resource
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial

import uvicorn


def bound(host: str, port: int, *, backlog: int) -> socket.socket:
    """Take the address; port 0 takes a free one. Raises `OSError`, and `OverflowError` for a port that is none."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, proto=socket.IPPROTO_TCP)  # named, or asyncio leaves Nagle on
    try:
        # Restarting at once is wanted; SO_REUSEPORT, which shares the port with others, is not.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(backlog)
        listener.setblocking(False)
    except (OSError, OverflowError):
        listener.close()
        raise
    return listener


def allow_files(most: int) -> None:
    """Take up to so many open files where we may; with too few, nobody could connect while others sit there."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = most if hard == resource.RLIM_INFINITY else min(most, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # a sandbox may forbid it
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Serving(uvicorn.Server):
    """A server that leaves signals to the process that it lives in."""

    def __init__(self, config: uvicorn.Config, *, handshake_seconds: float | None = None) -> None:
        """Take the settings, and how long somebody may take to begin with TLS; None for a minute."""
        super().__init__(config)
        self._handshake_seconds = handshake_seconds
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def begin(self, listener: socket.socket, *, scheme: str) -> str:
        """Serve on the socket, and tell the URL with the port that was taken."""
        host, port = listener.getsockname()[:2]
        self._task = asyncio.create_task(self.serve([listener]))
        started = asyncio.create_task(self._ready.wait())
        await asyncio.wait({self._task, started}, return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if self._task.done():
            listener.close()
            self._task.result()
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"

    async def end(self) -> None:
        """Take no new connection, let requests in flight finish, and close."""
        self.should_exit = True
        if self._task is not None:
            await self._task

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Say when it is up."""
        if self.config.ssl is None or self._handshake_seconds is None:
            await super().startup(sockets)
        else:
            await self._listen(sockets or [])
        self._ready.set()

    async def _listen(self, sockets: list[socket.socket]) -> None:
        """Do what the base does with sockets; it has no setting for the time that a handshake may take."""
        config, loop = self.config, asyncio.get_running_loop()
        protocol: Callable[..., asyncio.Protocol] = config.http_protocol_class
        made = partial(protocol, config=config, server_state=self.server_state, app_state=self.lifespan.state)
        self.servers = [
            await loop.create_server(
                made, sock=one, ssl=config.ssl, backlog=config.backlog, ssl_handshake_timeout=self._handshake_seconds
            )
            for one in sockets
        ]
        self.started = True

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Capture none."""
        yield
