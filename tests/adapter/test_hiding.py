"""Hidden names: the answer is, byte for byte, what the server itself says of a name that does not exist."""

import asyncio
import json
from contextlib import AsyncExitStack

import pytest
from mcp.server.mcpserver import MCPServer

from mcp_adapter import AuthzMiddleware, jsonrpc, methods
from mcp_adapter.asked import Asked
from mcp_adapter.headers import Headers
from mcp_adapter.unknown import Unknown
from tests.adapter.bench import Lines, Said, Upstream, call, post, tool
from tests.adapter.real_server import running, server
from tests.adapter.wire import Caller


def lesser() -> MCPServer:
    """The same server without what is hidden."""
    return MCPServer("test")


SHAPES = [
    pytest.param(True, False, False, id="modern"),
    pytest.param(True, False, True, id="modern, JSON answers"),
    pytest.param(False, False, False, id="sessions"),
    pytest.param(False, False, True, id="sessions, JSON answers"),
    pytest.param(False, True, False, id="old era, no sessions"),
    pytest.param(False, True, True, id="old era, no sessions, JSON answers"),
]
HIDDEN = [
    pytest.param("tools/call", {"name": "danger", "arguments": {}}, id="a tool"),
    pytest.param("tools/call", {"name": "danger", "arguments": {"x": 1}}, id="a tool with arguments"),
    pytest.param("prompts/get", {"name": "farewell"}, id="a prompt"),
    pytest.param("resources/read", {"uri": "note://b"}, id="a resource"),
]


def plain(answer):
    """Give status, headers in their order and body, without what differs from one answer to the next."""
    passing = (b"date", b"mcp-session-id")
    headers = [(name, value) for name, value in answer.headers.raw if name.lower() not in passing]
    return answer.status_code, headers, answer.content


@pytest.mark.parametrize(("modern", "stateless", "as_json"), SHAPES)
@pytest.mark.parametrize(("method", "params"), HIDDEN)
async def test_what_is_hidden_reads_like_what_does_not_exist(
    sidecar, lines, modern, stateless, as_json, method, params
):
    apps = [one.streamable_http_app(stateless_http=stateless, json_response=as_json) for one in (server(), lesser())]
    full, less = (
        AuthzMiddleware(app, server="ops", sidecar=sidecar.target, audit=sink, denied="hide", timeout=5)
        for app, sink in zip(apps, (lines, Lines()), strict=True)
    )
    async with AsyncExitStack() as stack:
        urls = [await stack.enter_async_context(running(app)) for app in (full, less)]
        alice = await stack.enter_async_context(Caller(urls[0], "alice", modern=modern))
        root = await stack.enter_async_context(Caller(urls[1], "root", modern=modern))
        hidden, absent = await alice.ask(method, params), await root.ask(method, params)
    assert plain(hidden) == plain(absent)
    if method != "prompts/get":  # the SDK does not repeat the name of a prompt in the new era
        assert params.get("name", params.get("uri")).encode() in hidden.content
    event = [one for one in lines.events if one["method"] == method][-1]
    assert (event["outcome"], event["reason"]) == ("denied", "no_matching_rule")
    assert event["detail"] == "answered as an unknown name"


UNKNOWN = '{"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"no such thing: %s"}}'


class Speaking:
    """A server that knows nothing, and says so in its own spelling."""

    def __init__(self, spell=lambda name: name, says=UNKNOWN, key="name", **how) -> None:
        self.upstream = Upstream(**how)
        self.spell, self.says, self.key = spell, says, key

    async def __call__(self, scope, receive, send) -> None:
        async def heard():
            event = await receive()
            name = json.loads(event["body"])["params"][self.key]
            self.upstream.chunks = [(self.says.replace("%s", self.spell(name))).encode()]
            return event

        await self.upstream(scope, heard, send)

    @property
    def asked(self) -> dict:
        return json.loads(self.upstream.bodies[-1])


def hiding(app, pdp=None):
    lines = Lines()
    guard = AuthzMiddleware(app, server="ops", client=pdp or Said(allowed=False), audit=lines, denied="hide")
    return guard, lines


@pytest.mark.parametrize(
    ("spell", "spelled"),
    [
        pytest.param(lambda name: name, "note://b/c?d=e&f=g", id="as it is"),
        pytest.param(lambda name: name.replace("/", "\\/"), "note:\\/\\/b\\/c?d=e&f=g", id="slashes escaped"),
        pytest.param(lambda name: name.replace("&", "\\u0026"), "note://b/c?d=e\\u0026f=g", id="ampersands escaped"),
    ],
)
async def test_a_name_is_spelled_as_the_server_spells_names(spell, spelled):
    app, _ = hiding(Speaking(spell, key="uri"))
    answer = await post(app, call("resources/read", {"uri": "note://b/c?d=e&f=g"}))
    assert answer.content == (UNKNOWN % spelled).encode()


async def test_nothing_of_a_hidden_call_reaches_the_server():
    upstream = Speaking()
    app, _ = hiding(upstream)
    await post(app, tool("danger", secret="s3cret"), mcp_param_who="danger")
    sent = str(upstream.upstream.bodies) + str(upstream.upstream.scopes[0]["headers"])
    assert "danger" not in sent
    assert "s3cret" not in sent
    assert upstream.asked["id"] == 1
    assert upstream.upstream.scopes[0]["authz.passed"].tool == upstream.asked["params"]["name"]


@pytest.mark.parametrize(
    ("upstream", "name"),
    [
        pytest.param(Speaking(says='{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'), "danger", id="takes any name"),
        pytest.param(Speaking(says='{"jsonrpc":"2.0","id":2,"error":{"code":1}}'), "danger", id="speaks of another"),
        pytest.param(Speaking(says="nonsense"), "danger", id="is no JSON"),
        pytest.param(Speaking(str.upper), "danger", id="spells names in capitals"),
        pytest.param(Speaking(lambda name: name[:12]), "danger", id="cuts names short"),
        pytest.param(Speaking(), "dänger", id="a name that JSON writers spell differently"),
        pytest.param(Speaking(), 'dan"ger', id="a name with a quote"),
        pytest.param(Speaking(), "a/b", id="a slash that was not learnt"),
        pytest.param(Speaking(says=UNKNOWN + " " * 70_000), "danger", id="too long"),
    ],
)
async def test_where_the_answer_cannot_be_learnt_it_is_403(upstream, name):
    app, lines = hiding(upstream)
    answer = await post(app, tool(name))
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == 40300
    assert lines.last["outcome"] == "denied"


async def test_a_name_that_the_server_does_not_repeat_need_not_be_spelled():
    app, _ = hiding(Speaking(lambda name: "?"))
    answer = await post(app, tool("dänger"))
    assert answer.content == (UNKNOWN % "?").encode()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(call("resources/subscribe", {"uri": "note://b"}), id="subscribing"),
        pytest.param(call("logging/setLevel", {"level": "debug"}), id="a method that names nothing"),
        pytest.param(call("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}}), id="completing"),
    ],
)
async def test_what_names_nothing_to_hide_is_403(body):
    upstream = Upstream()
    app, _ = hiding(upstream)
    assert (await post(app, body)).status_code == 403
    assert upstream.bodies == []


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        pytest.param("insufficient_scope", 403, id="one that stepping up would open"),
        pytest.param("token_expired", 401, id="a caller who was not verified"),
    ],
)
async def test_only_a_final_no_is_hidden(reason, status):
    upstream = Upstream()
    app, _ = hiding(upstream, Said(allowed=False, reason=reason))
    assert (await post(app, tool("danger"))).status_code == status
    assert upstream.bodies == []


async def test_an_error_of_the_server_passes_as_it_is():
    app, _ = hiding(Speaking(says="busy", status=503, content_type="text/plain"))
    answer = await post(app, tool("danger"))
    assert (answer.status_code, answer.text) == (503, "busy")


async def test_a_session_of_somebody_else_is_not_asked_in():
    upstream = Upstream()
    app, _ = hiding(upstream)
    assert (await post(app, tool("danger"), mcp_session_id="theirs")).status_code == 404
    assert upstream.bodies == []


async def test_a_server_that_never_answers_is_not_waited_for():
    async def silent(scope, receive, send):
        await receive()
        await asyncio.Event().wait()

    message = jsonrpc.read(tool("danger"))
    asked = Asked(headers=Headers([]), items=methods.items(message), message=message)
    unknown = Unknown(silent, seconds=0.01)
    assert await unknown.answer(asked, {}, unknown.question(asked), asyncio.Event().wait) is None


async def test_a_final_no_can_be_said_with_200_and_is_logged_as_denied():
    lines = Lines()
    app = AuthzMiddleware(Upstream(), server="ops", client=Said(allowed=False), audit=lines, denied="200")
    answer = await post(app, tool("danger"))
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == 40300
    assert answer.json()["id"] == 1
    assert (lines.last["outcome"], lines.last["status"]) == ("denied", 200)


@pytest.mark.parametrize(
    ("pdp", "body", "status"),
    [
        pytest.param(Said(allowed=False, reason="insufficient_scope"), tool("t"), 403, id="a step up"),
        pytest.param(Said(allowed=False, reason="token_expired"), tool("t"), 401, id="a challenge"),
        pytest.param(Said(allowed=False), call("notifications/x", number=None), 403, id="a notification"),
    ],
)
async def test_everything_else_keeps_its_status(pdp, body, status):
    app = AuthzMiddleware(Upstream(), server="ops", client=pdp, audit=Lines(), denied="200")
    assert (await post(app, body)).status_code == status


def test_a_way_of_denying_that_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="`gently` is none of"):
        AuthzMiddleware(Upstream(), client=Said(), denied="gently")
