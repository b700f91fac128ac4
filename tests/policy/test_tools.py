"""`tools.json`: what servers offer, as their own list results say it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authz_sidecar.policy.findings import Findings
from authz_sidecar.policy.tools import parse_tools


def test_lists_are_read_as_mcp_gives_them() -> None:
    data = {
        "desk": {
            "tools": [{"name": "a", "inputSchema": {"type": "object"}}, {"name": "b"}],
            "prompts": [{"name": "p"}],
            "resources": [{"uri": "x://1", "name": "one"}],
            "resourceTemplates": [{"uriTemplate": "y://{id}/z", "name": "many"}],
        }
    }
    tools = parse_tools("tools.json", json.dumps(data).encode(), found := Findings())
    assert found.problems == ()
    offer = tools.offer("desk", "tools/call")
    assert offer is not None
    assert offer.names == {"a", "b"}
    assert tools.schemas == {("desk", "a"): {"type": "object"}}
    resources = tools.offer("desk", "resources/read")
    assert resources is not None
    assert [resources.knows(uri) for uri in ("x://1", "y://7/z", "x://2")] == [True, True, False]
    assert tools.offer("shop", "tools/call") is None


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "is not JSON that everybody reads alike: it breaks at line 1 column 1: ", id="empty"),
        pytest.param(
            b'{"a": {}, "a": {}}', "is not JSON that everybody reads alike: it has a duplicate key", id="twice"
        ),
        pytest.param(b"[]", "expected an object by server", id="a list"),
        pytest.param(b'{"a": []}', "`a` is not an object, expected `tools`, ", id="a server that is a list"),
        pytest.param(b'{"a": {"tool": []}}', "`a.tool` is unknown, expected `tools`, ", id="an unknown list"),
        pytest.param(b'{"a": {"tools": {}}}', "`a.tools` is not a list", id="no list"),
        pytest.param(b'{"a": {"tools": [1]}}', "`a.tools[0]` has no `name`", id="no object"),
        pytest.param(b'{"a": {"resources": [{"name": "n"}]}}', "`a.resources[0]` has no `uri`", id="no name"),
        pytest.param(b'{"a": {"tools": [{"name": 7}]}}', "`a.tools[0]` has no `name`", id="a number"),
    ],
)
def test_what_it_cannot_mean_is_told(data: bytes, problem: str) -> None:
    parse_tools("tools.json", data, found := Findings())
    (told,) = found.problems
    assert told.message.startswith(problem)
    assert told.code == "bad-tools"


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["tools", "name", "desk", "uri"]), inner),
    ).map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    parse_tools("tools.json", data, Findings())
