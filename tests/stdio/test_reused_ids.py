"""An id that is used again after a cancellation does not bring a list past the filter."""

import pytest

from mcp_adapter.client import SidecarClient
from tests.stdio.parts import Pair, call, request, result


@pytest.fixture
async def pair(sidecar, lines):
    client = SidecarClient(sidecar.target, timeout=5)
    yield Pair(client, lines)
    await client.close()


async def test_the_list_of_a_cancelled_request_is_filtered_as_the_answer_to_another(pair):
    await pair.says(request("tools/list"))
    await pair.says({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}})
    await pair.says(call("echo"))  # with the same id; the server may not have heard of the cancellation yet
    await pair.hears(result(tools=[{"name": "danger"}, {"name": "echo"}]))
    assert pair.answer["result"]["tools"] == [{"name": "echo"}]
    assert b"danger" not in pair.to_client.written


async def test_a_call_still_says_whether_the_tool_failed(pair):
    await pair.says(call("echo"))
    await pair.hears(result(isError=True, content=[]))
    assert pair.audit.last["tool_error"] is True
