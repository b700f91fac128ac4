"""Pages in a browser: which may ask, and what they may read (CORS)."""

import pytest

from tests.adapter.bench import Said, Upstream, client, post, tool
from tests.adapter.guarding import guard

PAGE = "https://app.example"


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
