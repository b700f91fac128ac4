"""The command `mcp-authz`: guards MCP servers in any language; each command lives in a file of its own."""

import sys
from collections.abc import Sequence
from typing import Final

import click

from mcp_adapter.gateway.commands import doctor, gateway
from mcp_adapter.stdio.command import stdio

WRONG: Final = 2
"""Exit code for wrong usage or configuration."""


class _Group(click.Group):
    """Its help says of each command the whole first sentence, where click would cut it."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, one.get_short_help_str(500)) for name, one in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def cli() -> None:
    """Guards MCP servers: every request of a client is asked about, and on doubt denied."""


for command in (gateway, doctor, stdio):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit; a mistake that is not ours is a sentence, never a traceback."""
    try:
        result: object = cli.main(args=arguments, prog_name="mcp-authz", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("mcp-authz: stopped", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(WRONG)
    sys.exit(result if isinstance(result, int) else 0)
