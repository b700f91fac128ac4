"""The commands `mcp-authz gateway` and `mcp-authz doctor`."""

import asyncio
import importlib.util
import json
import logging
import signal
from pathlib import Path

import click

from mcp_adapter.gateway.configfile import ConfigError

_file = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("gateway.toml"),
    show_default=True,
    help="The configuration.",
)


@click.command()
@_file
def gateway(path: Path) -> None:
    """Stand in front of MCP servers, and ask about every request before it reaches them."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    _require_extra()
    try:
        asyncio.run(_serve(path))
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


async def _serve(path: Path) -> None:
    from mcp_adapter.gateway.front import Front

    front = Front(path)
    await front.start()
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    click.echo(f"gateway ready on {front.url}" + (f", status on {front.status_url}" if front.status_url else ""))
    watching = asyncio.create_task(front.watch())
    await stopped.wait()
    watching.cancel()
    await front.stop()


@click.command()
@_file
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(path: Path, *, as_json: bool) -> int:
    """Look at all that the gateway needs: its files, the sidecar, every server. Exit code 1: something is wrong."""
    _require_extra()
    from mcp_adapter.gateway.checkup import checkup

    findings = asyncio.run(checkup(path))
    if as_json:
        click.echo(json.dumps([{"what": one.what, "ok": one.ok, "detail": one.detail} for one in findings]))
    else:
        for one in findings:
            click.echo(f"{'ok ' if one.ok else 'BAD'}  {one.what}" + (f": {one.detail}" if one.detail else ""))
    return 0 if all(one.ok for one in findings) else 1


def _require_extra(library: str = "limits") -> None:
    """Say what to install; the other commands of `mcp-authz` do without it."""
    if importlib.util.find_spec(library) is None:
        raise click.ClickException("this needs the extra `gateway`: pip install 'authz-sidecar[gateway]'")
