"""What is open for long inside a server ends with the right to it."""

import asyncio

import pytest
from mcp.client.subscriptions import SubscriptionLost
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError

from mcp_adapter.hook import Denied, Heard, Hook
from mcp_adapter.mcpserver import AuthzServerMiddleware
from mcp_adapter.pdp import Fault, Unanswered
from tests.adapter.bench import Lines
from tests.adapter.open_streams import SOON, Teller, until, watched
from tests.adapter.real_server import caller, running

ENDS = [
    pytest.param("token_expired", 40100, id="the token ended"),
    pytest.param("token_revoked", 40100, id="the token was revoked"),
    pytest.param("no_matching_rule", 40300, id="the policy was edited"),
]


@pytest.fixture
def teller() -> Teller:
    return Teller()


@pytest.fixture
def lines() -> Lines:
    return Lines()


class Handler:
    """Works until it is told to stop, and remembers whether it was cancelled."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.cancelled = False

    async def __call__(self) -> str:
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "done"


async def unsifted(result, seen):
    return result, None


def hook(teller: Teller, lines: Lines) -> Hook:
    return Hook(server="ops", client=teller, audit=lines, token=lambda: "alice", pace=SOON)


CALL = Heard(method="tools/call", params={"name": "echo"})
LISTEN = Heard(method="subscriptions/listen", params={"notifications": {}}, version="2026-07-28")


@pytest.mark.parametrize("message", [CALL, LISTEN], ids=["a call that takes long", "a subscription"])
@pytest.mark.parametrize(("reason", "code"), ENDS)
async def test_it_ends_at_once_when_we_are_told(teller, lines, message, reason, code):
    handler = Handler()
    running = asyncio.create_task(hook(teller, lines).around(message, handler, unsifted))
    await watched(teller)
    teller.reason["alice"] = reason
    await teller.tell()
    async with asyncio.timeout(10):
        with pytest.raises(Denied) as denied:
            await running
    assert (denied.value.code, handler.cancelled) == (code, True)
    assert (lines.last["outcome"], lines.last["reason"]) == ("ended", reason)
    assert "tool_error" not in lines.last
    await until(lambda: teller.watching == 0)


async def test_what_may_go_on_is_asked_about_and_goes_on(teller, lines):
    handler = Handler()
    running = asyncio.create_task(hook(teller, lines).around(CALL, handler, unsifted))
    await watched(teller)
    asked = len(teller.asked)
    await teller.tell()
    await until(lambda: len(teller.asked) > asked)
    handler.go.set()
    async with asyncio.timeout(10):
        assert await running == "done"
    assert lines.last["outcome"] == "allowed"


async def test_it_ends_with_the_token_also_when_nobody_tells_or_answers(teller, lines):
    teller.deaf, teller.expires_at = True, 1.0
    handler = Handler()
    running = asyncio.create_task(hook(teller, lines).around(LISTEN, handler, unsifted))
    await until(lambda: teller.watched > 0)
    teller.fault = Unanswered(Fault.UNAVAILABLE, "down")
    async with asyncio.timeout(10):
        with pytest.raises(Denied) as denied:
            await running
    assert (denied.value.code, handler.cancelled, lines.last["outcome"]) == (50300, True, "ended")


async def test_what_a_handler_raises_goes_on_unchanged(teller, lines):
    async def broken() -> str:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await hook(teller, lines).around(CALL, broken, unsifted)
    assert (lines.last["outcome"], lines.last["tool_error"]) == ("allowed", True)


async def test_a_request_that_is_cancelled_leaves_nobody_who_watches(teller, lines):
    running = asyncio.create_task(hook(teller, lines).around(CALL, Handler(), unsifted))
    await watched(teller)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert lines.last["outcome"] == "aborted"
    await until(lambda: teller.watching == 0)


async def test_a_real_subscription_ends_with_the_error_that_says_why(sidecar, table, lines):
    guard = AuthzServerMiddleware(server="ops", sidecar=sidecar.target, audit=lines, pace=SOON)
    app = MCPServer("hooked", middleware=[guard]).streamable_http_app()
    async with asyncio.timeout(10), running(app) as url, caller(url, "alice", "auto") as alice:
        async with alice.listen(tools_list_changed=True) as heard:
            await until(lambda: table.watches > 0)
            table.expired.add("token-alice")
            await table.tell(("sha256:next", 1))
            with pytest.raises(SubscriptionLost) as ended:
                async for _ in heard:
                    pass
        assert isinstance(ended.value.__cause__, MCPError)
        assert ended.value.__cause__.error.code == 40100
        table.expired.clear()
    await guard.close()
    (event,) = [one for one in lines.events if one["method"] == "subscriptions/listen"]
    assert (event["outcome"], event["reason"]) == ("ended", "token_expired")
