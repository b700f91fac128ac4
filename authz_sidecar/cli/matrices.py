"""`authz-sidecar policy matrix`: names times calls, as a table, CSV, JSON or a page."""

import asyncio
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from authz_sidecar.cli.asking import granted
from authz_sidecar.cli.opened import opened, tell_unsaid
from authz_sidecar.cli.show import YES, as_json, config_option, dump, out, say, table

_FORMATS = click.Choice(["table", "csv", "html", "json"])
_WHO = {"roles": ("role:", "group:"), "users": ("user:",), "clients": ("client:", "agent:"), "all": ()}
_MOST_COLUMNS = 8


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), required=False)
@click.option("--who", type=click.Choice(list(_WHO)), default="all", show_default=True, help="Whose columns.")
@click.option("--server", "servers", multiple=True, help="Only this MCP server; repeat.")
@click.option("--format", "form", type=_FORMATS, default="table", show_default=True, help="How to print.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write into this file.")
@config_option
@as_json
def matrix(
    directory: Path | None,
    who: str,
    servers: tuple[str, ...],
    form: str,
    output: Path | None,
    config_path: Path,
    json_: bool,
) -> int:
    """Show who may do what by the policy in DIRECTORY (default: the configured one).

    `csv` can be kept as matrix.csv beside the policy: a test that nothing changes unseen. `html` is one page without
    anything from outside, to read, print or send.

    Example: authz-sidecar policy matrix --format html --output matrix.html
    """
    study = opened(config_path, directory)
    found = asyncio.run(study.matrix(servers=frozenset(servers), kinds=frozenset(_WHO[who])))
    tell_unsaid(study.unsaid)
    form = "json" if json_ else form
    if form == "table" and output is None:
        _print(found)
    elif form == "json" and output is None:
        dump(_as_json(found))
    else:
        _write(_text(found, form, study), output)
    return YES


def _text(found: Any, form: str, study: Any) -> str:
    import json

    from authz_sidecar.policy.matrix import as_csv
    from authz_sidecar.policy.page import page

    if form == "html":
        return page(found, title=study.place, revision=study.policy.revision)
    if form == "json":
        return json.dumps(_as_json(found), ensure_ascii=False, indent=2) + "\n"
    return "".join(f"{line}\n" for line in as_csv(found))


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
        return
    output.write_text(text, "utf-8")
    say(f"[green]wrote[/]  {output}")


def _as_json(found: Any) -> list[dict[str, object]]:
    return [{**granted(grant), "allowed": grant.permitted} for target in found.targets for grant in found.of(target)]


def _print(found: Any) -> None:
    targets = [target for target in found.targets if found.telling(target)]
    if not sys.stdout.isatty():
        _piped(found, targets)
        return
    for server, called in groupby(targets, key=lambda one: one.server):
        say(f"[bold]{escape(server)}[/]")
        rows = tuple(called)
        spoken = {grant.name for target in rows for grant in found.of(target)}
        names = [name for name in found.names if name in spoken]
        wide = [("method", "tool", *map(_head, names))]
        wide += [(*_call(one)[1:], *(_cell(found.at(name, one), short=True) for name in names)) for one in rows]
        if _width(wide) <= out().width:
            table(wide[0], wide[1:])
        else:
            table(("method", "tool", "who"), [(*_call(one)[1:], _all(found, one)) for one in rows])
        say("")


def _width(rows: list[tuple[str, ...]]) -> int:
    """Give the columns of a terminal that the rows need; a name that is broken in two is hard to read."""
    return sum(max(map(len, column)) + 2 for column in zip(*rows, strict=True))


def _piped(found: Any, targets: list[Any]) -> None:
    """Print with a head, which tables in a pipe do without: here nobody could tell the columns apart."""
    head: tuple[str, ...] = ("server", "method", "tool")
    rows: list[tuple[str, ...]]
    if len(found.names) > _MOST_COLUMNS:
        rows = [(*head, "who"), *((*_call(one), _all(found, one)) for one in targets)]
    else:
        rows = [(*head, *map(_head, found.names))]
        rows += [(*_call(one), *(_cell(found.at(name, one)) for name in found.names)) for one in targets]
    table((), rows)


def _head(name: Any) -> str:
    return f"{name.label} (any other)" if name.more else str(name.label)


def _all(found: Any, target: Any) -> str:
    return ", ".join(_told(grant) for grant in found.of(target))


def _call(target: Any) -> tuple[str, str, str]:
    return target.server, target.method, f"{target.label} (any other)" if target.more else target.label


def _cell(grant: Any, *, short: bool = False) -> str:
    if grant is None:
        return "-"
    if not grant.permitted:
        return "no"
    terms = [*(["scope"] if short and grant.scopes else grant.scopes)]
    terms += ["a condition"] if grant.when or grant.unless else []
    return f"with {' '.join(terms)}" if terms else "yes"


def _told(grant: Any) -> str:
    cell = _cell(grant)
    return grant.name.label if cell == "yes" else f"{grant.name.label} ({cell})"
