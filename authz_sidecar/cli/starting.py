"""`authz-sidecar init` and `completion`: the first minute."""

import re
import shlex
from importlib import resources
from pathlib import Path
from typing import Final

import click
from click.shell_completion import get_completion_class
from rich.markup import escape

from authz_sidecar.cli.show import YES, as_json, dump, say, warn
from authz_sidecar.errors import ConfigError
from authz_sidecar.policy.findings import quote
from authz_sidecar.policy.fmt import fmt
from authz_sidecar.policy.tools import TOOLS

_FILES: Final = ("authz.toml", "policies/model.conf", "policies/policy.csv", "policies/scopes.csv",
                 "policies/expectations.csv")  # fmt: skip

_SERVER: Final = "my-server"
_AUDIENCE: Final = "http://127.0.0.1:8000/mcp"
_TITLE: Final = "server,"
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]*:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")  # RFC 3986, schemes in lower case


def fits(audience: str) -> bool:
    """Say whether an audience is a URL; it is written into a TOML string, so nothing in it may end the string."""
    return _URL.fullmatch(audience) is not None


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--server", default="my-server", show_default=True, help="The name of your MCP server in the policy.")
@click.option("--audience", help=f"Its public URL; default: that of --from-server, or {_AUDIENCE}")
@click.option(
    "--from-server", "url", help="Ask this running MCP server, and write all it offers as rows to choose from."
)
@click.option("--token-file", metavar="FILE|-", help="A token for that server; default: the variable AUTHZ_TOKEN.")
@as_json
def init(
    directory: Path, server: str, audience: str | None, url: str | None, token_file: str | None, json_: bool
) -> int:
    """Write a first configuration that runs as it is.

    DIRECTORY gets a commented configuration, a policy with its expectations, and a development key. Nothing that
    exists is overwritten.

    Example: authz-sidecar init --from-server http://127.0.0.1:8000/mcp
    """
    audience = (url or _AUDIENCE) if audience is None else audience
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
    if url:
        wanted.append(directory / "policies" / TOOLS)
    devkeys.refuse_existing(wanted)
    asked = _ask(server, url, token_file) if url else {}
    for name in _FILES:
        template = resources.files("authz_sidecar.cli") / "templates" / Path(name).name
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = asked.get(path.name) or _filled(template.read_text("utf-8"), server, audience)
        path.write_text(_aligned(path.name, text), "utf-8")
    if url:
        (directory / "policies" / TOOLS).write_text(asked[TOOLS], "utf-8")
    devkeys.write(directory / "keys")
    if json_:
        dump({"written": [str(path) for path in wanted]})
        return YES
    for path in wanted:
        say(f"[green]wrote[/]  {escape(str(path))}")
    prefix = "" if directory == Path() else f"cd {shlex.quote(str(directory))} && "
    say("\nThe key in [bold]keys/[/] is for development: everything it signs is marked so. Next:\n")
    choose = "choose rows, " if url else ""
    for line in (
        f"{prefix}authz-sidecar serve",
        "authz-sidecar token mint --sub alice > alice.token   # in a second terminal",
        f"authz-sidecar check tools/call {'TOOL' if url else 'echo'} --token-file alice.token",
        f"$EDITOR policies/policy.csv                          # {choose}save: live in a second",
    ):
        say(f"  {escape(line)}")
    return YES


def _ask(server: str, url: str, token_file: str | None) -> dict[str, str]:
    """Give the files that tell what a running server offers; raises `ConfigError`."""
    from authz_sidecar.cli import mcplists, offered
    from authz_sidecar.cli.asks import read_token

    lists = mcplists.lists(url, read_token(token_file))
    found = offered.choice(server, lists)
    for name in found.unnamed:
        warn(f"{quote(name)} has a name that no row can spell, so nobody can be allowed it")
    templates = resources.files("authz_sidecar.cli") / "templates"
    head = _filled((templates / "choices.csv").read_text("utf-8"), server, "")
    tests = _filled((templates / "expectations.csv").read_text("utf-8"), server, "").splitlines(keepends=True)
    return {
        "policy.csv": head + found.text,
        "expectations.csv": "".join(tests[:2]),
        TOOLS: offered.tools_json(server, lists),
    }


def _aligned(name: str, text: str) -> str:
    """Lay out a table as `policy fmt` does, so that it finds nothing to do on the first day."""
    return fmt(name, text.encode()).decode() if name.endswith(".csv") else text


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

    Example: authz-sidecar completion bash >> ~/.bash_completion
    """
    from authz_sidecar.cli.root import cli

    kind = get_completion_class(shell)
    if kind is None:
        raise ConfigError(f"no completion for `{shell}`")
    click.echo(kind(cli, {}, "authz-sidecar", "_AUTHZ_SIDECAR_COMPLETE").source())
    return YES
