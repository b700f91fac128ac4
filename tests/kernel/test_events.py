"""The events of the audit trail: a pinned schema and one line each."""

import msgspec
import pytest

from authz_sidecar.events import (
    SCHEMA_VERSION,
    AdminEvent,
    AuditEvent,
    DecisionEvent,
    Event,
    RuleLine,
    Who,
    encode,
)

DECISION = DecisionEvent(
    v=1,
    time="2026-01-01T00:00:00.000000Z",
    decision_id="d",
    server="ops",
    allowed=False,
    reason="r",
    mode="enforce",
    revision="s",
)
AUDIT = AuditEvent(v=1, time="2026-01-01T00:00:00.000000Z", outcome="denied", status=403, duration_ms=1.5)
ADMIN = AdminEvent(v=1, time="2026-01-01T00:00:00.000000Z", action="reload", outcome="applied")

# Fields are added, never renamed: what stands here stays.
FIELDS = {
    DecisionEvent: """v time decision_id server allowed reason mode revision method tool request_id who rules
        required_scopes token_digest arguments_digest items denied detail development context repeated""",
    AuditEvent: """v time outcome status duration_ms server decision_id request_id http_method path method tool reason
        detail who rules revision tool_error listed hidden session protocol_version traceparent untrusted_client""",
    AdminEvent: "v time action outcome revision previous_revision detail problems",
    Who: "issuer subject client_id actor subjects token_id",
    RuleLine: "source line text allow",
}


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_no_field_of_version_one_is_gone_or_renamed(kind: type[msgspec.Struct]) -> None:
    assert SCHEMA_VERSION == 1
    assert set(FIELDS[kind].split()) <= set(kind.__struct_fields__)


@pytest.mark.parametrize("event", [DECISION, AUDIT, ADMIN], ids=["decision", "audit", "admin"])
def test_an_event_says_what_it_is_and_leaves_out_what_is_not_said(event: Event) -> None:
    line = encode(event)
    read = msgspec.json.decode(line)
    assert read["type"] == type(event).__struct_config__.tag
    assert set(read) == {"type", *(field.name for field in msgspec.structs.fields(event) if field.required)}
    assert msgspec.json.decode(line, type=Event) == event


def test_a_no_is_written_and_not_left_out() -> None:
    assert msgspec.json.decode(encode(DECISION))["allowed"] is False


@pytest.mark.parametrize("odd", ["a\nb", "a\r\nb", "\0", "\x1b[31mred", '"quoted"', "\\", "\u2028", "caf\u00e9"])
def test_an_event_is_one_line_whatever_is_in_it(odd: str) -> None:
    line = encode(msgspec.structs.replace(DECISION, tool=odd, context={odd: odd}))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert not any(byte < 0x20 for byte in line[:-1])
    assert msgspec.json.decode(line)["tool"] == odd


def test_events_share_nothing() -> None:
    other = msgspec.structs.replace(DECISION)
    fresh = DecisionEvent(v=1, time="", decision_id="", server="", allowed=True, reason="", mode="", revision="")
    assert fresh.context is not DECISION.context
    assert other == DECISION


@pytest.mark.parametrize("odd", ["\x7f", "\x9b31m", "\u2028", "\u202e", "\u2066", "\ufeff", "caf\u00e9"])
def test_nothing_in_an_event_steers_a_terminal(odd: str) -> None:
    line = encode(AdminEvent(v=1, time="", action=odd, outcome=""))
    assert all(char.isprintable() for char in line.decode().rstrip("\n"))
    assert msgspec.json.decode(line)["action"] == odd
