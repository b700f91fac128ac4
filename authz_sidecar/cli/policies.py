"""`authz-sidecar policy`: check, test and reload what people edit."""

from pathlib import Path
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from rich.markup import escape

from authz_sidecar.cli import asking, client, comparing, importing, linting, matrices, sharing, trials, whys
from authz_sidecar.cli.grouped import Group
from authz_sidecar.cli.show import (
    ANSWERED_NO,
    YES,
    as_json,
    complain,
    config_option,
    dump,
    moment,
    say,
    short,
    table,
    warn,
)
from authz_sidecar.wire import authz_pb2 as pb


@click.group(cls=Group)
def policy() -> None:
    """Check, test and reload the policy."""


for command in (
    linting.lint,
    linting.fmt,
    trials.run_expectations,
    whys.explain,
    asking.who_can,
    asking.what_can,
    matrices.matrix,
    comparing.diff,
    comparing.replay,
    comparing.suggest,
    importing.import_,
    sharing.push,
    sharing.pull,
):
    policy.add_command(command)


@policy.command()
@config_option
@as_json
def status(config_path: Path, json_: bool) -> int:
    """Show what a running sidecar answers by. Exits with 1 when the files on disk are not what is in force."""
    with client.admin(client.admin_target(config_path)) as stub:
        found: Any = stub.GetStatus(pb.GetStatusRequest(), timeout=client.DEADLINE_SECONDS)
    if json_:
        dump(MessageToDict(found, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))
        return YES if found.ready and not found.stale else ANSWERED_NO
    for problem in found.problems:
        complain(_located(problem))
    for warning in found.warnings:
        warn(_located(warning))
    for problem in found.shadow.problems:  # which touches nobody
        warn(f"shadow {_located(problem)}")
    state = "[yellow]stale: the files on disk are not in force[/]" if found.stale else "[green]live[/]"
    say(f"policy    {state if found.ready else '[red]none loaded[/]'}")
    if found.confirmation_needed:
        say("          [yellow]an edit waits: `authz-sidecar policy reload --confirm`[/]")
    rows = [
        *_in_force(found),
        *_tried_out(found),
        *(("server", f"{server.name}  {_mode(server.mode)}  {server.audience}") for server in found.servers),
        *(("issuer", f"{name} is for development only") for name in found.development_issuers),
        ("sidecar", f"{found.version}, since {moment(found.started_at.seconds)}"),
    ]
    table(("", ""), rows)
    return YES if found.ready and not found.stale else ANSWERED_NO


@policy.command()
@click.option("--confirm", is_flag=True, help="Take an edit that empties the policy or drops most of its rows.")
@config_option
@as_json
def reload(confirm: bool, config_path: Path, json_: bool) -> int:
    """Make a running sidecar read the files now. Exits with 1 when the edit is refused."""
    with client.admin(client.admin_target(config_path)) as stub:
        answer: Any = stub.ReloadPolicy(pb.ReloadPolicyRequest(confirm=confirm), timeout=client.DEADLINE_SECONDS)
    taken = answer.outcome in (pb.ReloadPolicyResponse.OUTCOME_APPLIED, pb.ReloadPolicyResponse.OUTCOME_UNCHANGED)
    if json_:
        dump(MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))
        return YES if taken else ANSWERED_NO
    for problem in answer.problems:
        complain(_located(problem))
    for warning in answer.warnings:
        warn(_located(warning))
    name = pb.ReloadPolicyResponse.Outcome.Name(answer.outcome).removeprefix("OUTCOME_").lower().replace("_", " ")
    say(f"{'[green]' if taken else '[yellow]'}{name}[/]  in force: {escape(short(answer.policy_revision))}")
    if answer.outcome == pb.ReloadPolicyResponse.OUTCOME_CONFIRMATION_NEEDED:
        say("the edit loses most of the policy; repeat with --confirm if that is meant")
    return YES if taken else ANSWERED_NO


def _in_force(found: Any) -> list[tuple[str, str]]:
    """Tell about the policy in force, if there is one."""
    if not found.ready:
        return []
    return [
        ("revision", short(found.policy_revision)),
        ("loaded", f"{moment(found.policy_loaded_at.seconds)}, from {found.policy_origin}"),
        ("rows", f"{found.rules} rules, {found.memberships} memberships, engine {found.engine}"),
    ]


def _tried_out(found: Any) -> list[tuple[str, str]]:
    """Tell about the policy beside it that is never enforced, if there is one."""
    if not found.HasField("shadow"):
        return []
    tried = found.shadow
    if not tried.policy_revision:
        return [("shadow", "none loaded")]
    rows = f"{tried.rules} rules, {tried.memberships} memberships"
    since = f"{moment(tried.policy_loaded_at.seconds)}" + (", not the files on disk" if tried.stale else "")
    return [("shadow", f"{short(tried.policy_revision)}  {rows}, loaded {since}")]


def _mode(mode: Any) -> str:
    return str(pb.Mode.Name(mode)).removeprefix("MODE_").lower()


def _located(problem: Any) -> str:
    place = ":".join(str(part) for part in (problem.file, problem.line, problem.column) if part)
    return f"{place}: {problem.message}"
