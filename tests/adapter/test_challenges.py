"""What is answered to who may not: challenges, faults, and what is only watched."""

import pytest

from mcp_adapter.pdp import Decision, Fault, Unanswered
from tests.adapter.bench import Said, Upstream, call, client, post, tool
from tests.adapter.guarding import guard


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
