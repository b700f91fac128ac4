"""What stands round the answers: CORS, metadata, facts for conditions, mirrored arguments, lists by other ways."""

import asyncio
import gc
import json

import httpx
import msgspec
import pytest
from mcp.server.mcpserver import MCPServer

from mcp_adapter import AuthzMiddleware
from mcp_adapter.headers import Headers
from mcp_adapter.jsonrpc import read
from mcp_adapter.params import Params
from tests.adapter.bench import ALICE, Lines, Said, Upstream, call, client, post, tool
from tests.adapter.test_end_to_end import running
from tests.adapter.wire import META, MODERN, Caller

PAGE = "https://app.example"


def guard(app=None, pdp=None, **settings):
    lines = Lines()
    return AuthzMiddleware(app or Upstream(), server="ops", client=pdp or Said(), audit=lines, **settings), lines


# -- CORS --


async def preflight(app, *, origin=PAGE, path="/mcp", asks="POST", headers="authorization, content-type"):
    said = {"origin": origin, "access-control-request-method": asks, "access-control-request-headers": headers}
    async with client(app) as http:
        return await http.options(path, headers=said)


async def test_a_browser_may_ask_from_an_origin_that_is_named():
    upstream = Upstream()
    app, _ = guard(upstream, cors_origins=[PAGE])
    answer = await preflight(app, headers="Authorization,content-type, mcp-method,mcp-param-x ,X-Evil, x y,cookie")
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert answer.headers["access-control-allow-methods"] == "GET, POST, DELETE"
    assert answer.headers["access-control-allow-headers"] == "authorization, content-type, mcp-method, mcp-param-x"
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers
    assert upstream.bodies == []


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"origin": "https://evil.example"}, id="another origin"),
        pytest.param({"origin": "https://app.example:444"}, id="another port"),
        pytest.param({"origin": "null"}, id="no origin"),
        pytest.param({"origin": "HTTPS://APP.EXAMPLE"}, id="an origin as no browser spells it"),
    ],
)
async def test_a_browser_may_not_ask_from_any_other(how):
    app, _ = guard(cors_origins=[PAGE])
    answer = await preflight(app, **how)
    assert not [name for name in answer.headers if name.startswith("access-control-")]
    assert answer.headers["vary"] == "Origin"


async def test_without_origins_nothing_of_it_is_said():
    app, _ = guard()
    answer = await preflight(app)
    assert (answer.status_code, answer.headers["allow"]) == (204, "GET, POST, DELETE, OPTIONS")
    assert not [name for name in answer.headers if name.startswith("access-control-") or name == "vary"]


async def test_a_preflight_without_headers_names_none():
    app, _ = guard(cors_origins=[PAGE])
    answer = await preflight(app, headers="")
    assert "access-control-allow-headers" not in answer.headers


@pytest.mark.parametrize(
    ("pdp", "token", "status"),
    [
        pytest.param(Said(), "token-alice", 200, id="an answer"),
        pytest.param(Said(allowed=False, reason="token_missing"), None, 401, id="a challenge"),
        pytest.param(Said(allowed=False), "token-alice", 403, id="a refusal"),
        pytest.param(Said(), "token alice", 400, id="a request that is not well formed"),
    ],
)
async def test_a_page_reads_every_answer_and_the_challenge(pdp, token, status):
    upstream = Upstream(
        headers=[(b"access-control-allow-origin", b"*"), (b"Access-Control-Allow-Credentials", b"true")]
    )
    app, _ = guard(upstream, pdp, cors_origins=[PAGE])
    answer = await post(app, tool("t"), token=token, origin=PAGE)
    assert answer.status_code == status
    assert answer.headers.get_list("access-control-allow-origin") == [PAGE]
    assert "WWW-Authenticate" in answer.headers["access-control-expose-headers"]
    assert "Mcp-Session-Id" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_an_origin_for_pages_is_an_accepted_origin():
    app, _ = guard(cors_origins=[PAGE], allowed_origins=["http://127.0.0.1"])
    assert (await post(app, tool("t"), origin=PAGE)).status_code == 200
    assert (await post(app, tool("t"), origin="http://127.0.0.1")).status_code == 200
    refused = await post(app, tool("t"), origin="https://evil.example")
    assert refused.status_code == 403
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize("origin", ["*", "null", "https://app.example/", "app.example", "https://App.example"])
def test_what_is_no_origin_is_refused(origin):
    with pytest.raises(ValueError, match="is not an origin"):
        guard(cors_origins=[origin])


# -- metadata (RFC 9728) --

SETTINGS = {"resource": "https://mcp.example/mcp", "authorization_servers": ["https://idp.example"]}


@pytest.mark.parametrize("path", ["/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"])
async def test_clients_find_where_to_log_in(path):
    upstream = Upstream()
    app, lines = guard(
        upstream, **SETTINGS, scopes_supported=["a", "b"], allowed_hosts=["127.0.0.1"], allowed_origins=[]
    )
    async with client(app) as http:
        answer = await http.get(path, headers={"origin": "https://any.example"})
        head, options, put = await http.head(path), await http.options(path), await http.put(path)
    assert answer.json() == {
        "resource": "https://mcp.example/mcp",
        "authorization_servers": ["https://idp.example"],  # exactly as given: no slash is added
        "bearer_methods_supported": ["header"],
        "resource_name": "ops",
        "scopes_supported": ["a", "b"],
    }
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert (head.status_code, head.content, options.status_code, put.status_code) == (200, b"", 204, 405)
    assert upstream.bodies == []
    assert (lines.events[0]["outcome"], lines.events[0]["status"]) == ("public", 200)


async def test_the_metadata_is_for_this_host_alone():
    app, _ = guard(**SETTINGS, allowed_hosts=["mcp.example"])
    async with client(app) as http:
        assert (await http.get("/.well-known/oauth-protected-resource")).status_code == 403


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        pytest.param(
            "https://mcp.example/a/mcp", "https://mcp.example/.well-known/oauth-protected-resource/a/mcp", id="a path"
        ),
        pytest.param("https://mcp.example/", "https://mcp.example/.well-known/oauth-protected-resource", id="a slash"),
        pytest.param("https://mcp.example", "https://mcp.example/.well-known/oauth-protected-resource", id="no path"),
    ],
)
async def test_challenges_name_the_metadata(resource, url):
    denying = Said(allowed=False, reason="token_missing")
    app, _ = guard(pdp=denying, resource=resource, authorization_servers=["https://idp.example"])
    assert f'resource_metadata="{url}"' in (await post(app, tool("t"), token=None)).headers["www-authenticate"]
    async with client(app) as http:
        assert (await http.get(url.removeprefix("https://mcp.example"))).json()["resource"] == resource
    stepping = Said(allowed=False, reason="insufficient_scope")
    app, _ = guard(pdp=stepping, resource=resource, authorization_servers=["https://idp.example"])
    assert url in (await post(app, tool("t"))).headers["www-authenticate"]


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"resource": "https://mcp.example"}, id="no issuer"),
        pytest.param({"authorization_servers": ["https://idp.example"]}, id="no identifier"),
        pytest.param({"scopes_supported": ["a"]}, id="scopes alone"),
        pytest.param(SETTINGS | {"resource": "mcp.example"}, id="no URL"),
        pytest.param(SETTINGS | {"resource": "https://mcp.example/mcp#x"}, id="a fragment"),
        pytest.param(SETTINGS | {"authorization_servers": ["idp"]}, id="an issuer that is no URL"),
    ],
)
def test_metadata_that_cannot_be_meant_is_refused(settings):
    with pytest.raises(ValueError, match=r"belong together|is not an"):
        guard(**settings)


async def test_without_metadata_the_path_is_not_found():
    app, _ = guard()
    async with client(app) as http:
        assert (await http.get("/.well-known/oauth-protected-resource")).status_code == 404


# -- facts for conditions --


async def test_facts_go_with_every_question():
    pdp = Said()
    listing = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"a"}]}}'
    app, _ = guard(Upstream(listing), pdp, context=lambda scope: {"ip": scope["client"][0]})
    async with client(app) as http:
        sent = ALICE | {"content-type": "application/json", "x-forwarded-for": "10.9.9.9"}
        assert (await http.post("/mcp", content=call("tools/list"), headers=sent)).status_code == 200
    assert pdp.contexts == [{"ip": "127.0.0.1"}, {"ip": "127.0.0.1"}]  # the list, then its entries


async def test_facts_that_cannot_be_had_let_nobody_through():
    upstream = Upstream()
    app, lines = guard(upstream, context=lambda scope: {"ip": scope["nothing"]})
    assert (await post(app, tool("t"))).status_code == 503
    assert upstream.bodies == []
    assert lines.last["outcome"] == "unanswered"


# -- arguments that headers repeat --

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "amount": {"type": "integer", "x-mcp-header": "Amount"},
        "sure": {"type": "boolean", "x-mcp-header": "Sure"},
        "deep": {"type": "object", "properties": {"er": {"type": "string", "x-mcp-header": "Deeper"}}},
        "ratio": {"type": "number", "x-mcp-header": "Ratio"},
    },
}


class Billing:
    """A server of the new era with one tool; it answers whatever it is called for."""

    def __init__(self, schema=SCHEMA) -> None:
        self.schema = schema
        self.calls = 0

    async def __call__(self, scope, receive, send) -> None:
        asked = json.loads((await receive())["body"])
        result = {"tools": [{"name": "pay", "inputSchema": self.schema}, {"name": "other"}, {"title": "nameless"}]}
        if asked["method"] == "tools/call":
            self.calls += 1
            result = {"content": []}
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def modern(app, method, params, **headers):
    body = call(method, {**params, "_meta": META})
    named = {"mcp_name": params["name"]} if "name" in params else {}
    return await post(app, body, mcp_protocol_version=MODERN, mcp_method=method, **named, **headers)


@pytest.mark.parametrize(
    ("arguments", "headers", "status"),
    [
        pytest.param({"region": "eu"}, {"mcp_param_region": "eu"}, 200, id="equal"),
        pytest.param({"region": "eu"}, {"mcp_param_region": "us"}, 400, id="another value"),
        pytest.param({"region": "eu"}, {"mcp_param_region": "EU"}, 400, id="other capitals"),
        pytest.param({"region": "eu"}, {"mcp_param_region": "=?base64?ZXU=?="}, 200, id="in base64"),
        pytest.param({"region": "eu"}, {"mcp_param_region": "=?base64?ZXV=?="}, 400, id="in base64, not canonical"),
        pytest.param({}, {"mcp_param_region": "eu"}, 400, id="without the argument"),
        pytest.param({"region": None}, {"mcp_param_region": "eu"}, 400, id="with null"),
        pytest.param({"region": ["eu"]}, {"mcp_param_region": "eu"}, 400, id="with a list"),
        pytest.param({"region": "eu"}, {}, 200, id="no header, which the server judges"),
        pytest.param({"amount": 5}, {"mcp_param_amount": "5"}, 200, id="a number"),
        pytest.param({"amount": 5}, {"mcp_param_amount": "05"}, 400, id="a number spelled otherwise"),
        pytest.param({"sure": True}, {"mcp_param_sure": "true"}, 200, id="a truth"),
        pytest.param({"sure": True}, {"mcp_param_sure": "1"}, 400, id="a truth spelled otherwise"),
        pytest.param({"deep": {"er": "x"}}, {"mcp_param_deeper": "x"}, 200, id="deep down"),
        pytest.param({"deep": 1}, {"mcp_param_deeper": "x"}, 400, id="deep down, and not there"),
        pytest.param({"ratio": 1.5}, {"mcp_param_ratio": "9"}, 200, id="a type that has no header"),
        pytest.param({"region": "eu"}, {"mcp_param_unknown": "x"}, 200, id="a header of nobody"),
    ],
)
async def test_a_header_says_what_the_argument_says(arguments, headers, status):
    server = Billing()
    app, lines = guard(server)
    assert (await modern(app, "tools/list", {})).status_code == 200
    answer = await modern(app, "tools/call", {"name": "pay", "arguments": arguments}, **headers)
    assert answer.status_code == status
    assert server.calls == (status == 200)
    if status == 400:
        assert answer.json()["error"]["code"] == -32020
        assert (lines.last["outcome"], lines.last["who"]["subject"]) == ("refused", "alice")


async def test_headers_of_a_denied_tool_say_nothing_about_it():
    pdp = Said()
    app, _ = guard(Billing(), pdp)
    await modern(app, "tools/list", {})
    pdp.decision = Said(allowed=False).decision
    lying = {"name": "pay", "arguments": {"region": "eu"}}
    assert (await modern(app, "tools/call", lying, mcp_param_region="us")).status_code == 403


def raw(**tool):
    return {key: msgspec.Raw(json.dumps(value).encode()) for key, value in tool.items()}


@pytest.mark.parametrize(
    "taught",
    [
        pytest.param([raw(name="t", inputSchema=SCHEMA), raw(name="t", inputSchema={})], id="a later list"),
        pytest.param([raw(name=1, inputSchema=SCHEMA)], id="a name that is none"),
        pytest.param([raw(inputSchema=SCHEMA)], id="no name"),
        pytest.param(
            [raw(name="t", inputSchema={"properties": {n: {"type": "string", "x-mcp-header": "R"} for n in "ab"}})],
            id="one header for two arguments",
        ),
        pytest.param([raw(name="t", inputSchema={"properties": {"a": {"x-mcp-header": 1}}})], id="no header's name"),
        pytest.param([raw(name="t", inputSchema=["x-mcp-header"])], id="no schema"),
        pytest.param([raw(name="t", inputSchema="x-mcp-header")], id="a text"),
        pytest.param(
            [raw(name=str(number), inputSchema=SCHEMA) for number in ("t", *range(1000))], id="a thousand others"
        ),
    ],
)
def test_what_is_unclear_or_long_ago_is_not_known(taught):
    params = Params()
    for one in taught:
        params.learn(one)
    for name in ("mcp-param-region", "mcp-param-r"):
        params.check(Headers([(name.encode(), b"lie")]), read(tool("t", region="eu")))


# -- lists that come by other ways --


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the SDK forgets the first request
async def test_a_list_that_answers_a_call_of_the_same_id_is_filtered(sidecar):
    """Two requests of one id in a session: the SDK gives the answer of the first to the second."""
    mcp = MCPServer("test")
    asked, go, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @mcp.tool()
    async def echo() -> str:
        await done.wait()
        return "late"

    @mcp.tool()
    def danger() -> str:
        return "BOOM"

    listing = mcp.list_tools

    async def slowly(*args, **more):
        asked.set()
        await go.wait()
        return await listing(*args, **more)

    mcp.list_tools = slowly
    started = asyncio.Event()

    async def noticing(scope, receive, send):
        async def heard():
            event = await receive()
            if b'"tools/call"' in event.get("body", b""):
                started.set()
            return event

        await app(scope, heard, send)

    app = mcp.streamable_http_app()
    guarded = AuthzMiddleware(noticing, server="ops", sidecar=sidecar.target, audit=Lines(), timeout=5)
    async with asyncio.timeout(10), running(guarded) as url, Caller(url, "alice", modern=False) as alice:
        first = asyncio.create_task(alice.ask("tools/list", {}, 5))
        await asked.wait()
        second = asyncio.create_task(alice.ask("tools/call", {"name": "echo", "arguments": {}}, 5))
        await started.wait()
        for _ in range(50):  # the SDK's own tasks take the call
            await asyncio.sleep(0)
        go.set()
        finished, waiting = await asyncio.wait({first, second}, timeout=2, return_when=asyncio.FIRST_COMPLETED)
        done.set()
        said = b"".join(one.result().content for one in finished)
        for one in waiting:
            one.cancel()
        await asyncio.wait({first, second})
    gc.collect()  # what the SDK left open is told here and in no other test
    assert b"echo" in said
    assert b"danger" not in said


READ = b'{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"note://a","text":"a"}],"ttlMs":5,"cacheScope":"public"}}'


async def test_what_was_read_is_the_callers_own():
    app, lines = guard(Upstream(READ))
    body = call("resources/read", {"uri": "note://a", "_meta": META})
    answer = await post(app, body, mcp_protocol_version=MODERN, mcp_method="resources/read", mcp_name="note://a")
    assert answer.json()["result"] == json.loads(READ)["result"] | {"cacheScope": "private"}
    assert "listed" not in lines.last


LISTS = [
    ("tools/list", "tools", "name", "tools/call"),
    ("prompts/list", "prompts", "name", "prompts/get"),
    ("resources/list", "resources", "uri", "resources/read"),
    ("resources/templates/list", "resourceTemplates", "uriTemplate", "resources/read"),
]


@pytest.mark.parametrize(("method", "key", "name", "right"), LISTS)
@pytest.mark.parametrize("streams", [pytest.param(False, id="JSON"), pytest.param(True, id="events")])
@pytest.mark.parametrize("new", [pytest.param(True, id="new era"), pytest.param(False, id="old era")])
async def test_every_list_keeps_order_and_cursor_and_is_private(method, key, name, right, streams, new):
    entries = [{name: f"x:{letter}", "title": letter} for letter in "dbca"]
    result = {key: entries, "nextCursor": "page-2"}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()
    kind = "text/event-stream" if streams else "application/json"
    upstream = Upstream(b"id: 7\ndata: " + body + b"\n\n" if streams else body, content_type=kind)
    pdp = Said()
    pdp.hidden = {"x:b", "x:a"}
    app, lines = guard(upstream, pdp)
    mirrored = {"mcp_protocol_version": MODERN, "mcp_method": method} if new else {}
    params = {"cursor": "page-1"} | ({"_meta": META} if new else {})
    answer = await post(app, call(method, params), accept_encoding="gzip", **mirrored)
    data = answer.content.partition(b"data: ")[2] if streams else answer.content
    shown = json.loads(data)["result"]
    assert shown[key] == [entries[0], entries[2]]
    assert shown["nextCursor"] == "page-2"
    assert shown.get("cacheScope") == ("private" if new else None)
    assert [(item.method, item.tool) for item in pdp.batches[0]] == [(method, f"x:{letter}") for letter in "dbca"]
    assert (lines.last["listed"], lines.last["hidden"]) == (2, 2)
    assert b"accept-encoding" not in upstream.seen_headers


async def test_an_answer_in_a_session_that_is_no_list_keeps_its_bytes():
    body = b'{"jsonrpc" : "2.0","id":1,"result":{"content":[ ],"structuredContent":{"tools":[{"name":"x"}]}}}'
    app, _ = guard(Upstream(body, headers=[(b"mcp-session-id", b"s1")]))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        headers = ALICE | {"content-type": "application/json"}
        first = await http.post("/mcp", content=tool("t"), headers=headers)
        second = await http.post(
            "/mcp", content=tool("t"), headers=headers | {"mcp-session-id": first.headers["mcp-session-id"]}
        )
    assert (first.content, second.content) == (body, body)


# -- methods that are not there, and answers that were had --


UNKNOWN = Said(allowed=False, reason="method_unknown")


async def test_an_unknown_method_is_404_where_there_are_no_sessions():
    app, lines = guard(pdp=UNKNOWN)
    answer = await modern(app, "tools/execute", {})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, -32601)
    assert (lines.last["outcome"], lines.last["reason"]) == ("denied", "method_unknown")


async def test_an_unknown_method_is_403_where_404_would_end_the_session():
    app, _ = guard(pdp=UNKNOWN)
    answer = await post(app, call("tools/execute"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, 40300)


OLD = ["logging/setLevel", "resources/subscribe", "resources/unsubscribe", "tasks/list", "tasks/result"]


@pytest.mark.parametrize("method", OLD)
@pytest.mark.parametrize(
    "pdp",
    [
        pytest.param(Said(), id="allowed"),
        pytest.param(Said(allowed=False), id="denied"),
        pytest.param(Said(allowed=False, observe=True), id="watched"),
    ],
)
async def test_a_method_of_the_old_era_is_unknown_in_the_new_one(method, pdp):
    upstream = Upstream()
    app, lines = guard(upstream, pdp)
    answer = await modern(app, method, {"uri": 5, "taskId": {}})
    assert (answer.status_code, answer.json()["error"]["code"], answer.json()["id"]) == (404, -32601, 1)
    assert upstream.bodies == []
    assert (lines.last["outcome"], lines.last["method"]) == ("denied", method)


@pytest.mark.parametrize("reason", ["token_expired", "token_claim_missing"])
async def test_who_was_not_verified_does_not_learn_which_methods_there_are(reason):
    app, _ = guard(pdp=Said(allowed=False, reason=reason))
    assert (await modern(app, "tasks/result", {})).status_code == 401


ANSWER = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'


@pytest.mark.parametrize(
    ("pieces", "outcome", "failed"),
    [
        pytest.param([b"data: " + ANSWER + b"\n\n"], "allowed", False, id="after the answer"),
        pytest.param([b"data: {}\n\n"], "aborted", None, id="before the answer"),
        pytest.param([b"data: " + ANSWER[:20]], "aborted", None, id="within the answer"),
    ],
)
async def test_a_client_that_leaves_is_aborted_unless_it_has_its_answer(pieces, outcome, failed):
    async def server(scope, receive, send):
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        scope["authz.passed"].note("the client went away", "aborted")

    app, lines = guard(server)
    events = [{"type": "http.request", "body": tool("t")}]

    async def receive():
        return events.pop() if events else {"type": "http.disconnect"}

    async def send(event):
        pass

    raw_headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer token-alice")]
    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": raw_headers, "query_string": b""}
    async with asyncio.timeout(10):
        await app(scope, receive, send)
    assert (lines.last["outcome"], lines.last["status"], lines.last.get("tool_error")) == (outcome, 200, failed)
