"""The lines of the log: what they say, what they never say, and what happens when they cannot be written."""

import json
import re

import pytest

from mcp_adapter import AuthzMiddleware
from mcp_adapter.record import Stderr
from tests.adapter.bench import Lines, Said, Upstream, call, client, lifespan, post, tool
from tests.adapter.guarding import CANARY, Lifespan, guard


async def test_no_canary_reaches_the_log_wherever_it_stands():
    app, lines = guard(Upstream(), Said(allowed=False))
    bodies = [
        tool(CANARY),
        call("resources/read", {"uri": f"note://{CANARY}"}),
        call("initialize", {"clientInfo": {"name": CANARY, "version": "1"}}),
        call(CANARY),
        tool("t", secret=CANARY),
        CANARY.encode(),
    ]
    for body in bodies:
        await post(app, body, token=CANARY, traceparent=CANARY, mcp_protocol_version="2025-11-25")
    async with client(app) as http:
        await http.get(f"/{CANARY}", headers={"authorization": f"Bearer {CANARY}"})
    assert len(lines.raw) == len(bodies) + 1
    assert CANARY.encode() not in b"".join(lines.raw)


async def test_a_line_says_who_did_what_and_how_it_ended():
    upstream = Upstream(b'{"jsonrpc":"2.0","id":1,"result":{"isError":true}}')
    app, lines = guard(upstream, Said())
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    meta = {"io.modelcontextprotocol/clientInfo": {"name": "cli", "version": "1.2"}, "traceparent": trace}
    await post(app, call("tools/call", {"name": "t", "_meta": meta}))
    event = lines.last
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event.pop("time"))
    assert event.pop("duration_ms") >= 0
    assert len(event.pop("request_id")) == 32
    assert event == {
        "type": "audit",
        "v": 1,
        "outcome": "allowed",
        "status": 200,
        "server": "ops",
        "decision_id": "d",
        "http_method": "POST",
        "path": "/mcp",
        "method": "tools/call",
        "tool": "t",
        "reason": "allowed_by_rule",
        "who": {"issuer": "https://idp.example", "subject": "alice"},
        "tool_error": True,
        "traceparent": trace,
        "untrusted_client": "cli/1.2",
    }


async def test_while_the_log_is_full_nobody_is_let_through_and_nothing_is_lost():
    upstream, lines = Upstream(), Lines()
    app, _ = guard(upstream, Said(), audit=lines)
    lines.full = True
    assert (await post(app, call("ping"))).status_code == 200
    assert (await post(app, call("ping"))).status_code == 503
    assert len(upstream.bodies) == 1
    lines.full = False
    assert (await post(app, call("ping"))).status_code == 200
    assert (await post(app, b"x")).status_code == 400
    assert [event["status"] for event in lines.events] == [200, 200, 400]
    assert lines.last["detail"].endswith("; and 1 further requests that were never verified")


async def test_a_log_that_is_full_to_the_end_is_told_of(caplog):
    lines = Lines()
    app, _ = guard(Lifespan(Upstream()), Said(), audit=lines)
    async with lifespan(app):
        lines.full = True
        await post(app, call("ping"))
        await post(app, call("ping"))
    assert "audit_lost: 1 lines, and 1 of callers never verified" in caplog.text


async def test_a_flood_of_callers_without_a_token_is_bounded_and_counted():
    from mcp_adapter.lane import Lane
    from mcp_adapter.record import Entry, Recorder

    now, lines = [0.0], Lines()
    recorder = Recorder(lines, Lane(rate=2, clock=lambda: now[0]))

    def refused():
        return Entry(server="ops", request_id="r", http_method="GET", path="/x", detail="d" * 300)

    for _ in range(5):
        recorder.write(refused())
    known = refused()
    known.principal = Said().principal
    recorder.write(known)
    now[0] = 1.5
    recorder.write(refused())
    assert len(lines.raw) == 4
    assert lines.last["detail"].endswith("; and 3 further requests that were never verified")
    assert len(lines.last["detail"]) == 256


async def test_a_log_file_is_opened_when_needed_and_closed_at_the_end(tmp_path):
    path = tmp_path / "audit" / "audit.jsonl"
    pdp = Said()
    app = AuthzMiddleware(Lifespan(Upstream()), client=pdp, audit=path)
    assert not path.exists()
    async with lifespan(app):
        await post(app, call("ping"))
    assert pdp.closed
    assert [json.loads(line)["outcome"] for line in path.read_bytes().splitlines()] == ["allowed"]


async def test_a_log_file_that_cannot_be_opened_lets_nobody_through(tmp_path):
    (tmp_path / "file").write_text("")
    app = AuthzMiddleware(Lifespan(Upstream()), client=Said(), audit=str(tmp_path / "file" / "audit.jsonl"))
    assert (await post(app, call("ping"))).status_code == 503
    with pytest.raises(RuntimeError, match="file"):
        async with lifespan(app):
            pass


async def test_without_a_sink_lines_go_to_standard_error(capsys):
    app = AuthzMiddleware(Upstream(), client=Said())
    await post(app, call("ping"))
    assert json.loads(capsys.readouterr().err)["outcome"] == "allowed"
    Stderr().close()


async def test_standard_error_that_is_gone_is_a_log_that_is_full(monkeypatch):
    import io

    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr("sys.stderr", gone)
    app = AuthzMiddleware(Upstream(), client=Said())
    assert (await post(app, call("ping"))).status_code == 200
    assert (await post(app, call("ping"))).status_code == 503
