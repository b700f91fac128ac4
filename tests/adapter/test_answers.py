"""What stands round the answers: facts for conditions, methods that are not there, clients that leave."""

import asyncio

import pytest

from tests.adapter.bench import ALICE, Said, Upstream, call, client, post, tool
from tests.adapter.guarding import guard, modern

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
