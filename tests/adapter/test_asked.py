"""What a message asks for, and which addresses of resources are clear."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_adapter import jsonrpc, methods, uris
from mcp_adapter.refusal import Refusal
from tests.adapter.bench import call, tool


@pytest.mark.parametrize(
    "uri",
    [
        "file:///a/../b",
        "file:///a/./b",
        "file:///..",
        "..",
        "note:..",
        "file:///a/..?x",
        "file:///a/%2e%2e/b",
        "file:///a%2Fb",
        "file:///a%5cb",
        "file:///a%00",
        "file:///a%0a",
        "file:///%73ecret",
        "file:///%",
        "file:///%zz",
        "file:///a\\b",
        "file:///a b",
        "file:///a\tb",
        "file:///a\x7f",
        "file:///a\u200b",
        " file:///a",
        "FILE:///a",
    ],
)
def test_an_ambiguous_uri_is_refused(uri):
    assert uris.wrong(uri)


@pytest.mark.parametrize(
    "uri",
    ["file:///a/b", "note://a", "note://Alice", "https://h/a?q=1#f", "file:///a%20b", "urn:x:y", "f:///{id}", "é:/ü"],
)
def test_a_plain_uri_is_fine(uri):
    assert uris.wrong(uri) == ""


@given(st.text(max_size=60))
def test_any_text_is_a_plain_uri_or_not(uri):
    assert isinstance(uris.wrong(uri), str)


ASKS = [
    pytest.param("initialize", {}, [("initialize", "")], id="initialize"),
    pytest.param("tools/call", {"name": "t"}, [("tools/call", "t")], id="tool"),
    pytest.param("prompts/get", {"name": "p"}, [("prompts/get", "p")], id="prompt"),
    pytest.param("resources/read", {"uri": "note://a"}, [("resources/read", "note://a")], id="resource"),
    pytest.param("resources/subscribe", {"uri": "note://a"}, [("resources/subscribe", "note://a")], id="subscribe"),
    pytest.param("tools/list", {"cursor": "x"}, [("tools/list", "")], id="list"),
    pytest.param("tasks/get", {"taskId": "x"}, [("tasks/get", "")], id="task"),
    pytest.param("my/method", {"name": "x"}, [("my/method", "")], id="unknown"),
    pytest.param(
        "completion/complete",
        {"ref": {"type": "ref/prompt", "name": "p"}},
        [("completion/complete", "ref/prompt:p")],
        id="completion of a prompt",
    ),
    pytest.param(
        "completion/complete",
        {"ref": {"type": "ref/resource", "uri": "f:///{id}"}},
        [("completion/complete", "ref/resource:f:///{id}")],
        id="completion of a resource",
    ),
    pytest.param("subscriptions/listen", {}, [("subscriptions/listen", "")], id="listen to nothing"),
    pytest.param(
        "subscriptions/listen",
        {
            "notifications": {
                "toolsListChanged": True,
                "resourceSubscriptions": ["note://a", "note://b"],
                "taskIds": ["x"],
            }
        },
        [
            ("subscriptions/listen", ""),
            ("subscriptions/listen", "note://a"),
            ("subscriptions/listen", "note://b"),
            ("tasks/get", ""),
        ],
        id="listen to resources and tasks",
    ),
]


@pytest.mark.parametrize(("method", "params", "asked"), ASKS)
def test_a_message_asks_for_what_it_acts_on(method, params, asked):
    found = methods.items(jsonrpc.read(call(method, params)))
    assert [(item.method, item.tool) for item in found] == asked


def test_only_calls_carry_their_arguments():
    (item,) = methods.items(jsonrpc.read(tool("t", amount=9007199254740993)))
    assert item.arguments == b'{"amount": 9007199254740993}'


def test_a_response_of_the_client_is_asked_about_as_such():
    (item,) = methods.items(jsonrpc.read(b'{"jsonrpc":"2.0","id":1,"result":{}}'))
    assert item.method == "client/response"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {}),
        ("tools/call", {"name": ""}),
        ("tools/call", {"name": 5}),
        ("tools/call", {"name": "x" * 2049}),
        ("resources/read", {"uri": "file:///a/../b"}),
        ("completion/complete", {}),
        ("completion/complete", {"ref": {"type": "ref/other", "name": "x"}}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "x", "uri": "y:z"}}),
        ("completion/complete", {"ref": {"type": "ref/resource", "uri": "y:z", "name": "x"}}),
        ("subscriptions/listen", {"notifications": []}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": "note://a"}}),
        ("subscriptions/listen", {"notifications": {"resourceSubscriptions": ["n:a"] * 999}}),
        ("subscriptions/listen", {"notifications": {"taskIds": "x"}}),
        ("tasks/get", {}),
    ],
)
def test_a_message_that_does_not_say_what_it_acts_on_is_refused(method, params):
    with pytest.raises(Refusal) as refused:
        methods.items(jsonrpc.read(call(method, params, number=7)))
    assert (refused.value.status, refused.value.code, refused.value.request_id) == (400, -32602, 7)


def test_every_method_of_the_sdk_is_in_the_table():
    from mcp.shared.inbound import NAME_BEARING_METHODS
    from mcp_types.methods import CLIENT_NOTIFICATIONS, CLIENT_REQUESTS

    assert {method for method, _ in CLIENT_REQUESTS} <= set(methods.METHODS)
    assert all(method.startswith("notifications/") for method, _ in CLIENT_NOTIFICATIONS)
    for method, parameter in NAME_BEARING_METHODS.items():
        assert methods.METHODS[method].mirrored == parameter


def test_every_method_of_the_table_is_one_that_the_sidecar_judges():
    from authz_sidecar.methods import METHODS

    assert set(methods.METHODS) | {"client/response", "session/stream", "session/delete"} == set(METHODS)
    lists = {method for method, entry in METHODS.items() if entry.kind == "list"}
    assert {method for method, entry in methods.METHODS.items() if entry.listing is not None} == lists
