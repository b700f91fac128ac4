"""`authz-sidecar config`: look at the configuration before it runs."""

import asyncio
from pathlib import Path

import click
from rich.markup import escape

from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, complain, config_option, dump, say, warn


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command("check")
@config_option
@as_json
def check(config_path: Path, json_: bool) -> int:
    """Read the configuration, the keys and the policy as `serve` would, and say everything that is wrong."""
    from authz_sidecar import app, configfile

    loaded = configfile.load(config_path)
    report = asyncio.run(app.rehearse(loaded))
    if json_:
        dump(
            {
                "ok": not report.problems,
                "problems": [str(problem) for problem in report.problems],
                "warnings": [str(problem) for problem in report.warnings],
                "revision": report.revision,
            }
        )
        return ANSWERED_NO if report.problems else YES
    for problem in report.problems:
        complain(str(problem))
    for warning in report.warnings:
        warn(str(warning))
    if report.problems:
        return ANSWERED_NO
    say(f"[green]ok[/]  {escape(str(config_path))}: {report.summary}")
    return YES
