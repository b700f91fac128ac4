"""`authz-sidecar policy lint` and `policy fmt`: what is wrong or odd in the files, and how they are laid out."""

import asyncio
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from authz_sidecar import __version__
from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, complain, config_option, dump, say, warn
from authz_sidecar.errors import ConfigError

_FORMATS = click.Choice(["text", "json", "sarif", "github"])


def examined(config_path: Path, directory: Path | None) -> Any:
    """Look at a policy directory as a load would."""
    from authz_sidecar import app, configfile

    return asyncio.run(app.examine(configfile.load(config_path), directory))


def problems_json(report: Any) -> dict[str, list[dict[str, object]]]:
    """Give problems and warnings for JSON."""
    return {
        kind: [
            {"file": item.file, "line": item.line, "column": item.column, "code": item.code, "message": item.message}
            for item in getattr(report, kind)
        ]
        for kind in ("problems", "warnings")
    }


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--fix", "mend", is_flag=True, help="Mend what has one meaning: other case, rows said twice.")
@click.option("--format", "form", type=_FORMATS, default="text", show_default=True, help="How to print.")
@config_option
@as_json
def lint(directory: Path | None, mend: bool, form: str, config_path: Path, json_: bool) -> int:
    """Find every mistake in the policy files of DIRECTORY (default: the configured one), each with file:line:column.

    Errors keep a policy from loading. Warnings are legal but surely not meant: a row that can never match or that
    another row makes idle, a role that nobody has, a tool that no server offers (as recorded in tools.json).
    Nothing that runs is touched, but a running sidecar takes up what --fix writes. Exits with 1 when there are
    errors; warnings alone exit with 0.
    """
    fixes = _fixed(config_path, directory) if mend else ()
    report = examined(config_path, directory)
    form = "json" if json_ else form
    if form == "json":
        dump(
            {
                "ok": not report.problems,
                **problems_json(report),
                "fixed": [str(one) for one in fixes],
                "revision": report.revision,
            }
        )
    elif form != "text":
        _print_for_programs(report, form, _place(config_path, directory))
    else:
        _print(report, fixes)
    return ANSWERED_NO if report.problems else YES


def _print(report: Any, fixes: tuple[Any, ...]) -> None:
    for one in fixes:
        say(f"[green]mended[/] {escape(str(one))}")
    for problem in report.problems:
        complain(str(problem))
    for warning in report.warnings:
        warn(f"{warning} [{warning.code}]")
    if report.problems:
        say(f"[red]{_counted(report.problems)} to mend[/]; a running sidecar would keep its last good policy")
    else:
        plural = "" if len(report.warnings) == 1 else "s"
        odd = f", {_counted(report.warnings)} warning{plural}" if report.warnings else ""
        say(f"[green]ok[/]  {escape(report.summary)}{odd}")


def _counted(found: Any) -> str:
    """Count them; where not all are listed, the last one says how many more there are."""
    listed = found[-1].code != "more"
    return str(len(found)) if listed else f"more than {len(found) - 1:,}"


def _print_for_programs(report: Any, form: str, directory: str) -> None:
    from authz_sidecar.policy import sarif

    if form == "sarif":
        dump(sarif.sarif(report.problems, report.warnings, version=__version__, directory=directory))
        return
    for line in sarif.annotations(report.problems, report.warnings, directory=directory):
        click.echo(line)


def _where(config_path: Path, directory: Path | None) -> Path:
    from authz_sidecar import configfile

    if directory is not None:
        return directory
    config = configfile.load(config_path)
    return config.at(config.policy.path)


def _place(config_path: Path, directory: Path | None) -> str:
    """Say what stands before the names of files; the rows of a database lie in no directory."""
    from authz_sidecar import configfile

    if directory is None and configfile.load(config_path).policy.database:
        return ""
    return _shown(_where(config_path, directory))


def _shown(directory: Path) -> str:
    """Spell a directory as seen from here, as annotations want it."""
    here = Path.cwd()
    whole = directory.resolve()
    return whole.relative_to(here).as_posix() if whole.is_relative_to(here) else whole.as_posix()


def _fixed(config_path: Path, directory: Path | None) -> tuple[Any, ...]:
    from authz_sidecar import configfile
    from authz_sidecar.policy import files
    from authz_sidecar.policy.fix import fix, mendable

    if directory is None and configfile.load(config_path).policy.database:
        raise ConfigError("the rows stand in a database; name the directory to mend, or `policy pull` it first")
    where = _where(config_path, directory)
    prefixed = configfile.load(config_path).policy.subjects == "prefixed"
    found = files.read(where)
    if not mendable(found):
        warn("model.conf is not the model that `init` writes: --fix mends nothing by another one")
    changed, done = fix(found, prefixed=prefixed)
    _write(where, changed)
    return done


def _write(directory: Path, changed: Mapping[str, bytes]) -> None:
    """Replace files as a whole, each with its mode; a link stays one. Raises `OSError`."""
    for name, data in changed.items():
        path = (directory / name).resolve()
        handle, fresh = tempfile.mkstemp(prefix=f".{name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(fresh).chmod(path.stat().st_mode & 0o7777)
            Path(fresh).replace(path)
        except OSError:
            Path(fresh).unlink(missing_ok=True)
            raise


@click.command("fmt")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--check", is_flag=True, help="Change nothing; exit with 1 when a file is not aligned.")
@config_option
@as_json
def fmt(directory: Path | None, check: bool, config_path: Path, json_: bool) -> int:
    """Align the columns of the policy files in DIRECTORY (default: the configured one).

    Comments, order and meaning stay as they are; rows with a mistake are not touched.
    """
    from authz_sidecar import configfile
    from authz_sidecar.policy import files
    from authz_sidecar.policy.fmt import fmt_all

    if directory is None and configfile.load(config_path).policy.database:
        raise ConfigError("the rows stand in a database; name the directory to align, or `policy pull` it first")
    where = _where(config_path, directory)
    changed = fmt_all(files.read(where))
    if not check:
        _write(where, changed)
    if json_:
        dump({"ok": not changed or not check, "changed": sorted(changed)})
    for name in () if json_ else sorted(changed):
        say(f"[yellow]not aligned[/]  {escape(name)}" if check else f"[green]aligned[/]  {escape(name)}")
    if not changed and not json_:
        say("[green]ok[/]  all columns are aligned")
    return ANSWERED_NO if changed and check else YES
