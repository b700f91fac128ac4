"""`authz-sidecar check`: ask a running sidecar one question."""

import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, Final

import click
from google.protobuf.json_format import MessageToDict
from rich.markup import escape

from authz_sidecar.cli import client
from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, config_option, dump, say, verdict
from authz_sidecar.wire import authz_pb2 as pb

_LARGEST: Final = 1_048_576


def read_token(source: str | None) -> str:
    """Take the token from a file, standard input (`-`) or AUTHZ_TOKEN; never from argv, which all can see."""
    if source == "-":
        return _text(sys.stdin.buffer)
    if source:
        with Path(source).open("rb") as file:
            return _text(file)
    return os.environ.get("AUTHZ_TOKEN", "").encode(errors="surrogateescape").decode(errors="replace")


def _text(file: BinaryIO) -> str:
    """Read whatever bytes there are: what is no token is refused by who verifies it."""
    return file.read(_LARGEST).decode("utf-8", errors="replace").strip()


@click.command()
@click.argument("method")
@click.argument("tool", default="")
@click.option("--token-file", metavar="FILE|-", help="The token; default: the variable AUTHZ_TOKEN.")
@click.option("--server", default="", help="The MCP server; may be left out when one is configured.")
@click.option("--arguments", default="", metavar="JSON", help="The arguments of the call, a JSON object.")
@click.option("--target", help="unix:PATH or HOST:PORT; default: what the configuration listens on.")
@config_option
@as_json
def check(
    method: str,
    tool: str,
    token_file: str | None,
    server: str,
    arguments: str,
    target: str | None,
    config_path: Path,
    json_: bool,
) -> int:
    """Ask a running sidecar one question.

    May the bearer of the token do METHOD on TOOL? Exits with 0 when allowed, 1 when denied, 3 when there is no answer.

    Example: authz-sidecar check tools/call echo --token-file alice.token
    """
    request = pb.CheckRequest(
        token=read_token(token_file), method=method, tool=tool, server=server, arguments_json=arguments.encode()
    )
    with client.data(client.data_target(config_path, target)) as stub:
        answer: Any = stub.Check(request, timeout=client.DEADLINE_SECONDS)
    if json_:
        dump(MessageToDict(answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True))
    else:
        _print(answer, method, tool)
    return YES if answer.allowed else ANSWERED_NO


def _print(answer: Any, method: str, tool: str) -> None:
    reason = pb.Reason.Name(answer.reason).removeprefix("REASON_").lower()
    say(f"{verdict(answer.allowed)}  {escape(method)} {escape(tool)}  [dim]because[/] {reason}")
    if answer.HasField("principal"):
        say(f"  caller    {escape(' '.join(answer.principal.subjects))}  [dim]of {escape(answer.principal.issuer)}[/]")
    say(f"  told      {escape(answer.message)}")
    for rule in answer.rules:
        place = f"{rule.source}:{rule.line}" if rule.line else rule.source
        say(f"  rule      {escape(place)}  {escape(rule.text)}")
    if answer.required_scopes:
        say(f"  scopes    {escape(' '.join(answer.required_scopes))}")
    say(f"  decision  {escape(answer.decision_id)}  [dim]policy {escape(answer.policy_revision[:19])}[/]")
    if answer.mode == pb.MODE_OBSERVE:
        say("  [yellow]observe mode: the adapter lets it through and only logs[/]")
