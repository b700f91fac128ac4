"""What `--help` says is whole: each command's sentence to its end, and a word for every option."""

from collections.abc import Iterator
from typing import Any

import click
import pytest

from authz_sidecar.cli.root import cli as sidecar
from mcp_adapter.cli import cli as adapter


def everything() -> list[Any]:
    return [
        pytest.param(found, id=path)
        for command, name in ((sidecar, "authz-sidecar"), (adapter, "mcp-authz"))
        for path, found in below(command, name)
    ]


def below(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, one in command.commands.items():
            yield from below(one, f"{path} {name}")


def shown(command: click.Command) -> str:
    return command.get_help(click.Context(command, info_name="x", terminal_width=80))


@pytest.mark.parametrize("command", everything())
def test_no_sentence_of_a_list_is_cut_short(command: click.Command) -> None:
    assert [line for line in shown(command).splitlines() if line.endswith("...") and "Usage:" not in line] == []


@pytest.mark.parametrize("command", everything())
def test_every_option_says_what_it_is_for(command: click.Command) -> None:
    assert [one.name for one in command.params if isinstance(one, click.Option) and not one.help] == []


@pytest.mark.parametrize("command", everything())
def test_help_fits_the_window(command: click.Command) -> None:
    assert [line for line in shown(command).splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("command", everything())
def test_an_example_can_be_copied_in_one_line(command: click.Command) -> None:
    examples = [line.strip() for line in (command.help or "").splitlines() if line.strip().startswith("Example: ")]
    assert [line for line in examples if line not in map(str.strip, shown(command).splitlines())] == []
