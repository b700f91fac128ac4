"""`authz-sidecar init` and `completion`: the first minute."""

import re
import shlex
from importlib import resources
from pathlib import Path
from typing import Final

import click
from click.shell_completion import get_completion_class
from rich.markup import escape

from authz_sidecar.cli.show import YES, as_json, dump, say
from authz_sidecar.errors import ConfigError

_FILES: Final = ("authz.toml", "policies/model.conf", "policies/policy.csv", "policies/scopes.csv",
                 "policies/expectations.csv")  # fmt: skip

_SERVER: Final = "my-server"
_TITLE: Final = "server,"
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986, schemes in lower case


def fits(audience: str) -> bool:
    """Say whether an audience is a URL; it is written into a TOML string, so nothing in it may end the string."""
    return _URL.fullmatch(audience) is not None


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--server", default="my-server", show_default=True, help="The name of your MCP server in the policy.")
@click.option("--audience", default="http://127.0.0.1:8000/mcp", show_default=True, help="Its public URL.")
@as_json
def init(directory: Path, server: str, audience: str, json_: bool) -> int:
    """Write a first configuration that runs as it is.

    DIRECTORY gets a commented configuration, a policy with its expectations, and a development key. Nothing that
    exists is overwritten.
    """
    from pydantic import ValidationError

    from authz_sidecar.cli import devkeys
    from authz_sidecar.config import Server

    try:
        Server(name=server, audience=audience)
    except ValidationError as error:
        wrong = error.errors()[0]
        option = {"name": "--server", "audience": "--audience"}[str(wrong["loc"][0])]
        raise ConfigError(f"{option}: {wrong['msg'].removeprefix('Value error, ')}") from None
    if not fits(audience):
        raise ConfigError("--audience: expected the public URL of the server, for example http://127.0.0.1:8000/mcp")
    wanted = [*(directory / name for name in _FILES), *devkeys.paths(directory / "keys")]
    devkeys.refuse_existing(wanted)
    for name in _FILES:
        template = resources.files("authz_sidecar.cli") / "templates" / Path(name).name
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(template.read_text("utf-8"), server, audience), "utf-8")
    devkeys.write(directory / "keys")
    if json_:
        dump({"written": [str(path) for path in wanted]})
        return YES
    for path in wanted:
        say(f"[green]wrote[/]  {escape(str(path))}")
    prefix = "" if directory == Path() else f"cd {shlex.quote(str(directory))} && "
    say("\nThe key in [bold]keys/[/] is for development: everything it signs is marked so. Next:\n")
    for line in (
        f"{prefix}authz-sidecar serve",
        "authz-sidecar token mint --sub alice > alice.token   # in a second terminal",
        "authz-sidecar check tools/call echo --token-file alice.token",
        "$EDITOR policies/policy.csv                          # save: live in a second",
    ):
        say(f"  {escape(line)}")
    return YES


def _filled(template: str, server: str, audience: str) -> str:
    """Fill a template in, and keep the title of the next column above it."""
    longer = len(server) - len(_SERVER)
    text = template.replace(f" {_TITLE} ", f" {_TITLE} {' ' * max(0, longer)}")
    if longer < 0:  # pad the name instead, so that titles that are longer than it keep their place
        text = text.replace(f"{_SERVER}, ", f"{server}, {' ' * -longer}")
    return text.replace(_SERVER, server).replace("@AUDIENCE@", audience)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script of SHELL.

    Example: authz-sidecar completion bash > ~/.local/share/bash-completion/completions/authz-sidecar
    """
    from authz_sidecar.cli.root import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise ConfigError(f"no completion for `{shell}`")
    click.echo(kind(cli, {}, "authz-sidecar", "_AUTHZ_SIDECAR_COMPLETE").source())
    return YES
