"""A server with nothing but idle streams, guarded by the middleware: `python -m bench.idle_asgi PORT SIDECAR AUDIT`;
SIGUSR1 lets every stream say one thing more and end."""

import asyncio
import signal
import sys
from pathlib import Path

import uvicorn

from mcp_adapter import AuthzMiddleware


class Idle:
    """A server whose streams say hello and then keep still until `more` is set, and once more after that."""

    def __init__(self) -> None:
        self.open = 0
        self.more = asyncio.Event()

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
        self.open += 1
        waiting = asyncio.create_task(self.more.wait())
        gone = asyncio.create_task(_gone(receive))
        await asyncio.wait({waiting, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in (waiting, gone):
            task.cancel()
        await send({"type": "http.response.body", "body": b": ping\n\n", "more_body": False})


async def _gone(receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def main(port: int, sidecar: str, audit: Path) -> None:
    idle = Idle()
    app = AuthzMiddleware(idle, server="ops-assistant", sidecar=sidecar, audit=audit, timeout=10)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, idle.more.set)
    config = uvicorn.Config(app, port=port, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
