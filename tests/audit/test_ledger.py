"""What the decision log says, and what it never says."""

import asyncio
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from authz_sidecar.errors import LedgerFull
from authz_sidecar.events import SCHEMA_VERSION, AdminEvent
from authz_sidecar.linelog import LineLog
from authz_sidecar.model import Actor, Mode, Principal, Question, RawToken, Reason
from tests.audit.lines import BAD_TOKEN, CANARY, DIGEST, NO, REVISION, YES, Kept, Time, answer, ledger, principal, query


def test_a_permit_says_who_what_why_and_by_which_rows() -> None:
    sink = Kept()
    ledger(sink).record(query("t", context={"ip": "10.0.0.1"}), answer(YES, who=principal(development=True)))
    assert sink.events == [
        {
            "type": "decision",
            "v": SCHEMA_VERSION,
            "time": "2023-11-14T22:13:20.250000Z",
            "decision_id": "d-1",
            "server": "ops",
            "allowed": True,
            "reason": "allowed_by_rule",
            "mode": "enforce",
            "revision": REVISION,
            "method": "tools/call",
            "tool": "t",
            "request_id": "r-1",
            "who": {"issuer": "https://idp", "subject": "alice", "subjects": ["user:alice"], "token_id": "j"},
            "rules": [{"source": "policy.csv", "line": 3, "text": "p, role:x, *, *, *, deny"}],
            "required_scopes": ["a:b"],
            "token_digest": DIGEST(CANARY.encode()),
            "arguments_digest": DIGEST(b'{"secret":"canary-argument"}'),
            "development": True,
            "context": {"ip": "10.0.0.1"},
        }
    ]


def test_a_denial_carries_the_same_fields_as_a_permit() -> None:
    sink = Kept()
    log = ledger(sink)
    log.record(query(), answer(YES, who=principal()))
    log.record(query(), answer(NO, who=principal(), mode=Mode.OBSERVE))
    log.record(query(), answer(BAD_TOKEN), "the signature does not match")
    permit, denial, failure = sink.events
    assert set(permit) - {"required_scopes"} == set(denial)
    assert set(denial) - {"who", "rules"} | {"detail"} == set(failure)
    assert denial["mode"] == "observe"


def test_a_batch_is_one_event_with_its_denied_names() -> None:
    sink = Kept()
    log = ledger(sink)
    log.record(query("a", "b", "c", batch=True), answer(YES, NO, NO, who=principal()))
    log.record(query("a", "b", batch=True), answer(NO, NO, who=principal()))
    log.record(query("a", "b", batch=True), answer(BAD_TOKEN, BAD_TOKEN))
    mixed, same, failed = sink.events
    assert (mixed["reason"], mixed["allowed"], mixed["items"]) == ("batch", False, 3)
    assert mixed["denied"] == ["tools/call b", "tools/call c"]
    assert mixed["method"] == "tools/call"
    assert "tool" not in mixed
    assert len(mixed["rules"]) == 1
    assert same["reason"] == "denied_by_rule"
    assert (failed["items"], failed["reason"], "denied" in failed) == (2, "token_signature_invalid", False)


def test_a_batch_without_arguments_has_no_digest_of_them() -> None:
    sink = Kept()
    plain = query("a", "b", batch=True)
    bare = type(plain.questions[0])(method="tools/list", tool="a")
    ledger(sink).record(query(questions=(bare, plain.questions[1]), batch=True), answer(YES, NO, who=principal()))
    ledger(sink).record(query(questions=(bare, bare), batch=True), answer(YES, YES, who=principal()))
    some, none = sink.events
    assert "arguments_digest" in some
    assert "method" not in some
    assert "arguments_digest" not in none


@pytest.mark.parametrize("verified", [True, False], ids=["verified", "never verified"])
def test_neither_the_token_nor_the_arguments_stand_in_any_line(verified: bool) -> None:
    sink = Kept()
    log = ledger(sink, strangers=1)
    for _ in range(5):
        log.record(query(), answer(NO, who=principal()) if verified else answer(BAD_TOKEN), "")
    log.close()
    said = b"".join(sink.lines)
    assert b"canary" not in said
    assert said.count(DIGEST(CANARY.encode()).encode()) >= 1


def test_characters_that_a_terminal_obeys_are_escaped() -> None:
    sink = Kept()
    tool = "a\x1b[2J\n\x7f\x9b31m\u202e\u200b\U000e0041é"
    ledger(sink).record(query(tool), answer(NO, who=principal()))
    text = sink.lines[0].decode()
    assert not any(char in text[:-1] for char in tool[:-1] if not char.isascii() or not char.isprintable())
    assert "é" in text
    assert sink.events[0]["tool"] == tool


def test_a_full_log_denies_and_says_so_once_it_can() -> None:
    sink = Kept()
    log = ledger(sink)
    sink.failing = True
    with structlog.testing.capture_logs() as noted:
        for _ in range(3):
            with pytest.raises(LedgerFull):
                log.record(query(), answer(YES, who=principal()))
        sink.failing = False
        log.record(query(), answer(YES, who=principal()))
    assert (log.refused, log.dropped, log.lines) == (3, 0, 2)
    said, decided = sink.events
    assert (said["type"], said["action"], said["outcome"]) == ("admin", "audit", "refused")
    assert "3 events" in said["detail"]
    assert decided["type"] == "decision"
    assert [entry["event"] for entry in noted] == ["audit_log_unavailable", "audit_log_available"]


def test_a_full_log_may_drop_and_counts_what_is_lost() -> None:
    sink = Kept()
    log = ledger(sink, when_full="drop")
    sink.failing = True
    log.record(query(), answer(YES, who=principal()))
    log.admin(AdminEvent(v=1, time="", action="reload", outcome="applied"))
    assert (log.dropped, log.refused) == (2, 0)
    sink.failing = False
    log.tick()
    assert [event["outcome"] for event in sink.events] == ["dropped"]
    log.tick()
    assert len(sink.lines) == 1


def test_admin_events_get_the_time_of_now() -> None:
    sink = Kept()
    log = ledger(sink)
    log.admin(AdminEvent(v=1, time="", action="start", outcome="ok"))
    log.admin(AdminEvent(v=1, time="then", action="stop", outcome="ok"))
    assert [event["time"] for event in sink.events] == ["2023-11-14T22:13:20.250000Z", "then"]


def test_a_flood_of_bad_tokens_leaves_room_and_good_callers_proceed() -> None:
    sink, clock = Kept(room=500), Time()
    log = ledger(sink, clock, room=500)
    for at in range(10_000):
        log.record(query(token=RawToken(f"{at}")), answer(BAD_TOKEN), f"kid `{at}` is unknown")
        if at % 100 == 0:
            log.record(query(), answer(YES, who=principal()))
    assert len(sink.lines) == 50 + 100
    clock.now += 1
    log.tick()
    told = [event for event in sink.events if event["reason"] == "token_signature_invalid"]
    assert len(told) == 51
    assert sum(1 + event.get("repeated", 0) for event in told) == 10_000
    assert log.heaped == 0


def test_failures_before_a_known_server_go_through_the_narrow_lane_too() -> None:
    sink, clock = Kept(), Time()
    log = ledger(sink, clock)
    nowhere = type(NO)(allowed=False, reason=Reason.SERVER_UNKNOWN)
    for at in range(10_000):
        log.record(query(), answer(nowhere, server=f"s{at}"))
    clock.now += 1
    log.record(query(), answer(BAD_TOKEN))
    assert len(sink.lines) == 50 + 64 + 1 + 1
    failures = sink.events[:-1]
    assert sum(1 + event.get("repeated", 0) for event in failures) == 10_000
    assert "more than 64 kinds" in failures[-1]["detail"]


def test_strangers_never_get_an_error_from_a_log_that_fails_and_are_all_counted() -> None:
    sink, clock = Kept(), Time()
    log = ledger(sink, clock)
    sink.failing = True
    for _ in range(200):
        clock.now += 0.1
        log.record(query(), answer(BAD_TOKEN), "the signature does not match")
    assert log.heaped == 200
    sink.failing = False
    log.close()
    assert [event["repeated"] for event in sink.events] == [199]
    assert sink.closed


def test_strangers_may_hold_only_a_share_of_the_lines_that_wait() -> None:
    sink, clock, dealt_with = Kept(), Time(), [0]
    log = ledger(sink, clock, room=100, written=lambda: dealt_with[0])
    for _ in range(100):
        clock.now += 1
        log.record(query(), answer(BAD_TOKEN))
    assert len(sink.lines) == 10
    for _ in range(90):
        log.record(query(), answer(YES, who=principal()))
    dealt_with[0] = 100
    clock.now += 1
    log.tick()
    assert sink.events[-1]["repeated"] == 89


def test_what_cannot_be_written_at_the_end_is_counted_and_said_to_the_operator() -> None:
    sink = Kept()
    log = ledger(sink)
    sink.failing = True
    log.record(query(), answer(BAD_TOKEN))
    with pytest.raises(LedgerFull):
        log.record(query(), answer(YES, who=principal()))
    with structlog.testing.capture_logs() as noted:
        log.close()
    assert noted[-1] == {"event": "audit_events_lost", "events": 2, "log_level": "error"}
    assert log.dropped == 1


async def test_tending_writes_what_waits_without_another_failure() -> None:
    written = asyncio.Event()

    class Told(Kept):
        def put(self, line: bytes) -> None:
            super().put(line)
            if b"repeated" in line:
                written.set()

    clock = Time()
    log = ledger(Told(), clock, strangers=0)
    for _ in range(3):
        log.record(query(), answer(BAD_TOKEN))
    clock.now += 1
    task = asyncio.create_task(log.tend(0.001))
    await asyncio.wait_for(written.wait(), 10)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_a_disk_that_fails_denies_until_it_works_again(tmp_path: Path) -> None:
    place = tmp_path / "audit"
    sink = LineLog(place / "decisions.jsonl", interval=0.001)
    sink.failing = OSError(28, "No space left on device")
    log = ledger(sink, written=lambda: sink.written)  # type: ignore[arg-type]
    with pytest.raises(LedgerFull):
        log.record(query(), answer(YES, who=principal()))
    sink.failing = None
    log.record(query(), answer(YES, who=principal()))
    log.close()
    events = [json.loads(line) for line in (place / "decisions.jsonl").read_text().splitlines()]
    assert [event["type"] for event in events] == ["admin", "decision"]


def test_the_chain_of_actors_is_told_in_its_order() -> None:
    sink = Kept()
    chain = (Actor(subject="planner", issuer="https://idp"), Actor(subject="first", issuer="https://other"))
    ledger(sink).record(query(), answer(YES, who=principal(actor="bot", chain=chain)))
    assert sink.events[0]["who"]["chain"] == [
        {"subject": "planner", "issuer": "https://idp"},
        {"subject": "first", "issuer": "https://other"},
    ]


@pytest.mark.parametrize("who", [principal(), None], ids=["verified", "a stranger"])
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"questions": (Question(method="tools/call", tool=f"x {CANARY}"),)}, id="the tool"),
        pytest.param({"questions": (Question(method=CANARY, tool=""),)}, id="the method"),
        pytest.param({"questions": (Question(method="m", tool="a"), Question(method="m", tool=CANARY))}, id="an item"),
        pytest.param({"request_id": CANARY}, id="the request id"),
        pytest.param({"context": {CANARY: "x"}}, id="a name of the context"),
        pytest.param({"context": {"x": CANARY}}, id="a value of the context"),
    ],
)
def test_a_token_that_a_caller_put_elsewhere_is_not_written(fields: dict[str, Any], who: Principal | None) -> None:
    sink = Kept()
    asked = query(**fields)
    log = ledger(sink)
    decisions = [NO if who else BAD_TOKEN] * len(asked.questions)
    log.record(replace(asked, batch=len(decisions) > 1), answer(*decisions, who=who, server=f"s {CANARY}"))
    log.close()
    (line,) = sink.lines
    assert CANARY.encode() not in line
    assert sink.events[0]["token_digest"] == DIGEST(CANARY.encode())
    assert sink.events[0]["server"] == "s [token]"


def test_an_empty_token_changes_no_word() -> None:
    sink = Kept()
    ledger(sink).record(query("abc", token=RawToken("")), answer(BAD_TOKEN))
    ledger(sink).record(query("abc", token=RawToken("b")), answer(BAD_TOKEN))
    assert [one["tool"] for one in sink.events] == ["abc", "abc"]
