"""Run the assistant on the loopback interface: `python -m examples.ops_assistant`."""

import signal
import socket
import sqlite3
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import uvicorn
from starlette.types import ASGIApp

from examples.ops_assistant.app import SIDECAR, Gateway, build

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
@click.option("--gateway", metavar="URL", help="The `public_url` of the gateway by which alone callers come.")
@click.option(
    "--gateway-keys", type=click.Path(dir_okay=False, path_type=Path), help="The gateway's `identity-jwks.json`."
)
def main(port: int, gateway: str | None, gateway_keys: Path | None, **settings: Any) -> None:
    """Serve until SIGTERM or Ctrl-C."""
    if (gateway is None) != (gateway_keys is None) or (gateway is not None and settings["unprotected"]):
        raise click.UsageError("`--gateway` and `--gateway-keys` go together, and not with `--unprotected`")
    # asyncio switches Nagle off only where the protocol is named; without, small answers wait 40 ms.
    with socket.socket(proto=socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((_HOST, port))
        except OSError as error:
            raise click.ClickException(f"cannot listen on {_HOST}:{port}: {error.strerror}") from None
        listener.listen()
        url = f"http://{_HOST}:{listener.getsockname()[1]}/mcp"
        behind = (
            None
            if gateway is None or gateway_keys is None
            else Gateway(url=gateway, keys=gateway_keys, knows_us_as=url)
        )
        app = _app(behind=behind, **settings)
        click.echo(f"ops assistant: {url} ({'un' * settings['unprotected']}protected)")
        _serve(uvicorn.Server(_config(app)), listener)


def _app(*, behind: Gateway | None, database: Path, sidecar: str, audit: Path | None, unprotected: bool) -> ASGIApp:
    try:
        if unprotected or behind is not None:
            return build(database, protected=not unprotected, behind=behind)
        return build(database, sidecar=sidecar, audit=audit)
    except (OSError, sqlite3.Error) as error:
        raise click.ClickException(f"cannot open `{database}`: {error}") from None


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
