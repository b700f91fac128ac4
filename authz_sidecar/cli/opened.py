"""What the commands that ask a policy share: where it lies, and loading it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from authz_sidecar.cli.show import warn

F = TypeVar("F", bound=Callable[..., Any])


def policy_option(command: F) -> F:
    """Add `--policy` to a command."""
    return click.option(
        "--policy",
        "directory",
        type=click.Path(path_type=Path, file_okay=False),
        metavar="DIR",
        help="The policy's directory; default: the configured one.",
    )(command)


def server_option(command: F) -> F:
    """Add `--server` to a command."""
    return click.option("--server", default="", help="The MCP server; may be left out when one is configured.")(command)


def opened(config_path: Path, directory: Path | None) -> Any:
    """Load a policy to ask it; raises `PolicyProblems` and `ConfigError`."""
    from authz_sidecar import configfile
    from authz_sidecar.app import study

    return asyncio.run(study.study(configfile.load(config_path), directory))


def placed(config_path: Path, place: Path) -> Any:
    """Load the policy of a directory, or the configured one with one file instead of its own; `-` is standard input.

    Raises `PolicyProblems` and `ConfigError`.
    """
    if place.is_dir():
        return opened(config_path, place)
    from authz_sidecar import configfile
    from authz_sidecar.app import study

    with click.open_file(str(place), "rb") as file:
        data = file.read()
    return asyncio.run(study.study_with(configfile.load(config_path), str(place), data))


def tell_unsaid(unsaid: str) -> None:
    """Warn of what cannot be told about a policy, on standard error, whatever is printed."""
    if unsaid:
        warn(unsaid)


def read_log(path: str) -> Any:
    """Read a decision log, `-` for standard input; raises `PolicyProblems` and `OSError`."""
    from authz_sidecar.policy import logs

    with click.open_file(path, "rb") as lines:
        return logs.read(path, lines)


def ref(rule: Any) -> dict[str, object]:
    """Give a row for JSON."""
    return {"file": rule.source, "line": rule.line, "text": rule.text}
