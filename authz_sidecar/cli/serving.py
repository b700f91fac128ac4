"""`authz-sidecar serve`: run the sidecar until it is told to stop."""

import asyncio
from pathlib import Path

import click

from authz_sidecar.cli.show import YES, config_option


@click.command()
@config_option
@click.option("--log-json/--log-text", "log_json", default=None, help="Default: text on a terminal, JSON in a pipe.")
def serve(config_path: Path, log_json: bool | None) -> int:
    """Run the sidecar until SIGTERM or Ctrl-C.

    Calls in flight are finished first. An edit of the policy files is live within a second; a broken one is refused,
    and the last good policy stays.
    """
    from authz_sidecar import app, configfile, oplog

    oplog.configure(json_lines=log_json)
    asyncio.run(app.serve(configfile.load(config_path)))
    return YES
