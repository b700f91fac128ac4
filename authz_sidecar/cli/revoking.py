"""`authz-sidecar revoke` and `revocations`: make tokens count no longer, and see which do not."""

import os
import pwd
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from google.protobuf.json_format import MessageToDict
from rich.markup import escape

from authz_sidecar.cli import asks, client
from authz_sidecar.cli.show import ANSWERED_NO, YES, as_json, config_option, dump, say, table, warn
from authz_sidecar.wire import authz_pb2 as pb


@click.command()
@click.argument("words", nargs=-1, metavar="[token FILE|-]")
@click.option("--jti", "token_id", help="The token with this `jti`.")
@click.option("--subject", help="Every token of this `sub`.")
@click.option("--client", "client_id", help="Every token of this OAuth client.")
@click.option("--family", help="Every token of this grant, by the issuer's `family_claim`.")
@click.option("--issuer", default="", help="The issuer's alias; may be left out when one is configured.")
@click.option(
    "--issued-before", metavar="now|TIME", help="Only tokens issued before; for example 2026-03-04T05:06:07Z."
)
@click.option("--reason", default="", help="Why, for the audit trail.")
@config_option
@as_json
def revoke(
    words: tuple[str, ...],
    issuer: str,
    issued_before: str | None,
    reason: str,
    config_path: Path,
    json_: bool,
    **names: str | None,
) -> int:
    """Make tokens count no longer, from the next question on.

    Name one thing: `token FILE` or `token -` (standard input) for a token itself, --jti, --subject, --client or
    --family; or only --issued-before for a whole issuer. A subject or client without --issued-before is shut out with
    new tokens too, for as long as the revocation is kept. Exits with 1 when the other sidecars could not be told yet.

    Example: authz-sidecar revoke --subject alice --issued-before now
    """
    request = pb.RevokeRequest(issuer=issuer, reason=reason, by=_whoami())
    given = {name: value for name, value in names.items() if value is not None}
    if words:
        given["token"] = _token(words)
    if len(given) > 1:
        raise click.UsageError("name one thing to revoke, not several")
    if not given and issued_before is None:
        raise click.UsageError("name what to revoke: token FILE|-, --jti, --subject, --client, --family")
    for name, value in given.items():
        setattr(request, name, value)
    if issued_before is not None:
        request.issued_before.FromDatetime(_moment(issued_before))
    answer = _call(config_path, request)
    if json_:
        dump({"epoch": answer.epoch, "pending": answer.pending, "revocation": _as_json(answer.revocation)})
    else:
        kind, value = _kind(answer.revocation), escape(answer.revocation.value)
        say(f"[green]revoked[/]  {kind} {value}  [dim]of {escape(answer.revocation.issuer)}, epoch {answer.epoch}[/]")
        say(f"  kept until {answer.revocation.keep_until.ToJsonString()}")
    if answer.pending:
        warn("the shared store is not reached: it is in force here, and other sidecars learn it when it is back")
    return ANSWERED_NO if answer.pending else YES


@click.command()
@config_option
@as_json
def revocations(config_path: Path, json_: bool) -> int:
    """List the revocations in force. Exits with 1 while the shared store is not reached."""
    found: list[Any] = []
    with client.admin(client.admin_target(config_path)) as stub:
        while True:
            after = found[-1].epoch if found else 0
            page: Any = stub.ListRevocations(
                pb.ListRevocationsRequest(after_epoch=after), timeout=client.DEADLINE_SECONDS
            )
            found += page.revocations
            if not page.revocations:
                break
    if json_:
        dump({"epoch": page.epoch, "stale": page.stale, "revocations": [*map(_as_json, found)]})
    else:
        table(("epoch", "kind", "value", "issuer", "issued before", "until", "by", "reason"), map(_row, found))
    if page.stale:
        warn("the shared store is not reached: others may have revoked what is not here")
    return ANSWERED_NO if page.stale else YES


def _call(config_path: Path, request: pb.RevokeRequest) -> Any:
    try:
        with client.admin(client.admin_target(config_path)) as stub:
            return stub.Revoke(request, timeout=client.DEADLINE_SECONDS)
    except client.Refused as error:
        raise click.UsageError(error.detail) from None


def _token(words: tuple[str, ...]) -> str:
    # The token itself would stand in the list of processes, where everybody can read it.
    if len(words) != 2 or words[0] != "token":
        raise click.UsageError("expected `token FILE` or `token -`; the token itself never stands on the command line")
    return asks.read_token(words[1])


def _moment(text: str) -> datetime:
    if text == "now":
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or found.year < 1970:
        raise click.UsageError(
            f"--issued-before: `{text}` is neither `now` nor a time with its zone, such as 2026-03-04T05:06:07Z"
        )
    return found.astimezone(UTC)


def _whoami() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"uid {os.geteuid()}"


def _kind(found: Any) -> str:
    return str(pb.RevocationKind.Name(found.kind)).removeprefix("REVOCATION_KIND_").lower()


def _as_json(found: Any) -> dict[str, object]:
    told = MessageToDict(found, preserving_proto_field_name=True)
    return told | {"epoch": found.epoch, "kind": _kind(found)}  # the mapping of protobuf writes 64 bits as text


def _row(found: Any) -> tuple[str, ...]:
    before = found.issued_before.ToJsonString() if found.HasField("issued_before") else ""
    until = found.keep_until.ToJsonString()
    return (str(found.epoch), _kind(found), found.value, found.issuer, before, until, found.by, found.reason)
