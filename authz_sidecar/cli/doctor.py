"""`authz-sidecar doctor`: look at everything, and say what to do."""

import asyncio
import time
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from authz_sidecar.cli import client
from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, config_option, dump, say
from authz_sidecar.errors import AuthzError, ConfigError
from authz_sidecar.wire import authz_pb2 as pb


@click.command()
@config_option
@as_json
def doctor(config_path: Path, json_: bool) -> int:
    """Check configuration, issuers, clocks, keys, certificates, policy, sockets, log and the running sidecar.

    Each is ok, warn or fail, with what to do. Exits with 1 when something fails.
    """
    found = _findings(config_path)
    well = not any(one.health == "fail" for one in found)
    if json_:
        dump(
            {
                "ok": well,
                "checks": [
                    {"check": one.about, "outcome": str(one.health), "sentence": one.sentence, "advice": one.advice}
                    for one in found
                ],
            }
        )
    else:
        _print(found)
    return YES if well else ANSWERED_NO


def _findings(config_path: Path) -> list[Any]:
    from authz_sidecar import configfile
    from authz_sidecar.app.checkup import checkup
    from authz_sidecar.app.finding import fail, ok

    try:
        config = configfile.load(config_path)
    except ConfigError as error:
        return [fail("configuration", line, "see docs/configuration.md") for line in str(error).splitlines()]
    first = ok("configuration", f"{config_path} can be read")
    return [first, *asyncio.run(checkup(config, time.time)), *_running(config_path)]


def _running(config_path: Path) -> list[Any]:
    """Ask the sidecar, if it runs, how it is."""
    from authz_sidecar.app.finding import fail, ok, warn

    try:
        with client.admin(client.admin_target(config_path)) as stub:
            found: Any = stub.GetStatus(pb.GetStatusRequest(), timeout=client.DEADLINE_SECONDS)
    except ConfigError as error:
        return [fail("sidecar", str(error), "nothing is sent there until that is mended")]
    except client.Unanswering as error:
        return [
            fail("sidecar", str(error), "look at its log, and start it anew: nobody is let through until it answers")
        ]
    except AuthzError as error:
        return [warn("sidecar", str(error), "start it: `authz-sidecar serve`")]
    if not found.ready:
        return [
            fail("sidecar", "it runs and has no policy, so nobody is let through", "see `authz-sidecar policy status`")
        ]
    if found.stale:
        return [
            warn("sidecar", "it answers by the last good policy", "mend the edit; see `authz-sidecar policy status`")
        ]
    return [ok("sidecar", f"{found.version} answers since {found.started_at.ToJsonString()}")]


def _print(found: list[Any]) -> None:
    marks = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[bold red]fail[/]"}
    width = max(len(one.about) for one in found)
    for one in found:
        say(f"{marks[one.health]}  {escape(one.about.ljust(width))}  {escape(one.sentence)}")
        if one.advice:
            say(f"{' ' * (width + 8)}[dim]→[/] {escape(one.advice)}")
