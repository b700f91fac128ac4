"""A group of commands whose help says of each the whole first sentence."""

import click

_LONGEST = 500  # characters; click would cut at the width of the window and say `...`


class Group(click.Group):
    """Like click's, but a sentence that does not fit goes on in the next line."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands."""
        rows = [(name, one.get_short_help_str(_LONGEST)) for name, one in self.commands.items() if not one.hidden]
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows))
