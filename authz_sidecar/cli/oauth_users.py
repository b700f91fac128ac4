"""`authz-sidecar oauth user`: the people who can log in at the authorization server."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from rich.markup import escape

from authz_sidecar.cli.grouped import Group
from authz_sidecar.cli.show import ANSWERED_NO, WRONG, YES, as_json, complain, config_option, dump, moment, say, table

if TYPE_CHECKING:
    from authz_sidecar.oauth.core import Core
    from authz_sidecar.oauth.people.accounts import Account, Accounts

T = TypeVar("T")
_NAME = click.argument("name")
_PASSWORD = click.option(
    "--password-file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A file that holds the password, `-` for standard input; default: it is asked for.",
)


@click.group(cls=Group)
def user() -> None:
    """Add, list and disable local accounts, and set their passwords, roles and groups."""


@user.command()
@config_option
@_NAME
@click.option("--shown", default="", help="What pages call them; default: the name.")
@click.option("--role", "roles", multiple=True, help="May be given several times; `role:…` in the policy.")
@click.option("--group", "groups", multiple=True, help="May be given several times; `group:…` in the policy.")
@_PASSWORD
def add(
    config_path: Path,
    name: str,
    shown: str,
    roles: tuple[str, ...],
    groups: tuple[str, ...],
    password_file: Path | None,
) -> int:
    """Add an account. NAME is the `sub` of its tokens, so `user:NAME` in the policy, and is never given to another."""
    hashed = _hashed(password_file)

    async def work(_: "Core", accounts: "Accounts") -> "Account":
        return await accounts.add(name, hashed, shown=shown, roles=roles, groups=groups)

    made = _with(config_path, work)
    say(f"[green]added[/]  {escape(made.name)}")
    return YES


@user.command("list")
@config_option
@as_json
def list_(config_path: Path, json_: bool) -> int:
    """List the accounts with their roles and groups."""
    found = _with(config_path, lambda _, accounts: accounts.all())
    if json_:
        dump({"users": [_as_json(one) for one in found]})
        return YES
    rows = [
        (
            one.name,
            one.shown,
            " ".join(one.roles),
            " ".join(one.groups),
            moment(one.created_at),
            "disabled" if one.disabled else "",
        )
        for one in found
    ]
    table(("name", "shown", "roles", "groups", "since", ""), rows)
    return YES


@user.command()
@config_option
@_NAME
@click.option("--revoke", is_flag=True, help="Also revoke what this account granted to apps.")
@_PASSWORD
def password(config_path: Path, name: str, revoke: bool, password_file: Path | None) -> int:
    """Set a new password; every session in a browser ends."""
    hashed = _hashed(password_file)

    async def work(core: "Core", accounts: "Accounts") -> int:
        account = await accounts.set_password(name, hashed)
        return await core.grants.revoke_all(account.name, "password_changed") if revoke else 0

    return _done("changed the password of", name, _with(config_path, work))


@user.command()
@config_option
@_NAME
def disable(config_path: Path, name: str) -> int:
    """Let somebody in no more: sessions end, and what they granted to apps is revoked at the sidecars too."""

    async def work(core: "Core", accounts: "Accounts") -> int:
        account = await accounts.set_disabled(name, True)
        return await core.grants.revoke_all(account.name, "user_disabled")

    return _done("disabled", name, _with(config_path, work))


@user.command()
@config_option
@_NAME
def enable(config_path: Path, name: str) -> int:
    """Let a disabled account in again; what was revoked stays revoked."""
    _with(config_path, lambda _, accounts: accounts.set_disabled(name, False))
    return _done("enabled", name, 0)


@user.command()
@config_option
@_NAME
@click.argument("roles", nargs=-1)
@click.option("--none", is_flag=True, help="Take every role away.")
def roles(config_path: Path, name: str, roles: tuple[str, ...], none: bool) -> int:
    """Set the roles of an account to ROLES; tokens carry them from their next issue or refresh on."""
    _check_none(roles, none)
    made = _with(config_path, lambda _, accounts: accounts.set_roles(name, roles))
    say(f"[green]{escape(made.name)}[/]  {escape(' '.join(made.roles)) or 'has no role'}")
    return YES


@user.command()
@config_option
@_NAME
@click.argument("groups", nargs=-1)
@click.option("--none", is_flag=True, help="Take every group away.")
def groups(config_path: Path, name: str, groups: tuple[str, ...], none: bool) -> int:
    """Set the groups of an account to GROUPS; tokens carry them from their next issue or refresh on."""
    _check_none(groups, none)
    made = _with(config_path, lambda _, accounts: accounts.set_groups(name, groups))
    say(f"[green]{escape(made.name)}[/]  {escape(' '.join(made.groups)) or 'is in no group'}")
    return YES


def _check_none(given: tuple[str, ...], none: bool) -> None:
    # Nothing named is more likely a slip than the wish to take all away.
    if bool(given) == none:
        raise click.UsageError("name what the account shall have, or give --none")


def _done(what: str, name: str, revoked: int) -> int:
    more = f"  [dim]{revoked} grants revoked[/]" if revoked else ""
    say(f"[green]{what}[/]  {escape(name)}{more}")
    return YES


def _hashed(path: Path | None) -> str:
    """Take a password from a file or a person, never from the arguments, which others can see."""
    from authz_sidecar.app import needs

    needs.oauth()
    from authz_sidecar.oauth.people.passwords import Passwords

    if path is not None:
        with click.open_file(str(path), encoding="utf-8") as file:
            text = file.read(4_096).removesuffix("\n").removesuffix("\r")
    elif sys.stdin.isatty():
        text = str(click.prompt("password", hide_input=True, confirmation_prompt="once more"))
    else:
        raise click.UsageError("there is no terminal to ask for the password; give --password-file FILE, or `-`")
    try:
        return Passwords().hash(text)
    except ValueError as problem:
        complain(str(problem))
        sys.exit(WRONG)


def _with(config_path: Path, work: "Callable[[Core, Accounts], Awaitable[T]]") -> T:
    """Do something with the accounts; sidecars are told at once."""
    from authz_sidecar import configfile
    from authz_sidecar.app import needs

    config = configfile.load(config_path)
    needs.oauth()
    from authz_sidecar.app import authserver
    from authz_sidecar.oauth.people.accounts import AccountProblem

    async def run() -> T:
        async with authserver.opened(config) as (core, people):
            return await work(core, people.accounts)

    try:
        return asyncio.run(run())
    except AccountProblem as problem:
        complain(str(problem))
        sys.exit(ANSWERED_NO)


def _as_json(one: "Account") -> dict[str, object]:
    return {
        "name": one.name,
        "shown": one.shown,
        "roles": list(one.roles),
        "groups": list(one.groups),
        "disabled": one.disabled,
        "created_at": one.created_at,
        "password_at": one.password_at,
    }
