"""Drives the lifespan of an ASGI app, as a web server does, for apps that come and go while the server runs."""

import asyncio
from typing import Final

from mcp_adapter.asgi_types import App, Event, Receive, Send

_STARTUP: Final = {"type": "lifespan.startup"}
_SHUTDOWN: Final = {"type": "lifespan.shutdown"}


class Life:
    """The lifespan of one app."""

    def __init__(self, app: App) -> None:
        """Take the app."""
        self._app = app
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._said: asyncio.Queue[Event] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the app; raises what it raises, and `RuntimeError` when it says that it cannot start."""
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._task = asyncio.create_task(_run(self._app, scope, self._events.get, self._said.put))
        self._events.put_nowait(_STARTUP)
        said = await self._next()
        if said["type"] != "lifespan.startup.complete":
            raise RuntimeError(str(said.get("message", "the app did not start")))

    async def stop(self) -> None:
        """Let the app shut down; a second time does nothing."""
        task, self._task = self._task, None
        if task is not None and not task.done():
            self._events.put_nowait(_SHUTDOWN)
            await task

    async def _next(self) -> Event:
        assert self._task is not None  # noqa: S101 - set by `start`, for the type checker
        waiting = asyncio.create_task(self._said.get())
        await asyncio.wait({self._task, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            self._task.result()
            raise RuntimeError("the app ended at its start")
        return waiting.result()


async def _run(app: App, scope: Event, receive: Receive, send: Send) -> None:
    await app(scope, receive, send)


async def nothing_to_do(receive: Receive, send: Send) -> None:
    """Be the lifespan of an app that has nothing to start and nothing to stop."""
    while True:
        match (await receive())["type"]:
            case "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            case _:
                await send({"type": "lifespan.shutdown.complete"})
                return
