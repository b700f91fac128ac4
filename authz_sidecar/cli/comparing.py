"""`authz-sidecar policy diff`, `replay` and `suggest`: an edit before it goes live."""

import asyncio
from pathlib import Path
from typing import Any

import click

from authz_sidecar.cli.opened import opened, placed, policy_option, read_log, tell_unsaid
from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, complain, config_option, dump, say, table, warn

_PLACE = click.Path(path_type=Path, exists=True, allow_dash=True)
_NAMED = 5
_no_new_grants = click.option(
    "--require-no-new-grants", "closed", is_flag=True, help="Exit with 1 when somebody could do what they could not."
)
_log_option = click.option("--log", "log", required=True, metavar="FILE|-", help="The decision log, `decisions.jsonl`.")


@click.command()
@click.argument("old", metavar="OLD|-", type=_PLACE)
@click.argument("new", metavar="NEW|-", type=_PLACE)
@_no_new_grants
@config_option
@as_json
def diff(old: Path, new: Path, closed: bool, config_path: Path, json_: bool) -> int:
    """Say who gains and who loses which call when the policy in NEW follows the one in OLD.

    It compares what the policies mean, not their text; both must load. Each is a directory; or a file, or - for
    standard input, that stands for the one of its name in the configured policy, or else for policy.csv.

    Example: git show @:policies/policy.csv | authz-sidecar policy diff - policies
    """
    if old == new == Path("-"):
        raise click.UsageError("only one of the two can be standard input")
    before, after = placed(config_path, old), placed(config_path, new)
    found = asyncio.run(after.against(before))
    opens = [one for one in found if one.change.opens]
    unproved = after.unproved(before)
    refused = closed and bool(opens or unproved)
    if json_:
        dump({"ok": not refused, "unsaid": unproved, "changes": [_difference(one) for one in found]})
    elif found:
        table(("", "who", "server", "method", "tool", "needs", "also"), [_row(one) for one in found])
    else:
        say("[green]ok[/]  nobody gains or loses anything" + (" that could be asked about" if unproved else ""))
    tell_unsaid(unproved)
    if closed and opens and not json_:
        complain(f"{len(opens)} new grants, and none are wanted")
    elif refused and not json_:
        complain("that there are no new grants cannot be shown for rows that only an engine reads")
    return ANSWERED_NO if refused else YES


def _row(one: Any) -> tuple[str, ...]:
    scopes = " ".join(one.after.scopes)
    if one.change.value.startswith("needs"):
        scopes = f"{' '.join(one.before.scopes) or 'none'} -> {scopes or 'none'}"
    if one.before.when != one.after.when:
        scopes = f"{scopes} when {' or '.join(one.after.when) or 'always'}".strip()
    also = ", ".join(one.also[:_NAMED]) + (f" and {len(one.also) - _NAMED} more" if len(one.also) > _NAMED else "")
    mark = "+" if one.change.opens else "-"
    words = one.change.value.replace("_", " ")
    return (
        f"{mark} {words}", one.name.label, one.target.server, one.target.method, one.target.label, scopes, also,
    )  # fmt: skip


def _difference(one: Any) -> dict[str, object]:
    return {
        "change": one.change.value,
        "who": one.name.label,
        "also": list(one.also),
        "server": one.target.server,
        "method": one.target.method,
        "tool": one.target.label,
        "scopes_before": list(one.before.scopes),
        "scopes_after": list(one.after.scopes),
        "when_before": list(one.before.when),
        "when_after": list(one.after.when),
        "unless_before": list(one.before.unless),
        "unless_after": list(one.after.unless),
    }


@click.command()
@click.argument("new", type=_PLACE)
@_log_option
@_no_new_grants
@config_option
@as_json
def replay(new: Path, log: str, closed: bool, config_path: Path, json_: bool) -> int:
    """Ask the policy in NEW every question of a decision log, and show the answers that would be other ones.

    NEW is a directory, or a file that stands for the one of its name in the configured policy.

    Example: authz-sidecar policy replay next --log var/audit/decisions.jsonl
    """
    past = read_log(log)
    found = sorted(
        asyncio.run(placed(config_path, new).replay(past)),
        key=lambda one: (bool(one.hangs_on), not one.opens, -one.times),
    )
    opens = [one for one in found if one.opens]
    changed = [one for one in found if not one.hangs_on]
    if json_:
        dump(
            {
                "ok": not (closed and opens),
                "questions": past.asked.total(),
                "distinct": len(past.asked),
                "not_told": past.untold,
                "unverified": past.unverified,
                "conditional": past.conditional,
                "changes": [_changed(one) for one in changed],
                "undecided": [_changed(one) | {"hangs_on": list(one.hangs_on)} for one in found if one.hangs_on],
            }
        )
        return ANSWERED_NO if closed and opens else YES
    if found:
        table(("", "who", "server", "method", "tool", "was", "would be", "times", "last"), map(_replayed, found))
    say(
        f"{'' if found else '[green]ok[/]  '}{len(changed)} of {len(past.asked)} different questions would be answered "
        f"otherwise, {sum(one.times for one in changed)} of {past.asked.total()} in all"
    )
    if past.untold:
        warn(f"{past.untold} allowed entries of lists are not told apart in the log, and were not asked again")
    if past.conditional:
        warn(f"{past.conditional} questions hang on arguments, claims or the time, which the log does not keep")
    if closed and opens:
        complain(f"{len(opens)} new grants, and none are wanted")
    return ANSWERED_NO if closed and opens else YES


def _replayed(one: Any) -> tuple[str, ...]:
    mark = "+ opens" if one.opens else "- closes" if one.closes else "? unknown" if one.hangs_on else "other reason"
    asked = one.asked
    who = next((name for name in asked.subjects if name.startswith("user:")), " ".join(asked.subjects))
    was = asked.reason or "denied"
    after = f"hangs on {'; '.join(one.hangs_on)}" if one.hangs_on else one.after.reason.value
    return (
        mark, who, asked.server, asked.method, asked.tool, was, after, str(one.times), one.last_time,
    )  # fmt: skip


def _changed(one: Any) -> dict[str, object]:
    asked = one.asked
    return {
        "subjects": list(asked.subjects),
        "scopes": list(asked.scopes),
        "server": asked.server,
        "method": asked.method,
        "tool": asked.tool,
        "was": {"allowed": asked.allowed, "reason": asked.reason},
        "would_be": {"allowed": one.after.allowed, "reason": one.after.reason.value},
        "times": one.times,
        "last_time": one.last_time,
        "decision_id": one.decision_id,
    }


@click.command()
@_log_option
@click.option("--by-user", is_flag=True, help="Name the callers that were seen instead of their roles.")
@policy_option
@config_option
@as_json
def suggest(log: str, by_user: bool, directory: Path | None, config_path: Path, json_: bool) -> int:
    """Print rows for what was denied because no row spoke for it, ready to be read and put into policy.csv.

    They name what was seen and nothing else: whole names, no pattern. What a row denies is left alone.

    Example: authz-sidecar policy suggest --log var/audit/decisions.jsonl
    """
    from authz_sidecar.policy.suggest import as_csv

    found = asyncio.run(opened(config_path, directory).suggest(read_log(log), by_user=by_user))
    if found.left_out:
        some = ", ".join(map(_asked, list(found.left_out)[:_NAMED])) + (" …" if len(found.left_out) > _NAMED else "")
        warn(f"left out {found.left_out.total()} denied calls that no row can name: {some}")
    if json_:
        dump([{"row": one.row, "subject": one.subject, "seen": dict(one.seen)} for one in found.rows])
        return YES
    if found.rows:
        click.echo("# Suggested by what was asked and denied. Read each row before you take it.")
    elif not found.left_out:
        say("# nothing to suggest: no row is missing for what was asked")
    for line in as_csv(found.rows):
        click.echo(line)
    return YES


def _asked(call: Any) -> str:
    """Name a call and who made it, whatever characters they chose."""
    caller = next(iter(call.subjects), "nobody")
    return f"{call.method} {call.tool!r} on {call.server} by {caller!r}"
