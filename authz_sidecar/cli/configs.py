"""`authz-sidecar config`: look at the configuration before it runs."""

import asyncio
import json
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from authz_sidecar.cli.grouped import Group
from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, complain, config_option, dump, say, warn


@click.group(cls=Group)
def config() -> None:
    """Look at the configuration."""


@config.command("check")
@click.option("--show", is_flag=True, help="Print every value of each issuer, and what its preset filled in.")
@config_option
@as_json
def check(show: bool, config_path: Path, json_: bool) -> int:
    """Read the configuration, the keys and the policy as `serve` would, and say everything that is wrong."""
    from authz_sidecar import app, configfile

    loaded = configfile.load(config_path)
    if show and not json_:
        for issuer in loaded.issuers:
            _show(issuer)
    report = asyncio.run(app.rehearse(loaded))
    if json_:
        dump(
            {
                "ok": not report.problems,
                "problems": [str(problem) for problem in report.problems],
                "warnings": [str(problem) for problem in report.warnings],
                "revision": report.revision,
            }
            | ({"issuers": [_shown(issuer) for issuer in loaded.issuers]} if show else {})
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


def _shown(issuer: Any) -> dict[str, object]:
    """Give every value of an issuer, with the names of those that its preset filled in, and what deserves a look."""
    from authz_sidecar.tokens import presets

    values = issuer.model_dump(mode="json")
    name = values["preset"]
    filled = presets.filled(name, issuer.issuer) if name else {}
    return {
        "values": values,
        "from_preset": sorted(key for key, value in filled.items() if value == values[key]),
        "audience": presets.AUDIENCE.get(name or "", ""),
        "remarks": list(presets.remarks(values)),
    }


def _show(issuer: Any) -> None:
    found: Any = _shown(issuer)
    say(f"[bold]issuer {escape(issuer.alias)}[/]")
    first = ("preset", "alias", "issuer")
    for key in (*first, *(key for key in found["values"] if key not in first)):
        value = found["values"][key]
        if value not in (None, "", [], {}, False) or key in found["from_preset"]:
            origin = f"  [dim]preset {escape(str(issuer.preset))}[/]" if key in found["from_preset"] else ""
            say(f"  {key:24}  {escape(json.dumps(value, ensure_ascii=False))}{origin}")
    if found["audience"]:
        say(f"  [dim]`aud` is {escape(found['audience'])}[/]")
    for remark in found["remarks"]:
        warn(remark)
