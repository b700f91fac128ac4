"""Every method that a client of any SDK can send is in the tables; a new one fails here first."""

import json
import subprocess
import typing
from pathlib import Path
from typing import Any

import mcp_types
import pytest
from mcp.shared.inbound import NAME_BEARING_METHODS
from mcp_types import methods as sdk
from pydantic import BaseModel

from authz_sidecar.methods import METHODS as JUDGED
from authz_sidecar.methods import Kind
from mcp_adapter.jsonrpc import read
from mcp_adapter.methods import CLIENT_RESPONSE, METHODS, SESSION_DELETE, SESSION_STREAM, items
from mcp_adapter.pdp import Item
from mcp_adapter.refusal import Refusal

FOLDER = Path(__file__).parent / "sdk"
OF_MCP_1: dict[str, Any] = json.loads((FOLDER / "mcp1.json").read_text(encoding="utf-8"))


def of_mcp_2() -> set[str]:
    """Give what clients of the installed SDK send, by its own tables and by every request type that it has."""
    found = {method for method, _ in sdk.CLIENT_REQUESTS}
    from_servers = {method for method, _ in sdk.SERVER_REQUESTS}
    for kind in vars(mcp_types).values():
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind.__name__.endswith("Request"):
            for name in (
                typing.get_args(kind.model_fields["method"].annotation) if "method" in kind.model_fields else ()
            ):
                if isinstance(name, str) and name not in from_servers:
                    found.add(name)
    return found


def test_the_installed_sdk_is_read_whole():
    assert {"tools/call", "tasks/get", "subscriptions/listen", "server/discover"} <= of_mcp_2()


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(of_mcp_2(), id="mcp 2"),
        pytest.param(set(OF_MCP_1["requests"]), id="mcp 1"),
        pytest.param({"tasks/get", "tasks/update", "tasks/cancel"}, id="the tasks extension"),
    ],
)
def test_every_request_of_an_sdk_has_a_line(names):
    assert names - set(METHODS) == set()


def test_every_notification_of_an_sdk_passes_with_a_valid_token():
    names = {method for method, _ in sdk.CLIENT_NOTIFICATIONS} | set(OF_MCP_1["notifications"])
    assert all(name.startswith("notifications/") for name in names)
    assert [items(read(json.dumps({"jsonrpc": "2.0", "method": name}).encode())) for name in sorted(names)] == [
        (Item(method=name),) for name in sorted(names)
    ]


def test_both_tables_know_the_same_methods():
    assert set(METHODS) | {CLIENT_RESPONSE, SESSION_DELETE, SESSION_STREAM} == set(JUDGED)


def test_what_is_judged_entry_by_entry_is_filtered():
    listed = {name for name, entry in JUDGED.items() if entry.kind is Kind.LIST}
    assert {name for name, entry in METHODS.items() if entry.listing is not None} == listed


def test_the_mirrored_names_are_those_of_the_sdk():
    of_tasks = {"tasks/get", "tasks/update", "tasks/cancel", "tasks/result"}
    mirrored = {name: entry.mirrored for name, entry in METHODS.items() if entry.mirrored and name not in of_tasks}
    assert mirrored == dict(NAME_BEARING_METHODS)


PARAMS: dict[str, dict[str, Any]] = {
    "tools/call": {"name": "x", "arguments": {"a": 1}},
    "prompts/get": {"name": "x", "arguments": {"a": "1"}},
    "resources/read": {"uri": "note://x"},
    "resources/subscribe": {"uri": "note://x"},
    "resources/unsubscribe": {"uri": "note://x"},
    "completion/complete": {"ref": {"type": "ref/prompt", "name": "x"}, "argument": {"name": "a", "value": ""}},
    "subscriptions/listen": {"notifications": {"resourceSubscriptions": ["note://x"]}},
    "tasks/get": {"taskId": "t"},
    "tasks/result": {"taskId": "t"},
    "tasks/update": {"taskId": "t", "inputResponses": {}},
    "tasks/cancel": {"taskId": "t"},
    "logging/setLevel": {"level": "debug"},
}


@pytest.mark.parametrize("method", sorted(METHODS))
@pytest.mark.parametrize("retry", [pytest.param({}, id="first"), pytest.param({"requestState": "s"}, id="retry")])
def test_a_retry_asks_what_the_first_call_asked(method, retry):
    params = PARAMS.get(method, {})
    first = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    again = first | {"params": params | retry | ({"inputResponses": {"q": {"action": "accept"}}} if retry else {})}
    assert items(read(json.dumps(again).encode())) == items(read(json.dumps(first).encode()))


@pytest.mark.parametrize("method", sorted(set(PARAMS) - {"logging/setLevel", "subscriptions/listen"}))
def test_what_names_nothing_is_refused_where_a_name_is_needed(method):
    with pytest.raises(Refusal) as refusal:
        items(read(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {}}).encode()))
    assert (refusal.value.status, refusal.value.code, refusal.value.request_id) == (400, -32602, 1)


@pytest.mark.matrix
@pytest.mark.timeout(400)
def test_the_list_of_mcp_1_is_what_that_sdk_says():
    from tests.matrix.environments import python

    ran = subprocess.run([python("mcp1"), FOLDER / "names.py"], capture_output=True, check=True, timeout=60)
    assert json.loads(ran.stdout) == OF_MCP_1
