"""`authz-sidecar keys`: keys for development."""

from pathlib import Path

import click
from rich.markup import escape

from authz_sidecar.cli.show import YES, as_json, dump, say


@click.group()
def keys() -> None:
    """Make keys for development."""


@keys.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path("keys"))
@click.option("--algorithm", type=click.Choice(["ES256", "RS256", "EdDSA"]), default="ES256", show_default=True)
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
