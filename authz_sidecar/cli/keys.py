"""`authz-sidecar keys`: keys for development."""

import time
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from authz_sidecar.cli.grouped import Group
from authz_sidecar.cli.show import YES, as_json, dump, say, table

_DIRECTORY = click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path("keys"))
_ALGORITHMS = click.Choice(["ES256", "RS256", "EdDSA"])


@click.group(cls=Group)
def keys() -> None:
    """Make, rotate and list keys for development."""


@keys.command()
@_DIRECTORY
@click.option("--algorithm", type=_ALGORITHMS, default="ES256", show_default=True, help="What the key signs with.")
@as_json
def generate(directory: Path, algorithm: str, json_: bool) -> int:
    """Write a signing key and its public half into DIRECTORY, for `token mint` and `jwks_file`.

    The key is marked for development: the sidecar says so at start and in every decision, and accepts it on loopback
    alone. Nothing that exists is overwritten.
    """
    from authz_sidecar.cli import devkeys

    paths = devkeys.paths(directory)
    devkeys.write(directory, algorithm)
    if json_:
        dump({"signing_key": str(paths[0]), "jwks_file": str(paths[1]), "algorithm": algorithm})
        return YES
    say(f"[green]wrote[/]  {escape(str(paths[0]))}  [dim]the signing key, readable by you alone[/]")
    say(f"[green]wrote[/]  {escape(str(paths[1]))}  [dim]its public half, for `jwks_file`[/]")
    return YES


@keys.command()
@_DIRECTORY
@click.option("--algorithm", type=_ALGORITHMS, help="Default: that of the key that signs now.")
@click.option(
    "--overlap-hours",
    type=click.FloatRange(0, 8_760),
    default=24.0,
    show_default=True,
    help="For so long the old key still verifies; as long as tokens live, at least.",
)
@as_json
def rotate(directory: Path, algorithm: str | None, overlap_hours: float, json_: bool) -> int:
    """Sign with a new key from now on; the old one verifies until the overlap is over.

    A running sidecar reads the new key within seconds. `keys prune` takes away keys whose time is over.
    """
    from authz_sidecar.cli import devkeys

    kid = devkeys.rotate(directory, algorithm, overlap_hours * 3_600)
    if json_:
        dump({"kid": kid, "keys": [_as_json(one) for one in devkeys.listed(directory)]})
        return YES
    say(f"[green]signs now[/]  {escape(kid)}")
    say(f"the old one verifies for {overlap_hours:g} h; then run  authz-sidecar keys prune {escape(str(directory))}")
    if algorithm:
        say(f"[dim]let the issuer's `algorithms` have `{algorithm}`, beside the old one's until then[/]")
    return YES


@keys.command()
@_DIRECTORY
@as_json
def prune(directory: Path, json_: bool) -> int:
    """Take away the public keys whose overlap is over."""
    from authz_sidecar.cli import devkeys

    gone = devkeys.prune(directory)
    if json_:
        dump({"removed": gone})
        return YES
    for kid in gone:
        say(f"[green]removed[/]  {escape(kid)}")
    if not gone:
        say("no key's time is over")
    return YES


@keys.command("list")
@_DIRECTORY
@as_json
def list_(directory: Path, json_: bool) -> int:
    """List the keys of DIRECTORY: which one signs, and until when the others verify."""
    from authz_sidecar.cli import devkeys

    found = devkeys.listed(directory)
    if json_:
        dump({"keys": [_as_json(one) for one in found]})
        return YES
    now = time.time()
    table(
        ("kid", "algorithm", "age", "does", "for"),
        [
            (
                one.kid,
                one.algorithm,
                "unknown" if one.made is None else _span(now - one.made),
                "signs" if one.signs else _verifies(one.until, now),
                "development" if one.development else "",
            )
            for one in found
        ],
    )
    return YES


def _as_json(one: Any) -> dict[str, object]:
    names = ("kid", "algorithm", "signs", "made", "until", "development")
    return {name: getattr(one, name) for name in names}


def _verifies(until: float | None, now: float) -> str:
    if until is None:
        return "verifies"
    return f"verifies for {_span(until - now)}" if until > now else "over; see `keys prune`"


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
