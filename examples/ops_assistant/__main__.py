"""Run the assistant on the loopback interface: `python -m examples.ops_assistant`."""

import signal
import socket
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path

import click
import uvicorn

from examples.ops_assistant.app import SIDECAR, build

_HOST = "127.0.0.1"
_LAST_WORDS = 5  # seconds that open streams get when the server stops


@click.command(help="Run the operations assistant, an MCP server, on 127.0.0.1.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option(
    "--sidecar", default=SIDECAR, show_default=True, help="Where authz-sidecar listens: unix:PATH or HOST:PORT."
)
@click.option(
    "--database", type=click.Path(dir_okay=False, path_type=Path), default=Path("var/ops.db"), show_default=True
)
@click.option(
    "--audit", type=click.Path(dir_okay=False, path_type=Path), help="Where audit events go; default is standard error."
)
@click.option("--unprotected", is_flag=True, help="Let everybody do everything, to compare.")
def main(port: int, sidecar: str, database: Path, audit: Path | None, unprotected: bool) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    try:
        app = build(database, sidecar=sidecar, audit=audit) if not unprotected else build(database, protected=False)
    except (OSError, sqlite3.Error) as error:
        raise click.ClickException(f"cannot open `{database}`: {error}") from None
    # asyncio switches Nagle off only where the protocol is named; without, small answers wait 40 ms.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, port))
        except OSError as error:
            raise click.ClickException(f"cannot listen on {_HOST}:{port}: {error.strerror}") from None
        listener.listen()
        click.echo(f"ops assistant: http://{_HOST}:{listener.getsockname()[1]}/mcp ({'un' * unprotected}protected)")
        _serve(uvicorn.Server(_config(app)), listener)


def _config(app: object) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="warning",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=_LAST_WORDS,
    )


def _serve(server: uvicorn.Server, listener: socket.socket) -> None:
    # uvicorn stops on a signal and then raises it once more; without this, a clean stop would look like a crash.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])


if __name__ == "__main__":
    main()
