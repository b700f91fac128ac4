"""The events of the audit trail: their schema, version 1, and their one encoding (JSON, one line each).

`DecisionEvent` is written by the sidecar, one for each query (a batch is one event); `AuditEvent` by the adapter, one
for each MCP request. They are joined by `decision_id`. Fields are added, never renamed; an absent field means that
there is nothing to say. No event holds a token or raw arguments. `docs/audit.md` is the manual.
"""

import re
from typing import Final

import msgspec

SCHEMA_VERSION: Final = 1


class PriorActor(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Somebody who acted for the caller before the current actor did."""

    subject: str
    issuer: str


class Who(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The verified caller, as in the wire contract."""

    issuer: str = ""
    subject: str = ""
    client_id: str = ""
    actor: str = ""
    subjects: tuple[str, ...] = ()
    token_id: str = ""
    chain: tuple[PriorActor, ...] = ()
    """Actors before the current one, the latest first; in decision events alone."""
    scopes: tuple[str, ...] = ()
    """The scopes of the token, so that a log can be replayed against another policy; in decision events alone."""


class RuleLine(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A deciding row of the policy."""

    source: str
    line: int = 0
    text: str = ""
    allow: bool = False


class ShadowLine(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a policy that is only tried out would have answered, where it differs."""

    revision: str
    allowed: bool
    reason: str
    """As in the decision event."""
    rules: tuple[RuleLine, ...] = ()
    gained: tuple[str, ...] = ()
    """Of a batch: `method tool` of each item that would be allowed and was not."""
    lost: tuple[str, ...] = ()
    """Of a batch: `method tool` of each item that was allowed and would not be."""


class DecisionEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="decision"):
    """One answer of the sidecar, allowed or not."""

    v: int
    time: str
    """RFC 3339, UTC, microseconds."""
    decision_id: str
    server: str
    allowed: bool
    reason: str
    """Of the single question; for a batch, `batch` unless all items share one."""
    mode: str
    revision: str
    method: str = ""
    """For a batch, the method that all items share, if they do."""
    tool: str = ""
    request_id: str = ""
    who: Who | None = None
    rules: tuple[RuleLine, ...] = ()
    required_scopes: tuple[str, ...] = ()
    token_digest: str = ""
    """Keyed hash (HMAC-SHA-256, 128 bits, hexadecimal) of the whole token."""
    arguments_digest: str = ""
    """Keyed hash of the argument bytes."""
    items: int = 0
    """The number of questions of a batch."""
    denied: tuple[str, ...] = ()
    """`method tool` of each denied item of a batch."""
    detail: str = ""
    """What was wrong with the token or the engine; never shown to the caller."""
    development: bool = False
    """True when the token's key is marked for development."""
    context: dict[str, str] = {}
    repeated: int = 0
    """How many further failures just like this one, of callers that were never verified, this event stands for."""
    shadow: ShadowLine | None = None


class AdminEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="admin"):
    """Something that changes what the sidecar answers: a start, a reload, a refused edit, a revocation, a stop."""

    v: int
    time: str
    action: str
    outcome: str
    revision: str = ""
    previous_revision: str = ""
    detail: str = ""
    problems: tuple[str, ...] = ()
    by: str = ""
    """Who did it, as they said."""
    target: str = ""
    """Of a revocation: whose tokens."""
    revocation_epoch: int = 0


class AuditEvent(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, tag="audit"):
    """One request at an enforcement point, whatever became of it."""

    v: int
    time: str
    outcome: str
    """`allowed`, `denied`, `observed` (denied but let through), `refused` (never judged), `unanswered` (fails closed),
    `public`, `aborted` (the client went away) or `ended` (an open stream whose right was gone)."""
    status: int
    """The HTTP status that the client got; 0 when none was sent."""
    duration_ms: float
    server: str = ""
    decision_id: str = ""
    request_id: str = ""
    http_method: str = ""
    path: str = ""
    method: str = ""
    tool: str = ""
    reason: str = ""
    detail: str = ""
    who: Who | None = None
    rules: tuple[RuleLine, ...] = ()
    revision: str = ""
    tool_error: bool | None = None
    """Whether the tool itself reported an error; absent when the answer did not say or was too large to look at."""
    listed: int | None = None
    """Of a list: how many entries the caller saw."""
    hidden: int | None = None
    """Of a list: how many were filtered out."""
    session: str = ""
    """Keyed hash of the session id."""
    protocol_version: str = ""
    traceparent: str = ""
    untrusted_client: str = ""
    """What the client calls itself; self-reported, never used to decide."""


Event = DecisionEvent | AuditEvent | AdminEvent

_encoder: Final = msgspec.json.Encoder()


# DEL and C1 controls (U+009B begins a terminal's command), zero-width and line separators, bidirectional overrides,
# the byte order mark: what a terminal obeys or a reader cannot see. JSON itself escapes C0 controls only.
UNSEEN: Final = "\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f"
_UNSEEN: Final = re.compile(f"[{UNSEEN}]")


def encode(event: Event) -> bytes:
    """Give the event as one line of JSON with its line end; what cannot be seen is escaped."""
    line = _encoder.encode(event)
    if not line.isascii() or b"\x7f" in line:
        line = _UNSEEN.sub(_escape, line.decode()).encode()  # stands inside strings only, so the JSON stays the same
    return line + b"\n"


def _escape(found: re.Match[str]) -> str:
    units = found.group().encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
