"""`authz-sidecar policy explain`, `who-can` and `what-can`: why, and who."""

import asyncio
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from authz_sidecar.cli.asks import read_token
from authz_sidecar.cli.opened import opened, policy_option, ref, server_option, tell_unsaid
from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, config_option, dump, say, table, verdict, warn
from authz_sidecar.errors import TokenError

_LISTED = 15


@click.command()
@click.argument("method")
@click.argument("tool", default="")
@click.option("--subject", "subjects", multiple=True, metavar="NAME", help="Who asks: user:alice, role:x, …; repeat.")
@click.option("--scope", "scopes", multiple=True, help="A scope of the token; repeat.")
@click.option("--token-file", metavar="FILE|-", help="Take subjects and scopes from a token, verified as usual.")
@click.option("--arguments", default="", metavar="JSON", help="The arguments of the call, for conditions.")
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
    everything: bool,
    server: str,
    directory: Path | None,
    config_path: Path,
    json_: bool,
) -> int:
    """Explain, on the files alone, why somebody may or may not do METHOD on TOOL.

    Shows every row that names the caller or the call, how each role is held, what decided, and for a no the one thing
    that is missing. Exits with 0 when allowed and 1 when denied.

    Example: authz-sidecar policy explain --subject user:alice tools/call create_ticket
    """
    from authz_sidecar import configfile
    from authz_sidecar.app import study

    if bool(subjects) == bool(token_file):
        raise click.UsageError("name the caller, either by --subject or by --token-file")
    policy = opened(config_path, directory)
    if token_file:
        try:
            config = configfile.load(config_path)
            who = asyncio.run(study.whose(config, read_token(token_file), server))
        except TokenError as error:
            return _no_caller(error, json_=json_)
    else:
        who = study.named(subjects, scopes)
    found = asyncio.run(policy.explain(who, server, method, tool, arguments.encode(errors="surrogateescape")))
    if json_:
        dump(_explained(found))
    else:
        _print(found, everything=everything)
    return YES if found.decision.allowed else ANSWERED_NO


def _no_caller(error: TokenError, *, json_: bool) -> int:
    if json_:
        dump({"allowed": False, "reason": error.reason.value, "detail": str(error)})
    else:
        say(f"{verdict(False)}  [dim]because[/] {error.reason.value}: {escape(str(error))}")
    return ANSWERED_NO


def _explained(found: Any) -> dict[str, object]:
    return {
        "allowed": found.decision.allowed,
        "reason": found.decision.reason.value,
        "server": found.server,
        "method": found.question.method,
        "tool": found.question.tool,
        "subjects": list(found.principal.subjects),
        "scopes": sorted(found.principal.scopes),
        "required_scopes": list(found.decision.required_scopes),
        "held": [{"name": name, "by": [ref(row) for row in path]} for name, path in found.held.items()],
        "considered": [
            {**ref(one.rule), "effect": one.rule.effect.value, "decides": one.decides, "missing": list(one.missing)}
            for one in found.considered
        ],
        "miss": None
        if found.miss is None
        else {
            "missing": found.miss.missing,
            "advice": found.miss.advice,
            "rule": None if found.miss.rule is None else ref(found.miss.rule),
        },
    }


def _print(found: Any, *, everything: bool) -> None:
    decision, question = found.decision, found.question
    asked = escape(f"{question.method} {question.tool}".rstrip())
    say(f"{verdict(decision.allowed)}  {asked}  [dim]on[/] {escape(found.server)}  [dim]because[/] {decision.reason}")
    if found.miss is not None:
        at = f"  [dim]{escape(_at(found.miss.rule))}[/]" if found.miss.rule is not None else ""
        say(f"  missing   {escape(found.miss.advice)}{at}")
    if decision.required_scopes:
        say(f"  scopes    {escape(' '.join(decision.required_scopes))}")
    say("")
    table(("holds", "by way of"), [(name, way(path)) for name, path in found.held.items()])
    if not found.considered:
        return
    say("")
    shown = found.considered if everything else found.considered[:_LISTED]
    rows = [(_at(one.rule), _why(one), one.rule.text) for one in shown]
    table(("row", "verdict", ""), rows)
    if len(shown) < len(found.considered):
        say(f"[dim]… and {len(found.considered) - len(shown)} more that miss by more, see --all[/]")


def _why(one: Any) -> str:
    if one.decides:
        return f"{one.rule.effect.value}s it"
    if one.matches:
        return "its condition does not hold" if one.rule.when is not None else "speaks, does not decide"
    return f"other {', '.join(one.missing)}"


def _at(rule: Any) -> str:
    return f"{rule.source}:{rule.line}"


def way(path: Any) -> str:
    """Spell how a role is held: `user:alice -> role:support (line 41) -> …`."""
    if not path:
        return "itself"
    steps = "".join(f" -> {row.role} (line {row.line})" for row in path)
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
