"""`authz-sidecar oauth`: the authorization server, and what its operator does."""

import asyncio
from pathlib import Path

import click

from authz_sidecar.cli.grouped import Group
from authz_sidecar.cli.oauth_clients import client
from authz_sidecar.cli.oauth_keys import key
from authz_sidecar.cli.oauth_users import user
from authz_sidecar.cli.show import YES, config_option


@click.group(cls=Group)
def oauth() -> None:
    """Run the OAuth 2.1 authorization server, and keep its clients, users and keys."""


@oauth.command()
@config_option
@click.option("--log-json/--log-text", "log_json", default=None, help="Default: text on a terminal, JSON in a pipe.")
def serve(config_path: Path, log_json: bool | None) -> int:
    """Run the authorization server of `[oauth]` until SIGTERM or Ctrl-C.

    The database is brought up to date and a first signing key made at the start. Sidecars that are down learn of
    revocations when they are back.
    """
    from authz_sidecar import configfile, oplog
    from authz_sidecar.app import needs

    oplog.configure(json_lines=log_json)
    config = configfile.load(config_path)
    needs.oauth()
    from authz_sidecar.app import authserver

    asyncio.run(authserver.serve(config))
    return YES


for command in (client, key, user):
    oauth.add_command(command)
