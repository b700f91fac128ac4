"""`authz-sidecar policy push` and `pull`: between files and the database that a fleet shares."""

import asyncio
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, complain, config_option, dump, say, warn
from authz_sidecar.errors import ConfigError, PolicyProblems

_SHOWN = 20


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option(
    "--require-no-new-grants", "closed", is_flag=True, help="Push only when nobody can do what they could not."
)
@config_option
@as_json
def push(directory: Path, closed: bool, config_path: Path, json_: bool) -> int:
    """Put the policy of DIRECTORY into the configured database, checked and in one transaction.

    Every sidecar that shares the database takes it within two seconds. Exits with 1 when the policy is refused; then
    nothing has changed. An edit that loses most of the rows is confirmed on each sidecar, as always.
    """
    from authz_sidecar import configfile
    from authz_sidecar.app import sharing, sourcing

    config = configfile.load(config_path)
    sourcing.database(config)
    parcel = asyncio.run(sharing.pack(config, directory))
    for warning in () if json_ else parcel.report.warnings:
        warn(str(warning))
    try:
        done = sharing.put(config, parcel, closed=closed)
    except sharing.NewGrants as error:
        return _refused(error, json_=json_)
    if json_:
        dump({"ok": True, "added": done.added, "removed": done.removed, "kept": done.kept,
              "files": list(done.files), "version": done.version})  # fmt: skip
        return YES
    files = f", new files: {', '.join(done.files)}" if done.files else ""
    say(f"[green]pushed[/]  {done.added} rows added, {done.removed} removed, {done.kept} kept{files}")
    return YES


def _refused(error: Any, *, json_: bool) -> int:
    grants = [f"{one.name.label} could {one.target.method} {one.target.label}" for one in error.found]
    if json_:
        dump({"ok": False, "new_grants": grants, "unsaid": error.unsaid})
    for grant in () if json_ else grants[:_SHOWN]:
        complain(grant)
    why = (
        f"{len(grants)} new grants, and none are wanted"
        if grants
        else f"new grants cannot be ruled out: {error.unsaid}"
    )
    complain(f"{why}; nothing has changed")
    return ANSWERED_NO


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.option("--force", is_flag=True, help="Overwrite files that are there.")
@config_option
@as_json
def pull(directory: Path, force: bool, config_path: Path, json_: bool) -> int:
    """Write the policy of the configured database into DIRECTORY, as files that `push` takes.

    Notes between the rows are not kept in a database. Exits with 1 when the rows have problems; they are written, so
    that they can be mended.
    """
    from authz_sidecar import configfile
    from authz_sidecar.app import examine, sharing

    config = configfile.load(config_path)
    files = asyncio.run(sharing.pull(config))
    there = sorted(name for name in files if (directory / name).exists())
    if there and not force:
        raise ConfigError(f"{directory}: {', '.join(there)} would be overwritten; name another directory, or --force")
    directory.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (directory / name).write_bytes(data)
    report = asyncio.run(examine(config, directory))
    if json_:
        dump({"ok": not report.problems, "written": sorted(files), "problems": [str(one) for one in report.problems]})
    else:
        for name in sorted(files):
            say(f"[green]wrote[/]  {escape(str(directory / name))}")
    if report.problems and not json_:
        raise PolicyProblems(report.problems)
    return ANSWERED_NO if report.problems else YES
