"""`authz-sidecar oauth key`: the keys that the authorization server signs with."""

import time
from pathlib import Path

import click
from rich.markup import escape

from authz_sidecar.cli.grouped import Group
from authz_sidecar.cli.show import YES, as_json, config_option, dump, moment, say, table

_ALGORITHMS = click.Choice(["ES256", "RS256", "EdDSA"])


@click.group(cls=Group)
def key() -> None:
    """Make, rotate and list the keys that tokens are signed with."""


@key.command()
@config_option
@click.option("--algorithm", type=_ALGORITHMS, help="Default: `oauth.algorithm`.")
@as_json
def generate(config_path: Path, algorithm: str | None, json_: bool) -> int:
    """Make the first key; `oauth serve` does it, too, where there is none."""
    from authz_sidecar import configfile
    from authz_sidecar.app import authplaces
    from authz_sidecar.oauth import keyring

    config = configfile.load(config_path)
    kid = keyring.generate(
        authplaces.key_directory(config),
        algorithm=algorithm or config.oauth.algorithm,
        now=time.time(),
        development=config.oauth.development,
    )
    if json_:
        dump({"kid": kid})
    else:
        say(f"[green]signs now[/]  {escape(kid)}")
    return YES


@key.command()
@config_option
@click.option("--algorithm", type=_ALGORITHMS, help="Default: that of the key that signs now.")
@click.option(
    "--ahead-seconds",
    type=click.IntRange(0, 604_800),
    default=300,
    show_default=True,
    help="So long is the new key published before it signs, for those who keep our keys for a while.",
)
@as_json
def rotate(config_path: Path, algorithm: str | None, ahead_seconds: int, json_: bool) -> int:
    """Sign with a new key soon; the old one verifies until its last token has ended.

    A running server reads the new key at its next token.
    """
    from authz_sidecar import configfile
    from authz_sidecar.app import authplaces
    from authz_sidecar.oauth import keyring

    config = configfile.load(config_path)
    kid = keyring.rotate(
        authplaces.key_directory(config),
        algorithm=algorithm,
        now=time.time(),
        ahead=ahead_seconds,
        overlap=2 * config.oauth.access_seconds,
    )
    if json_:
        dump({"kid": kid, "signs_in_seconds": ahead_seconds})
    else:
        say(f"[green]signs in {ahead_seconds} s[/]  {escape(kid)}")
    return YES


@key.command("list")
@config_option
@as_json
def list_(config_path: Path, json_: bool) -> int:
    """List the keys, the newest first: which one signs, and until when the others verify."""
    from authz_sidecar import configfile
    from authz_sidecar.app import authparts

    found = authparts.keyring(configfile.load(config_path)).keys
    now = time.time()
    signing = next((one.kid for one in found if one.signs_from <= now), found[-1].kid)
    if json_:
        names = ("kid", "algorithm", "made", "signs_from", "until")
        dump({"keys": [{name: getattr(one, name) for name in names} | {"signs": one.kid == signing} for one in found]})
        return YES
    rows = []
    for one in found:
        if one.kid == signing:
            does = "signs"
        elif one.signs_from > now:
            does = f"will sign at {moment(one.signs_from)}"
        else:
            does = (
                "is over" if one.until is not None and one.until <= now else f"verifies until {moment(one.until or 0)}"
            )
        rows.append((one.kid, one.algorithm, moment(one.made), does))
    table(("kid", "algorithm", "made", "does"), rows)
    return YES
