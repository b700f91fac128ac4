"""The middleware: every request is judged or refused, and what is judged is what goes on."""

import asyncio
import gzip
import json
import re
from urllib.parse import unquote

import httpx
import pytest

from mcp_adapter import AuthzMiddleware
from mcp_adapter.pdp import Decision, Fault, Unanswered
from mcp_adapter.record import Stderr
from tests.adapter.bench import ALICE, Lines, Said, Upstream, call, client, lifespan, post, tool

CANARY = "canary-9f8e7d6c5b4a"


def guard(app, pdp, **settings):
    lines = settings.pop("audit", None) or Lines()
    return AuthzMiddleware(app, server="ops", client=pdp, audit=lines, **settings), lines


async def test_the_server_gets_the_very_bytes_that_were_judged():
    upstream, pdp = Upstream(), Said()
    app, _ = guard(upstream, pdp)
    body = b' {"jsonrpc" : "2.0","id":1,\n"method":"tools/call","params":{"name":"t","arguments":{"n":  1e0 }}} '
    assert (await post(app, body)).status_code == 200
    assert upstream.bodies == [body]
    assert [(i.method, i.tool, i.arguments) for i in pdp.items] == [("tools/call", "t", b'{"n":  1e0 }')]


async def test_neither_token_nor_a_claimed_identity_reaches_the_server():
    upstream = Upstream()
    app, _ = guard(upstream, Said())
    lies = {"x-authz-identity": "x", "X_User_Id": "x", "x-user": "x", "x-forwarded-user": "x", "x-roles": "admin"}
    async with client(app) as http:
        await http.post(
            "/mcp?access_token=tok&x=1",
            content=call("ping"),
            headers=[
                ("authorization", f"bearer   {CANARY}"),
                ("content-type", "application/json"),
                ("x-harmless", "1"),
                ("mcp-method", "lie"),
                *lies.items(),
            ],
        )
    assert CANARY not in str(upstream.scopes[0]["headers"])
    names = {name.lower() for name in upstream.seen_headers}
    assert not names & {b"authorization", b"accept-encoding", b"mcp-method", *(n.lower().encode() for n in lies)}
    assert b"x-harmless" in names
    assert upstream.scopes[0]["query_string"] == b"x=1"


async def test_the_server_learns_who_is_calling_from_the_scope():
    upstream, pdp = Upstream(), Said()
    app, _ = guard(upstream, pdp)
    async with client(app) as http:
        await http.post("/mcp", content=call("ping"), headers=ALICE | {"content-type": "application/json"})
    assert upstream.scopes[0]["authz.principal"] == pdp.principal
    assert upstream.scopes[0]["authz.decision"].decision_id == "d"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param([("authorization", "Bearer a"), ("authorization", "Bearer a")], 400, id="two tokens"),
        pytest.param([("authorization", "Bearer a, Bearer b")], 400, id="two tokens in one header"),
        pytest.param([("authorization", "Bearer a b")], 400, id="token with a space"),
        pytest.param([("authorization", "Bearer a"), ("content-type", "application/json")], 400, id="two types"),
        pytest.param([("mcp-session-id", "a"), ("mcp-session-id", "b")], 400, id="two sessions"),
        pytest.param([("content-length", "2")], 400, id="shorter than said"),
        pytest.param([("content-length", "+5")], 400, id="odd length"),
        pytest.param([("content-length", "9" * 20)], 413, id="absurd length"),
        pytest.param([("content-length", "2000000")], 413, id="declared too large"),
        pytest.param([("content-length", "40"), ("transfer-encoding", "chunked")], 400, id="two lengths"),
        pytest.param([("content-encoding", "gzip")], 415, id="compressed"),
        pytest.param([("content-encoding", "identity")], 415, id="encoding named"),
        pytest.param([("mcp-session-id", "unknown")], 404, id="unknown session"),
    ],
)
async def test_a_request_with_unclear_headers_is_refused(headers, status):
    upstream = Upstream()
    app, lines = guard(upstream, Said())
    raw = [(b"content-type", b"application/json"), *((k.encode(), v.encode()) for k, v in headers)]
    answer = await raw_request(app, raw, [call("ping")])
    assert answer[0] == status
    assert upstream.bodies == []
    assert lines.last["status"] == status
    assert lines.last["outcome"] == ("denied" if status == 404 else "refused")


async def raw_request(app, headers, chunks, *, method="POST", path="/mcp", raw_path=None, gone=False):
    """Send a request past every HTTP client; gives status and body."""
    events = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    events.append({"type": "http.disconnect"} if gone else {"type": "http.request", "body": b""})
    if not any(name == b"authorization" for name, _ in headers):
        headers = [*headers, (b"authorization", b"Bearer token-alice")]
    said = []

    async def receive():
        return events.pop(0) if events else {"type": "http.disconnect"}

    async def send(event):
        said.append(event)

    scope = {"type": "http", "method": method, "path": path, "headers": headers, "query_string": b""}
    if raw_path is not None:
        scope["raw_path"] = raw_path
    await app(scope, receive, send)
    return said[0]["status"] if said else None, b"".join(event.get("body", b"") for event in said[1:])


async def test_a_body_in_chunks_is_read_whole():
    upstream = Upstream()
    app, _ = guard(upstream, Said())
    body = call("ping")
    status, _ = await raw_request(app, [(b"content-type", b"application/json")], [body[:5], body[5:]])
    assert status == 200
    assert upstream.bodies == [body]


async def test_a_body_without_end_is_cut_off():
    app, _ = guard(Upstream(), Said(), max_body=1000)
    status, _ = await raw_request(app, [(b"content-type", b"application/json")], [b" " * 600] * 2)
    assert status == 413


async def test_a_client_that_goes_away_while_it_speaks_leaves_a_line():
    upstream = Upstream()
    app, lines = guard(upstream, Said())
    status, _ = await raw_request(app, [(b"content-type", b"application/json")], [b"{"], gone=True)
    assert status is None
    assert upstream.bodies == []
    assert (lines.last["outcome"], lines.last["status"]) == ("aborted", 0)


async def test_a_client_that_never_finishes_is_not_waited_for():
    from mcp_adapter import body
    from mcp_adapter.headers import Headers
    from mcp_adapter.refusal import Refusal

    with pytest.raises(Refusal) as refused:
        await body.read(asyncio.Event().wait, Headers([]), limit=10, patience=0.01)
    assert refused.value.status == 408


async def test_what_follows_the_judged_body_does_not_go_on():
    from mcp_adapter.body import Replay

    events = [{"type": "http.request", "body": b"more"}, {"type": "http.disconnect"}]

    async def receive():
        return events.pop(0)

    replay = Replay(b"judged", receive)
    assert (await replay())["body"] == b"judged"
    assert (await replay())["type"] == "http.disconnect"


@pytest.mark.parametrize(
    "path", ["/", "/mcp/", "//mcp", "/mcp;x", "/%6dcp", "/MCP", "/mcp/x", "/x/../mcp", "/mcp%00", "/health/"]
)
async def test_only_the_exact_path_is_served(path):
    upstream = Upstream()
    app, lines = guard(upstream, Said())

    spelled = [(b"content-type", b"application/json")]
    status, _ = await raw_request(app, spelled, [call("ping")], path=unquote(path), raw_path=path.encode())
    assert status == 404
    assert upstream.bodies == []
    assert lines.last["outcome"] == "refused"


async def test_a_mounted_app_is_served_at_its_own_path():
    app, _ = guard(Upstream(), Said())
    transport = httpx.ASGITransport(app, root_path="/tools")
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        sent = ALICE | {"content-type": "application/json"}
        assert (await http.post("/tools/mcp", content=call("ping"), headers=sent)).status_code == 200
        assert (await http.post("/toolsmcp", content=call("ping"), headers=sent)).status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status", "outcome"),
    [
        ("PUT", "/mcp", 405, "refused"),
        ("HEAD", "/mcp", 405, "refused"),
        ("OPTIONS", "/mcp", 204, "public"),
        ("GET", "/health", 200, "public"),
        ("HEAD", "/health", 200, "public"),
        ("POST", "/health", 405, "refused"),
        ("OPTIONS", "/health", 405, "refused"),
    ],
)
async def test_public_paths_are_for_reading_and_need_no_token(method, path, status, outcome):
    upstream, pdp = Upstream(), Said()
    app, lines = guard(upstream, pdp)
    async with client(app) as http:
        answer = await http.request(method, path, headers=ALICE)
    assert answer.status_code == status
    assert lines.last["outcome"] == outcome
    assert pdp.items == []
    assert ("allow" in answer.headers) is (status in (405, 204))
    assert all(b"authorization" not in dict(scope["headers"]) for scope in upstream.scopes)


async def test_a_stream_and_the_end_of_a_session_are_asked_about():
    pdp = Said()
    app, _ = guard(Upstream(b""), pdp)
    async with client(app) as http:
        await http.get("/mcp", headers=ALICE)
        await http.delete("/mcp", headers=ALICE)
        assert (await http.request("DELETE", "/mcp", headers=ALICE, content=b"x")).status_code == 413
    assert [item.method for item in pdp.items] == ["session/stream", "session/delete"]
    status, _ = await raw_request(app, [(b"transfer-encoding", b"chunked")], [], method="GET")
    assert status == 400


async def test_a_caller_without_a_token_is_challenged_before_its_body_is_read():
    pdp = Said(allowed=False, reason="token_missing")
    app, lines = guard(
        Upstream(), pdp, resource_metadata="https://x/.well-known/oauth-protected-resource/mcp", scopes_hint=["a", "b"]
    )
    answer = await post(app, b"not even JSON", token=None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == (
        'Bearer scope="a b", resource_metadata="https://x/.well-known/oauth-protected-resource/mcp"'
    )
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["error"]["code"] == 40100
    assert (lines.last["outcome"], lines.last["reason"]) == ("denied", "token_missing")


@pytest.mark.parametrize("header", ["Basic abc", "Bearer", "Bearer ", "DPoP x", "Bearerx"])
async def test_anything_but_a_bearer_token_is_no_token(header):
    app, _ = guard(Upstream(), Said(allowed=False, reason="token_missing"))
    async with client(app) as http:
        answer = await http.post("/mcp", content=call("ping"), headers={"authorization": header})
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_bad_token_is_challenged_without_the_reason():
    app, lines = guard(Upstream(), Said(allowed=False, reason="token_signature_invalid"))
    answer = await post(app, call("ping", number="seven"))
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == (
        'Bearer error="invalid_token", error_description="the access token was not accepted"'
    )
    assert "signature" not in answer.text
    assert answer.json()["id"] == "seven"
    assert lines.last["reason"] == "token_signature_invalid"


async def test_a_missing_scope_is_a_challenge_with_all_scopes():
    pdp = Said(allowed=False, reason="insufficient_scope")
    pdp.decision = Decision(allowed=False, reason="insufficient_scope", required_scopes=("b", "a", 'ev"il'))
    app, _ = guard(Upstream(), pdp, help_text="ask #it", resource_metadata='https://x/\\"\r\n')
    answer = await post(app, tool("t"))
    assert answer.status_code == 403
    assert answer.headers["www-authenticate"] == (
        'Bearer error="insufficient_scope", error_description="not permitted", scope="b a",'
        ' resource_metadata="https://x/\\\\\\"??"'
    )
    error = answer.json()["error"]
    assert (error["code"], error["data"]["help"], error["data"]["decision_id"]) == (40301, "ask #it", "d")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault.UNAVAILABLE, 503, 50300),
        (Fault.TIMEOUT, 503, 50300),
        (Fault.INTERNAL, 503, 50300),
        (Fault.INVALID, 400, -32600),
    ],
)
@pytest.mark.parametrize("observe", [False, True])
async def test_without_an_answer_nobody_is_let_through(fault, status, code, observe):
    upstream, pdp = Upstream(), Said(observe=observe)
    pdp.error = Unanswered(fault, "`arguments_json` is too large")
    app, lines = guard(upstream, pdp)
    answer = await post(app, tool("t"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert ("retry-after" in answer.headers) is (status == 503)
    assert ("arguments_json" in answer.text) is (status == 400)
    assert upstream.bodies == []
    assert "arguments_json" in lines.last["detail"]


async def test_a_fault_of_our_own_lets_nobody_through(caplog):
    upstream, pdp = Upstream(), Said()
    pdp.error = ZeroDivisionError("a bug")
    app, lines = guard(upstream, pdp)
    answer = await post(app, tool("t"))
    assert answer.status_code == 503
    assert upstream.bodies == []
    assert (lines.last["outcome"], lines.last["detail"]) == ("unanswered", "ZeroDivisionError")
    assert "adapter_failed" in caplog.text


async def test_a_fault_while_filtering_lets_nothing_through():
    pdp = Said()
    pdp.batch_error = ZeroDivisionError("a bug")
    said = []

    async def stubborn(scope, receive, send):
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for _ in range(2):
            try:
                await send({"type": "http.response.body", "body": b'data: {"result":{"tools":[{"name":"x"}]}}\n\n'})
            except ZeroDivisionError:
                said.append("fault")

    app, lines = guard(stubborn, pdp)
    _, body = await raw_request(app, [(b"content-type", b"application/json")], [call("tools/list")])
    assert body == b""
    assert said == ["fault"]
    assert lines.last["outcome"] == "aborted"


async def test_an_error_of_the_server_stays_its_own():
    async def broken(scope, receive, send):
        raise ZeroDivisionError("theirs")

    app, lines = guard(broken, Said())
    with pytest.raises(ZeroDivisionError):
        await raw_request(app, [(b"content-type", b"application/json")], [call("ping")])
    assert (lines.last["status"], lines.last["outcome"], lines.last["detail"]) == (500, "allowed", "ZeroDivisionError")


async def test_a_watched_server_lets_through_and_says_so():
    upstream = Upstream()
    app, lines = guard(upstream, Said(allowed=False, reason="token_missing", observe=True))
    assert (await post(app, tool("t"), token=None)).status_code == 200
    assert len(upstream.bodies) == 1
    assert (lines.last["outcome"], lines.last["reason"]) == ("observed", "token_missing")


async def test_a_listener_is_let_through_only_when_all_is_allowed():
    pdp = Said()
    body = call("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["note://a", "note://b"]}})
    app, _ = guard(Upstream(), pdp)
    assert (await post(app, body)).status_code == 200
    pdp.hidden = {"note://b"}
    assert (await post(app, body)).status_code == 403
    assert [item.tool for item in pdp.batches[0]] == ["", "note://a", "note://b"]


async def test_a_final_no_hides_the_scopes_of_the_rest():
    class Mixed(Said):
        async def check_batch(self, token, items, **rest):
            answer = await super().check_batch(token, items, **rest)
            scope = Decision(allowed=False, reason="insufficient_scope", required_scopes=("secret",))
            no = Decision(allowed=False, reason="denied_by_rule")
            return type(answer)(decisions=(scope, no))

    app, _ = guard(Upstream(), Mixed())
    body = call("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["note://a"]}})
    answer = await post(app, body)
    assert answer.json()["error"]["code"] == 40300
    assert "secret" not in answer.text


async def test_an_answer_about_something_else_is_no_answer():
    class Mixed(Said):
        async def check(self, token, item, *, server, request_id):
            answer = await super().check(token, item, server=server, request_id=request_id)
            return type(answer)(decisions=())

    app, _ = guard(Upstream(), Mixed())
    assert (await post(app, call("ping"))).status_code == 503


async def test_a_session_of_the_stateless_era_is_neither_taken_nor_given():
    upstream = Upstream(headers=[(b"mcp-session-id", b"abc")])
    app, _ = guard(upstream, Said())
    modern = {"mcp-protocol-version": "2026-07-28", "mcp-method": "ping", "mcp-session-id": "stolen"}
    answer = await post(app, call("ping"), **modern)
    assert answer.status_code == 200
    assert b"mcp-session-id" not in upstream.seen_headers
    assert "mcp-session-id" not in answer.headers
    old = await post(app, call("ping"))
    assert re.fullmatch(r"abc\.[0-9a-f]{32}", old.headers["mcp-session-id"])
    again = await post(app, call("ping"), mcp_session_id=old.headers["mcp-session-id"])
    assert again.status_code == 200
    assert upstream.seen_headers[b"mcp-session-id"] == b"abc"


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


class Lifespan:
    """An app with a lifespan."""

    def __init__(self, app) -> None:
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        for moment in ("startup", "shutdown"):
            assert (await receive())["type"] == f"lifespan.{moment}"
            await send({"type": f"lifespan.{moment}.complete"})


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


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "ops.example"}, 200),
        ({"host": "evil.example"}, 403),
        ({"host": "ops.example", "origin": "https://ops.example"}, 200),
        ({"host": "ops.example", "origin": "https://evil.example"}, 403),
    ],
)
async def test_hosts_and_origins_can_be_limited(headers, status):
    app, _ = guard(Upstream(), Said(), allowed_hosts=["ops.example"], allowed_origins=["https://ops.example"])
    assert (await post(app, call("ping"), **headers)).status_code == status


async def test_a_websocket_is_refused():
    app, lines = guard(Upstream(), Said())
    said = []

    async def send(event):
        said.append(event)

    await app({"type": "websocket", "path": "/mcp"}, None, send)
    assert said == [{"type": "websocket.close", "code": 1008}]
    assert (lines.last["outcome"], lines.last["http_method"]) == ("refused", "WEBSOCKET")
    with pytest.raises(RuntimeError, match="does not serve `other`"):
        await app({"type": "other"}, None, send)


@pytest.mark.parametrize(
    "settings", [{"path": "mcp"}, {"path": "/health"}, {"session_key": b"short"}, {"sidecar": "x"}]
)
def test_a_setting_that_cannot_be_meant_is_refused(settings):
    with pytest.raises(ValueError):
        AuthzMiddleware(Upstream(), **settings)


async def test_a_compressed_body_is_refused_and_not_passed_unread():
    upstream = Upstream()
    app, _ = guard(upstream, Said())
    answer = await post(app, gzip.compress(tool("danger")), content_encoding="gzip")
    assert answer.status_code == 415
    assert upstream.bodies == []


async def test_events_that_could_carry_bytes_past_us_are_dropped():
    async def sneaky(scope, receive, send):
        assert scope["extensions"] == {}
        await receive()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.pathsend", "path": "/etc/passwd"})
        await send({"type": "http.response.body", "body": b"ok"})
        await send({"type": "http.response.body", "body": b"late"})

    app, _ = guard(sneaky, Said())
    assert await raw_request(app, [(b"content-type", b"application/json")], [call("ping")]) == (200, b"ok")
