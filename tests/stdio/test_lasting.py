"""What stays open over a pipe ends with the right to it, and the client hears why."""

import pytest

from mcp_adapter.pdp import Fault, Unanswered
from tests.adapter.open_streams import Teller, until
from tests.stdio.parts import Pair, call, request, result

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}


@pytest.fixture
def teller() -> Teller:
    return Teller()


@pytest.fixture
async def pair(teller, lines):
    found = Pair(teller, lines, token="alice")
    yield found
    found.calls.end_all()
    found.streams.drop(found.standing)


def listening(number: int = 1, *uris: str):
    return request("subscriptions/listen", number, notifications={"resourceSubscriptions": uris}, _meta=META)


def of(number: object):
    return CHANGED | {"params": {"_meta": {"io.modelcontextprotocol/subscriptionId": number}}}


async def settled(pair: Pair, number: int = 1) -> None:
    await until(lambda: len(pair.streams) >= number and pair.streams.mark() is not None)


ENDS = [
    pytest.param("token_expired", 40100, id="the token ended"),
    pytest.param("token_revoked", 40100, id="the token was revoked"),
    pytest.param("no_matching_rule", 40300, id="the policy was edited"),
]


@pytest.mark.parametrize(("reason", "code"), ENDS)
@pytest.mark.parametrize("message", [listening(), call("echo")], ids=["a subscription", "a call that takes long"])
async def test_what_is_open_ends_at_once_when_we_are_told(pair, teller, message, reason, code):
    await pair.says(message)
    await settled(pair)
    teller.reason["alice"] = reason
    await teller.tell()
    await until(lambda: len(pair.to_server.lines) == 2)
    (told,) = pair.to_client.messages
    assert (told["id"], told["error"]["code"]) == (1, code)
    cancelled = pair.to_server.messages[-1]
    assert (cancelled["method"], cancelled["params"]["requestId"]) == ("notifications/cancelled", 1)
    assert (pair.audit.last["outcome"], pair.audit.last["reason"]) == ("ended", reason)
    await pair.hears(result(content=[]))  # too late
    assert len(pair.to_client.lines) == 1
    assert len(pair.streams) == 0


async def test_a_subscription_ends_when_one_of_its_resources_is_lost(pair, teller):
    teller.may["alice"].add("note://a")
    await pair.says(listening(1, "note://a"))
    await pair.says(listening(2))
    await settled(pair, 2)
    teller.may["alice"].discard("note://a")
    await teller.tell()
    await until(lambda: len(pair.to_client.lines) == 1)
    assert pair.answer["id"] == 1
    await pair.hears(of(1))
    await pair.hears(of(2))
    await pair.hears(of("2"))
    await pair.hears(CHANGED)
    assert pair.to_client.messages[1:] == [of(2), of("2"), CHANGED]
    assert pair.outward.dropped == {"what belongs to no open subscription": 1}


async def test_the_end_of_the_token_is_noticed_without_being_told(pair, teller):
    teller.expires_at = pair.clock.now + 0.02
    await pair.says(listening())
    await settled(pair)
    teller.reason["alice"] = "token_expired"
    pair.clock.now += 1
    await until(lambda: len(pair.to_client.lines) == 1)
    assert pair.answer["error"]["code"] == 40100


async def test_a_new_token_of_the_same_caller_keeps_it_open(pair, teller):
    await pair.says(listening())
    await settled(pair)
    teller.may["carol"] = set()
    asked = len(teller.asked)
    await teller.tell()
    await until(lambda: len(teller.asked) > asked)
    assert pair.to_client.lines == []
    pair.token = "carol"  # who is somebody else
    await teller.tell()
    await until(lambda: len(pair.to_client.lines) == 1)
    assert pair.answer["error"]["message"] == "the session belongs to another caller (ask #it-access)"


async def test_an_answer_in_time_is_not_followed_by_another(pair, teller):
    await pair.says(call("echo"))
    await settled(pair)
    await pair.hears(result(content=[]))
    assert len(pair.streams) == 0
    assert pair.to_client.messages == [result(content=[])]


async def test_a_handshake_that_is_ended_is_not_cancelled(pair, teller):
    await pair.says(request("initialize", protocolVersion="2025-06-18"))
    await settled(pair)
    teller.reason["alice"] = "token_revoked"
    await teller.tell()
    await until(lambda: len(pair.to_client.lines) == 1)
    assert len(pair.to_server.lines) == 1


async def test_an_end_is_told_even_if_the_server_is_gone(pair, teller):
    await pair.says(listening())
    await settled(pair)
    pair.to_server.gone = True
    teller.reason["alice"] = "token_revoked"
    await teller.tell()
    await until(lambda: len(pair.to_client.lines) == 1)


async def test_an_answer_that_was_being_filtered_when_its_request_ended_does_not_pass(pair, teller):
    await pair.says(request("tools/list"))
    await settled(pair)
    teller.reason["alice"] = "token_revoked"
    original = teller.check_batch

    async def slow(token, items, **more):
        await teller.tell()
        await until(lambda: len(pair.to_client.lines) == 1)
        return await original(token, items, **more)

    teller.check_batch = slow
    await pair.hears(result(tools=[{"name": "echo"}]))
    (told,) = pair.to_client.messages
    assert told["error"]["code"] == 40100


# -- what the server says of its own accord --


async def test_a_revocation_reaches_a_caller_that_only_hears(pair, teller):
    pair.streams.hold(pair.standing)
    await settled(pair)
    await pair.hears(CHANGED)
    asked = len(teller.asked)
    pair.clock.now += 60
    await pair.hears(CHANGED)
    assert len(teller.asked) == asked  # we would have been told
    teller.reason["alice"] = "token_revoked"
    mark = pair.streams.mark()
    await teller.tell()
    await until(lambda: pair.streams.mark() != mark)
    await pair.hears(CHANGED)
    assert pair.to_client.messages == [CHANGED, CHANGED]
    assert pair.outward.dropped == {"what the caller may no longer hear": 1}


async def test_while_nobody_tells_it_is_asked_every_ten_seconds(pair, teller):
    teller.deaf = True
    pair.streams.hold(pair.standing)
    await until(lambda: teller.watched > 0)
    await pair.hears(CHANGED)
    teller.reason["alice"] = "token_revoked"
    pair.clock.now += 11
    await pair.hears(CHANGED)
    assert pair.to_client.messages == [CHANGED]


async def test_without_an_answer_nothing_more_is_heard(pair, teller):
    teller.fault = Unanswered(Fault.TIMEOUT, "slow")
    await pair.hears(CHANGED)
    assert pair.to_client.messages == []


async def test_at_the_end_of_a_token_that_was_renewed_it_is_asked_again_and_heard(pair, teller):
    teller.expires_at = pair.clock.now + 5
    await pair.hears(CHANGED)
    pair.clock.now += 6
    teller.expires_at += 60
    await pair.hears(CHANGED)
    assert pair.to_client.messages == [CHANGED, CHANGED]
    assert [event["outcome"] for event in pair.audit.events] == ["allowed"]


async def test_a_request_ends_when_nobody_answers_after_its_token_did(pair, teller):
    teller.expires_at = pair.clock.now + 1
    await pair.says(listening())
    await settled(pair)
    pair.clock.now += 2
    teller.fault = Unanswered(Fault.UNAVAILABLE, "down")
    await teller.tell()
    await until(lambda: len(pair.to_client.lines) == 1)
    assert pair.answer["error"]["code"] == 50300
    assert pair.audit.last["outcome"] == "ended"


@pytest.mark.parametrize(
    "params",
    [
        pytest.param(7, id="no object"),
        pytest.param({"_meta": 7}, id="no _meta"),
        pytest.param({"_meta": {"io.modelcontextprotocol/subscriptionId": [1]}}, id="no id"),
        pytest.param({}, id="nothing"),
    ],
)
async def test_a_notification_of_no_subscription_passes(pair, params):
    await pair.hears(CHANGED | {"params": params})
    assert len(pair.to_client.lines) == 1
