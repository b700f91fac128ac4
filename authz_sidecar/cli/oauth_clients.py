"""`authz-sidecar oauth client`: the clients that the operator vouches for, and those that registered themselves."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.markup import escape

from authz_sidecar.cli.grouped import Group
from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, complain, config_option, dump, moment, say, table

if TYPE_CHECKING:
    from authz_sidecar.oauth.core import Core

T = TypeVar("T")
_ID = click.argument("client_id")


@click.group(cls=Group)
def client() -> None:
    """Add, list, disable and remove clients."""


@client.command()
@config_option
@_ID
@click.option("--name", default="", help="What people read on the consent page.")
@click.option("--redirect-uri", "uris", multiple=True, help="May be given several times.")
@click.option("--secret", is_flag=True, help="Make a secret, and print it once.")
@click.option("--jwks-file", type=click.Path(path_type=Path), help="Its public keys: it signs (private_key_jwt).")
@click.option(
    "--for-itself", is_flag=True, help="It acts for itself (client_credentials), beside or instead of for people."
)
@click.option("--identity-assertions", is_flag=True, help="It may bring identity assertions (ID-JAG).")
@click.option("--scope", "scopes", multiple=True, help="All that it may ask for; default: everything.")
@as_json
def add(config_path: Path, client_id: str, json_: bool, **given: Any) -> int:
    """Add a client. Without a secret and keys it is public: an app on a device, with PKCE alone."""
    from authz_sidecar.oauth import entry

    jwks = None if given["jwks_file"] is None else given["jwks_file"].read_bytes()
    made, secret = entry.make(
        client_id,
        name=given["name"],
        redirect_uris=given["uris"],
        secret=given["secret"],
        jwks=jwks,
        for_itself=given["for_itself"],
        identity_assertions=given["identity_assertions"],
        scopes=given["scopes"],
    )

    async def work(core: "Core") -> None:
        entry.check_scopes(made, core.settings)
        await core.registry.add(made)

    _with(config_path, work)
    if json_:
        dump({"client_id": made.id, "client_secret": secret or None, "token_endpoint_auth_method": made.proof.value})
        return YES
    say(f"[green]added[/]  {escape(made.id)}  [dim]{made.proof.value}[/]")
    if secret:
        say(f"its secret, which is kept nowhere and never shown again:  [bold]{escape(secret)}[/]")
    return YES


@client.command("list")
@config_option
@as_json
def list_(config_path: Path, json_: bool) -> int:
    """List the clients in the database, the latest first; those with a document of their own are not kept."""
    found = _with(config_path, lambda core: core.registry.list())
    if json_:
        dump(
            {
                "clients": [
                    {
                        "client_id": one.id,
                        "origin": one.origin.value,
                        "name": one.name,
                        "token_endpoint_auth_method": one.proof.value,
                        "redirect_uris": list(one.redirect_uris),
                        "grant_types": sorted(one.grant_types),
                        "scopes": list(one.scope),
                        "created_at": one.created_at,
                        "expires_at": one.expires_at,
                        "disabled": disabled,
                    }
                    for one, disabled in found
                ]
            }
        )
        return YES
    rows = [
        (
            one.id,
            one.name,
            one.origin.value,
            one.proof.value,
            moment(one.created_at),
            "disabled" if disabled else ("" if one.expires_at is None else f"until {moment(one.expires_at)}"),
        )
        for one, disabled in found
    ]
    table(("client", "name", "by", "proof", "since", ""), rows)
    return YES


@client.command()
@config_option
@_ID
def disable(config_path: Path, client_id: str) -> int:
    """Let a client do nothing any more, and revoke what it holds."""

    async def work(core: "Core") -> bool:
        known = await core.registry.disable(client_id)
        await core.grants.revoke_client(client_id, "client_disabled")
        return known

    return _told(_with(config_path, work), client_id, "disabled")


@client.command()
@config_option
@_ID
def enable(config_path: Path, client_id: str) -> int:
    """Let a disabled client begin anew; what was revoked stays revoked."""
    done = _with(config_path, lambda core: core.registry.disable(client_id, disabled=False))
    return _told(done, client_id, "enabled")


@client.command()
@config_option
@_ID
def remove(config_path: Path, client_id: str) -> int:
    """Forget a client, and revoke what it holds."""

    async def work(core: "Core") -> bool:
        known = await core.registry.remove(client_id)
        await core.grants.revoke_client(client_id, "client_removed")
        return known

    return _told(_with(config_path, work), client_id, "removed")


@client.command()
@config_option
@_ID
@as_json
def secret(config_path: Path, client_id: str, json_: bool) -> int:
    """Give a client a new secret, and print it once; the old one ends at this moment."""
    from authz_sidecar.oauth import opaque

    fresh = opaque.make("cs")
    if not _with(config_path, lambda core: core.registry.new_secret(client_id, opaque.digest(fresh))):
        complain(f"there is no client `{client_id}` with a secret")
        return ANSWERED_NO
    if json_:
        dump({"client_id": client_id, "client_secret": fresh})
    else:
        say(f"its secret, which is kept nowhere and never shown again:  [bold]{escape(fresh)}[/]")
    return YES


def _with(config_path: Path, work: "Callable[[Core], Awaitable[T]]") -> T:
    """Do something with the authorization server's database; sidecars are told at once."""
    from authz_sidecar import configfile
    from authz_sidecar.app import needs

    config = configfile.load(config_path)
    needs.oauth()
    from authz_sidecar.app import authserver

    async def run() -> T:
        async with authserver.opened(config) as (core, _):
            return await work(core)

    return asyncio.run(run())


def _told(done: bool, client_id: str, what: str) -> int:
    if not done:
        complain(f"there is no client `{client_id}` in the database")
        return ANSWERED_NO
    say(f"[green]{what}[/]  {escape(client_id)}")
    return YES
