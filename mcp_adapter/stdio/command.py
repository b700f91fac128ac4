"""The command `mcp-authz stdio`."""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from mcp_adapter.answering import SIDECAR
from mcp_adapter.stdio.bearer import Bearer, fixed, from_file
from mcp_adapter.stdio.child import CannotStart
from mcp_adapter.stdio.guard import Settings, guard

_path = click.Path(path_type=Path, dir_okay=False)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--config", type=_path, help="Decide in this process, by this authz.toml.")
@click.option("--sidecar", default=SIDECAR, show_default=True, help="Ask this sidecar: unix:PATH or HOST:PORT.")
@click.option("--server", default="", help="The server's name in the policy; empty for the only one.")
@click.option("--token-file", type=_path, help="Read the access token here, anew when it changes; else $AUTHZ_TOKEN.")
@click.option("--audit", type=_path, help="Where audit events go; default is standard error.")
@click.option("--help-text", default="", help="What somebody who was denied should do.")
@click.option("--max-message", default=1024 * 1024, show_default=True, help="Bytes of one message of the client.")
@click.option("--timeout", default=1.0, show_default=True, help="Seconds that an answer of the sidecar may take.")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def stdio(
    config: Path | None,
    sidecar: str,
    server: str,
    token_file: Path | None,
    audit: Path | None,
    help_text: str,
    max_message: int,
    timeout: float,
    command: Sequence[str],
) -> int:
    """Run a local MCP server and guard it: mcp-authz stdio [OPTIONS] -- npx some-server ARGS…

    Every message of the client is asked about, lists are filtered, and on doubt nothing passes. Standard error,
    signals and the exit code are the server's.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="mcp-authz: %(message)s")
    settings = Settings(
        command=command,
        config=config,
        sidecar=sidecar,
        server=server,
        bearer=_bearer(token_file),
        audit=audit,
        help_text=help_text,
        max_message=max_message,
        timeout=timeout,
    )
    try:
        return asyncio.run(guard(settings))
    except CannotStart as error:
        click.echo(f"mcp-authz: {error}", err=True)
        return error.code
    except (OSError, ValueError) as error:
        raise click.ClickException(str(error)) from None


def _bearer(token_file: Path | None) -> Bearer:
    try:
        if token_file is not None:
            return from_file(token_file)
    except ValueError as error:
        raise click.ClickException(f"--token-file {error}") from None
    if not (token := os.environ.get("AUTHZ_TOKEN", "").strip()):
        raise click.ClickException("no access token: give --token-file, or set AUTHZ_TOKEN")
    return fixed(token)
