"""Prints what a look at a token found, for people and for programs."""

import json
import time
from collections.abc import Mapping
from typing import Final

from rich.markup import escape

from authz_sidecar.cli.show import say
from authz_sidecar.tokens.inspect import Inspection

_MARKS: Final = {"passed": "[green]passed[/] ", "failed": "[bold red]failed[/] ", "skipped": "[dim]skipped[/]"}
_ALONE: Final = "give the token alone as it was issued: no `Bearer`, no quotes, no line break, nothing cut off"
_ADVICE: Final[Mapping[str, str]] = {
    "asked": "see `introspection_uri` and its client; a token that ended or was revoked is not active",
    "revoked": "get a new token; who was revoked, and why, tells `authz-sidecar revocations`",
    "size": "raise nothing: ask the provider for a token with fewer claims",
    "form": f"{_ALONE}; an opaque token needs `introspection_uri`",
    "header": _ALONE,
    "payload": _ALONE,
    "issuer": "compare `iss` with `issuer` byte for byte, to the last slash",
    "kind": "send the access token, not the ID or refresh token; see `token_types`",
    "algorithm": "see `algorithms` of the issuer",
    "key": "see the issuer's keys: `authz-sidecar doctor`",
    "signature": "it was changed on its way, or is of another environment",
    "expiry": "get a new one; if it is new, compare the clocks: `authz-sidecar doctor`",
    "beginning": "compare the clocks: `authz-sidecar doctor`",
    "audience": "let the provider put the server's `audience` into `aud`, or see `audiences` in docs/tokens.md",
    "binding": "ask the provider for a bearer token; DPoP and mTLS tokens are not accepted",
    "required": "see `required_claims` and `required_values`, and what the provider's console adds",
    "caller": "see `user_claim`, `roles_claim` and `groups_claim`, and docs/tokens.md for the provider",
}


def as_json(found: Inspection) -> dict[str, object]:
    """Spell it for programs."""
    return {
        "accepted": bool(found),
        "reason": found.reason,
        "signed": found.signed,
        "told_by_issuer": found.told,
        "issuer": found.issuer,
        "key": found.key,
        "header": dict(found.header),
        "claims": dict(found.claims),
        "subjects": list(found.principal.subjects) if found.principal else [],
        "checks": [
            {"check": one.check, "outcome": one.outcome, "sentence": one.sentence, "reason": one.reason}
            for one in found.findings
        ],
    }


def explain(found: Inspection) -> None:
    """Tell a person; the verdict comes last, where the eye is."""
    hearsay = "" if found.signed or found.told else "  [yellow]not verified: anybody could have written this[/]"
    _members("header", found.header, hearsay)
    _members("claims", found.claims, hearsay)
    say("[bold]checks[/]")
    for one in found.findings:
        reason = f"  [red]{one.reason}[/]" if one.reason else ""
        say(f"  {_MARKS[one.outcome]}  {one.check:9}  {escape(one.sentence)}{reason}")
        advice = "put the token there" if one.reason == "token_missing" else _ADVICE.get(one.check)
        if one.reason and advice:
            say(f"{' ' * 22}[dim]→[/] {escape(advice)}")
    if found.issuer:
        say(f"[bold]issuer[/]    {escape(found.issuer)}{escape(f', {found.key}') if found.key else ''}")
    if found.principal:
        say(f"[bold green]accepted[/]  the policy knows the caller as {escape(' '.join(found.principal.subjects))}")
    else:
        say(f"[bold red]refused[/]  {found.reason}")


def _members(title: str, members: Mapping[str, object], hearsay: str) -> None:
    if not members:
        return
    say(f"[bold]{title}[/]{hearsay}")
    shown = {json.dumps(name, ensure_ascii=True)[1:-1]: _shown(name, value) for name, value in members.items()}
    width = min(max(map(len, shown)), 24)
    for name, value in shown.items():
        say(f"  {escape(name.ljust(width))}  {escape(value)}")


def _shown(name: str, value: object) -> str:
    text = json.dumps(value, ensure_ascii=True)
    if name in ("exp", "iat", "nbf", "auth_time") and isinstance(value, (int, float)) and abs(value) < 1e11:
        return (
            f"{text}  ({time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime(value))}, {_from_now(value - time.time())})"
        )
    return text


def _from_now(seconds: float) -> str:
    away = abs(seconds)
    size, unit = next(
        ((size, unit) for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")) if away >= size), (1, "s")
    )
    return f"in {away / size:.0f} {unit}" if seconds > 0 else f"{away / size:.0f} {unit} ago"
