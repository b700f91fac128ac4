"""`authz-sidecar policy explain`: why somebody may or may not, by the files or by what is in force."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from authz_sidecar.cli import client
from authz_sidecar.cli.asks import read_token
from authz_sidecar.cli.opened import policy_option, server_option
from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, config_option, dump, say, table, verdict
from authz_sidecar.wire import authz_pb2 as pb

_LISTED = 15


@click.command()
@click.argument("method")
@click.argument("tool", default="")
@click.option("--subject", "subjects", multiple=True, metavar="NAME", help="Who asks: user:alice, role:x, …; repeat.")
@click.option("--scope", "scopes", multiple=True, help="A scope of the token; repeat.")
@click.option("--token-file", metavar="FILE|-", help="Take subjects and scopes from a token, verified as usual.")
@click.option("--arguments", default="", metavar="JSON", help="The arguments of the call, for conditions.")
@click.option("--context", "context", multiple=True, metavar="NAME=VALUE", help="A fact for conditions; repeat.")
@click.option("--sidecar", "running", is_flag=True, help="Ask the running sidecar, by the policy that is in force.")
@click.option("--all", "everything", is_flag=True, help="Show every row considered.")
@server_option
@policy_option
@config_option
@as_json
def explain(
    method: str,
    tool: str,
    subjects: tuple[str, ...],
    scopes: tuple[str, ...],
    token_file: str | None,
    arguments: str,
    context: tuple[str, ...],
    running: bool,
    everything: bool,
    server: str,
    directory: Path | None,
    config_path: Path,
    json_: bool,
) -> int:
    """Explain why somebody may or may not do METHOD on TOOL: by the files, or with --sidecar by what is in force.

    Shows every row that names the caller or the call, how each role is held, what decided, and for a no the one thing
    that is missing. Exits with 0 when allowed and 1 when denied.

    Example: authz-sidecar policy explain --subject user:alice tools/call echo
    """
    if bool(subjects) == bool(token_file):
        raise click.UsageError("name the caller, either by --subject or by --token-file")
    if running and directory is not None:
        raise click.UsageError("--sidecar asks what is in force, and --policy what lies in a directory; name one")
    asked = pb.ExplainRequest(
        server=server,
        method=method,
        tool=tool,
        arguments_json=arguments.encode(errors="surrogateescape"),
        context=_facts(context),
    )
    if token_file:
        asked.token = read_token(token_file)
    else:
        asked.caller.CopyFrom(pb.Caller(subjects=subjects, scopes=scopes))
    found = _ask(asked, config_path) if running else _look(asked, config_path, directory)
    if json_:
        dump(_explained(found, asked))
    else:
        _print(found, asked, everything=everything)
    return YES if found.allowed else ANSWERED_NO


def _facts(given: tuple[str, ...]) -> Mapping[str, str]:
    facts: dict[str, str] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--context {one}: expected NAME=VALUE")
        facts[name] = value
    return facts


def _ask(asked: pb.ExplainRequest, config_path: Path) -> Any:
    with client.admin(client.admin_target(config_path)) as stub:
        return stub.Explain(asked, timeout=client.DEADLINE_SECONDS)


def _look(asked: pb.ExplainRequest, config_path: Path, directory: Path | None) -> Any:
    """Give what a sidecar would say that had loaded the files."""
    from authz_sidecar import configfile
    from authz_sidecar.app import explaining
    from authz_sidecar.server.codec import Limits
    from authz_sidecar.server.explaining import to_asking, to_explanation

    config = configfile.load(config_path)
    return to_explanation(asyncio.run(explaining.offline(config, directory, to_asking(asked, Limits()))))


def _reason(found: Any) -> str:
    return str(pb.Reason.Name(found.reason)).removeprefix("REASON_").lower()


def _explained(found: Any, asked: Any) -> dict[str, object]:
    return {
        "allowed": found.allowed,
        "reason": _reason(found),
        "revision": found.policy_revision,
        "server": found.server,
        "method": asked.method,
        "tool": asked.tool,
        "subjects": list(found.principal.subjects),
        "scopes": list(found.principal.scopes),
        "required_scopes": list(found.required_scopes),
        "rules": [{**_place(rule), "effect": _effect(rule)} for rule in found.rules],
        "held": [{"name": one.name, "by": [_place(row) for row in one.by]} for one in found.held],
        "groups": [{"name": one.name, "by": [_place(row) for row in one.by]} for one in found.groups],
        "considered": [
            {**_place(one.row), "effect": _effect(one.row), "decides": one.decides, "missing": list(one.missing)}
            for one in found.considered
        ],
        "considered_more": found.considered_more,
        "miss": None
        if not found.HasField("miss")
        else {
            "missing": found.miss.missing,
            "advice": found.miss.advice,
            "rule": _place(found.miss.row) if found.miss.HasField("row") else None,
        },
        "detail": found.detail,
    }


def _place(row: Any) -> dict[str, object]:
    return {"file": row.source, "line": row.line, "text": row.text}


def _effect(row: Any) -> str:
    return "allow" if row.allow else "deny"


def _print(found: Any, asked: Any, *, everything: bool) -> None:
    call = escape(f"{asked.method} {asked.tool}".rstrip())
    where = f"  [dim]on[/] {escape(found.server)}" if found.server else ""
    say(f"{verdict(found.allowed)}  {call}{where}  [dim]because[/] {_reason(found)}")
    if found.HasField("miss"):
        at = f"  [dim]{escape(_at(found.miss.row))}[/]" if found.miss.HasField("row") else ""
        say(f"  missing   {escape(found.miss.advice)}{at}")
    if found.required_scopes:
        say(f"  scopes    {escape(' '.join(found.required_scopes))}")
    shown = {_at(one.row) for one in found.considered if one.decides}
    for rule in found.rules:
        if _at(rule) not in shown:  # a policy in an engine's own language, or what every valid token may do
            say(f"  rule      {escape(_at(rule))}  {escape(rule.text)}")
    for names in (found.held, found.groups):
        if names:
            say("")
            table(("holds" if names is found.held else "is in", "by way of"), [(one.name, _way(one)) for one in names])
    if found.considered:
        _print_rows(found, everything=everything)


def _print_rows(found: Any, *, everything: bool) -> None:
    say("")
    rows = found.considered if everything else found.considered[:_LISTED]
    table(("row", "verdict", ""), [(_at(one.row), _why(one), one.row.text) for one in rows])
    more = len(found.considered) - len(rows) + found.considered_more
    if more:
        hint = ", see --all" if len(rows) < len(found.considered) else ""
        say(f"[dim]… and {more} more that miss by more{hint}[/]")


def _why(one: Any) -> str:
    if one.decides:
        return f"{_effect(one.row)}s it".replace("denys", "denies")
    if not one.missing:
        return "its condition does not hold" if one.conditional else "speaks, does not decide"
    return f"other {', '.join(one.missing)}"


def _at(row: Any) -> str:
    return f"{row.source}:{row.line}" if row.line else str(row.source)


def _way(one: Any) -> str:
    from authz_sidecar.cli.asking import way

    return way(one.by)
