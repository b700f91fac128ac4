"""Runs the authorization server on a real port, in a thread of its own, for a real browser."""

import asyncio
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import uvicorn

from authz_sidecar.oauth.client import Client, Origin
from tests.oauth_people.house import House, house, query

DESK: Final = "desk-tool"
LONG: Final = f"{'long-name-' * 6}x.{'w' * 60}.example"
TEAM: Final = "team"
WAIT: Final = 10.0
T = TypeVar("T")


@dataclass(kw_only=True)
class Running:
    """A server that answers at `url`, and a client's callback that answers at `callback`."""

    url: str
    callback: str
    house: House
    loop: asyncio.AbstractEventLoop

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the server's thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(WAIT)

    def ask(self, **parameters: str) -> str:
        """Spell the URL by which the client asks for something."""
        return f"{self.url}/authorize?{query(**{'client_id': DESK, 'redirect_uri': self.callback, **parameters})}"

    def pass_time(self, seconds: float) -> None:
        """Let time pass at the server."""
        self.house.clock.now += seconds


class _Server(uvicorn.Server):
    def __init__(self, app: Any, ready: Callable[[], None]) -> None:
        super().__init__(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none", http="h11"))
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    def install_signal_handlers(self) -> None:
        """A thread has none."""


async def _callback(scope: Any, _: Any, send: Any) -> None:
    """Be a client: say what it was told."""
    body = b"<!doctype html><title>The app</title><h1>Back in the app</h1><p id=told>" + scope["query_string"]
    headers = [(b"content-type", b"text/html"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Run it until the block ends."""
    found: list[Running] = []
    up, stop = threading.Event(), threading.Event()

    def thread() -> None:
        asyncio.run(_serve(folder, found, up, stop))

    worker = threading.Thread(target=thread)
    worker.start()
    try:
        assert up.wait(WAIT)
        yield found[0]
    finally:
        stop.set()
        worker.join(WAIT)
        assert not worker.is_alive()


async def _serve(folder: Path, found: list[Running], up: threading.Event, stop: threading.Event) -> None:
    own, client = _port(), _port()
    url = f"http://127.0.0.1:{own.getsockname()[1]}"
    callback = f"http://127.0.0.1:{client.getsockname()[1]}/callback"
    try:
        async with house(folder, issuer=url) as made:
            left = 2
            both = asyncio.Event()

            def ready() -> None:
                nonlocal left
                left -= 1
                if not left:
                    both.set()

            servers = [_Server(made.app, ready), _Server(_callback, ready)]
            tasks = [asyncio.create_task(one.serve([at])) for one, at in zip(servers, (own, client), strict=True)]
            async with asyncio.timeout(WAIT):
                await both.wait()
            for one in _clients(made, callback):
                made.known.clients[one.id] = one
            found.append(Running(url=url, callback=callback, house=made, loop=asyncio.get_running_loop()))
            up.set()
            await asyncio.to_thread(stop.wait)
            for one in servers:
                one.should_exit = True
                one.force_exit = True
            await asyncio.gather(*tasks)
    finally:
        own.close()
        client.close()


def _clients(made: House, callback: str) -> list[Client]:
    """Give one that registered itself a moment ago, and one that the operator set up."""
    began = made.clock.now - 300
    return [
        Client(id=DESK, origin=Origin.REGISTERED, name="Desk Tool", redirect_uris=(callback,), created_at=began),
        # Whatever a stranger calls itself, the page keeps its shape.
        Client(id="stranger", origin=Origin.REGISTERED, name="W" * 100, redirect_uris=(f"https://{LONG}/back",)),
        Client(id=TEAM, origin=Origin.CONFIGURED, name="Team Assistant", redirect_uris=("https://team.example/back",)),
    ]


def _port() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)
    return listener
