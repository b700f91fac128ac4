"""How the command line speaks: tables for people, plain text in a pipe, JSON for programs."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

YES: Final = 0
ANSWERED_NO: Final = 1
WRONG: Final = 2
NOT_ANSWERED: Final = 3

F = TypeVar("F", bound=Callable[..., Any])


def as_json(command: F) -> F:
    """Add `--json` to a command."""
    return click.option("--json", "json_", is_flag=True, help="Print JSON for programs.")(command)


def config_option(command: F) -> F:
    """Add `--config` to a command."""
    return click.option(
        "--config",
        "config_path",
        type=click.Path(path_type=Path),
        default=Path("authz.toml"),
        envvar="AUTHZ_CONFIG",
        show_default=True,
        help="The configuration file (or AUTHZ_CONFIG).",
    )(command)


def out() -> Console:
    """Give the console for results; in a pipe it has no colors and never breaks a line.

    No emoji: `policy.csv:100:4` would lose its line to a picture.
    """
    return Console(soft_wrap=not sys.stdout.isatty(), highlight=False, emoji=False)


def err() -> Console:
    """Give the console for remarks and errors."""
    return Console(stderr=True, soft_wrap=not sys.stderr.isatty(), highlight=False, emoji=False)


def complain(text: str) -> None:
    """Say what went wrong, a line for each problem."""
    for line in text.splitlines():
        err().print(f"[bold red]error[/] {escape(line)}")


def warn(text: str) -> None:
    """Say what is legal but deserves a look."""
    err().print(f"[yellow]warning[/] {escape(text)}")


def say(markup: str) -> None:
    """Print a line of a result; text from outside must be escaped."""
    out().print(markup)


def dump(value: object) -> None:
    """Print JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2 if sys.stdout.isatty() else None))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str | None = None) -> None:
    """Print a table to a person, and tab-separated lines into a pipe."""
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(row))
        return
    grid = Table(
        title=title, title_justify="left", header_style="bold", box=None, pad_edge=False, show_header=any(columns)
    )
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*map(escape, row))
    out().print(grid)


def moment(seconds: float) -> str:
    """Spell a time as people read it."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))


def short(revision: str) -> str:
    """Give as much of a revision as a person compares; a pipe gets all of it."""
    return revision[:19] if sys.stdout.isatty() else revision


def verdict(allowed: bool) -> str:
    """Color a yes or a no."""
    return "[bold green]allowed[/]" if allowed else "[bold red]denied[/]"
