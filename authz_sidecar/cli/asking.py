"""`authz-sidecar policy who-can` and `what-can`: who, and what."""

import asyncio
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from authz_sidecar.cli.opened import opened, policy_option, ref, server_option, tell_unsaid
from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, config_option, dump, say, table, warn

_LISTED = 15


def way(path: Any) -> str:
    """Spell how a role is held: `user:alice -> role:support (policy.csv:41) -> …`."""
    if not path:
        return "itself"
    steps = "".join(f" -> {row.role} ({row.source}:{row.line})" for row in path)
    return f"{path[0].member}{steps}"


@click.command("who-can")
@click.argument("method")
@click.argument("tool", default="")
@server_option
@policy_option
@config_option
@as_json
def who_can(method: str, tool: str, server: str, directory: Path | None, config_path: Path, json_: bool) -> int:
    """Say who may do METHOD on TOOL: every name of the policy, and how it comes by it.

    A token can carry more names than the policy knows; those get what the rows for `*` and `user:*` give.
    Exits with 1 when nobody may.

    Example: authz-sidecar policy who-can tools/call delete_ticket
    """
    policy = opened(config_path, directory)
    found = asyncio.run(policy.who_can(server, method, tool))
    tell_unsaid(policy.unsaid)
    may = [grant for grant in found if grant.permitted]
    if json_:
        dump([granted(grant) for grant in may])
        return YES if may else ANSWERED_NO
    rows = [(_name(grant), _terms(grant), way(grant.path), _rows(grant)) for grant in may]
    if not rows:
        say(f"[bold red]nobody[/] may do {escape(method)} {escape(tool)}".rstrip())
        return ANSWERED_NO
    table(("who", "needs", "by way of", "rows"), rows)
    denied = [grant.name.label for grant in found if grant.decision.reason == "denied_by_rule"]
    if denied:
        more = f" and {len(denied) - _LISTED} more" if len(denied) > _LISTED else ""
        warn(f"locked out by a deny row, whatever else they hold: {', '.join(denied[:_LISTED])}{more}")
    _tell_more(grant.name.more for grant in may)
    return YES


@click.command("what-can")
@click.argument("subjects", nargs=-1, required=True, metavar="SUBJECT...")
@policy_option
@config_option
@as_json
def what_can(subjects: tuple[str, ...], directory: Path | None, config_path: Path, json_: bool) -> int:
    """Say what SUBJECT may do; several names are one caller that has them all.

    Tools are those that the policy and tools.json name; a pattern stands for every other name that begins so.
    Exits with 1 when that is nothing.

    Example: authz-sidecar policy what-can user:alice role:support
    """
    policy = opened(config_path, directory)
    may = [grant for grant in asyncio.run(policy.what_can(subjects)) if grant.permitted]
    tell_unsaid(policy.unsaid)
    if json_:
        dump([granted(grant) for grant in may])
        return YES if may else ANSWERED_NO
    rows = [
        (grant.target.server, grant.target.method, _label(grant), _terms(grant), way(grant.path), _rows(grant))
        for grant in may
    ]
    if not rows:
        say(f"{escape(' '.join(subjects))} may do [bold red]nothing[/]")
        return ANSWERED_NO
    table(("server", "method", "tool", "needs", "by way of", "rows"), rows)
    _tell_more(grant.target.more for grant in may)
    return YES


def _terms(grant: Any) -> str:
    """Say what a right hangs on."""
    parts = [f"scope {scope}" for scope in grant.scopes]
    parts += [f"when {' or '.join(grant.when)}"] if grant.when else []
    parts += [f"unless {' or '.join(grant.unless)}"] if grant.unless else []
    return ", ".join(parts)


def _tell_more(more: Any) -> None:
    if any(more):
        warn("a pattern stands for every name that begins so and that no other row here names")


def _name(grant: Any) -> str:
    return f"{grant.name.label} (any other)" if grant.name.more else grant.name.label


def _label(grant: Any) -> str:
    return f"{grant.target.label} (any other)" if grant.target.more else grant.target.label


def _rows(grant: Any) -> str:
    return ", ".join(f"{rule.source}:{rule.line}" for rule in grant.decision.rules)


def granted(grant: Any) -> dict[str, object]:
    """Give an answer for JSON."""
    return {
        "who": grant.name.label,
        "who_is_pattern": grant.name.more,
        "server": grant.target.server,
        "method": grant.target.method,
        "tool": grant.target.label,
        "tool_is_pattern": grant.target.more,
        "required_scopes": list(grant.scopes),
        "when": list(grant.when),
        "unless": list(grant.unless),
        "by": [ref(row) for row in grant.path],
        "rules": [{"file": rule.source, "line": rule.line, "text": rule.text} for rule in grant.decision.rules],
    }
