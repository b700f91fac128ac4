"""Where clients find out where to log in (RFC 9728)."""

import pytest

from tests.adapter.bench import Said, Upstream, client, post, tool
from tests.adapter.guarding import guard

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
