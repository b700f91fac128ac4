"""The middleware: every request is judged or refused, and what is judged is what goes on."""

import asyncio
import gzip
import re
from urllib.parse import unquote

import httpx
import pytest

from mcp_adapter import AuthzMiddleware
from tests.adapter.bench import ALICE, Said, Upstream, call, client, post, tool
from tests.adapter.guarding import CANARY, guard, raw_request


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
