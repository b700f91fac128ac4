"""The client of the sidecar: answers, faults, and who waits for whom."""

import asyncio
from contextlib import suppress

import grpc
import grpc.aio
import pytest

from mcp_adapter.client import SidecarClient
from mcp_adapter.pdp import Fault, Item, News, Unanswered
from tests.adapter.fake_sidecar import ASK, REVISION, FakeSidecar, Table


async def test_an_answer_carries_everything_the_sidecar_said(asker, table):
    answer = await asker.check("token-alice", Item(method="tools/call", tool="echo", arguments=b'{"n":1}'), **ASK)
    assert answer
    assert answer.decisions[0].reason == "allowed_by_rule"
    assert answer.decisions[0].rules[0].source == "policy.csv"
    assert answer.principal.subject == "alice"
    assert (answer.revision, answer.decision_id, answer.expires_at) == (REVISION, "decision-1", 4e9)
    assert not answer.observe
    (asked,) = table.asked
    assert (asked.arguments_json, asked.server, asked.request_id) == (b'{"n":1}', "ops", "r")


async def test_a_no_is_an_answer(asker, table):
    table.observe = True
    answer = await asker.check("", Item(method="tools/call", tool="echo"), **ASK)
    assert not answer
    assert answer.decisions[0].about_token
    assert answer.principal is None
    assert answer.observe


async def test_a_batch_keeps_the_order_of_its_items(asker):
    items = [Item(method="tools/list", tool=name) for name in ("danger", "echo", "x")]
    answer = await asker.check_batch("token-alice", items, **ASK)
    assert [decision.allowed for decision in answer.decisions] == [False, True, False]


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_is_bounded(asker, count):
    with pytest.raises(Unanswered) as unanswered:
        await asker.check_batch("token-alice", [Item(method="ping")] * count, **ASK)
    assert unanswered.value.fault is Fault.INVALID


async def test_a_batch_with_too_few_answers_is_no_answer(run_dir):
    class Short(FakeSidecar):
        async def CheckBatch(self, request, context):  # noqa: N802 - the name of the RPC
            del request.items[1:]
            return await super().CheckBatch(request, context)

    sidecar = await Short(run_dir / "s", Table()).start()
    asker = SidecarClient(sidecar.target, timeout=5)
    with pytest.raises(Unanswered, match="1 answers to 2 items"):
        await asker.check_batch("", [Item(method="ping")] * 2, **ASK)
    await asker.close()
    await sidecar.stop()


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, Fault.INVALID),
        (grpc.StatusCode.UNAVAILABLE, Fault.UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Fault.TIMEOUT),
        (grpc.StatusCode.INTERNAL, Fault.INTERNAL),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Fault.INTERNAL),
        (grpc.StatusCode.UNIMPLEMENTED, Fault.INTERNAL),
    ],
)
async def test_every_error_is_sorted_and_asked_about_once(asker, table, code, fault):
    table.fault = code
    with pytest.raises(Unanswered, match="trouble in `tool`") as unanswered:
        await asker.check("token-alice", Item(method="ping"), **ASK)
    assert unanswered.value.fault is fault
    assert len(table.asked) == 1


async def test_a_slow_sidecar_is_not_waited_for(sidecar, table):
    never = asyncio.Event()
    table.hold = never.wait
    asker = SidecarClient(sidecar.target, timeout=0.05)
    async with asyncio.timeout(10):
        with pytest.raises(Unanswered) as unanswered:
            await asker.check("token-alice", Item(method="ping"), **ASK)
    assert unanswered.value.fault is Fault.TIMEOUT
    never.set()
    await asker.close()


async def test_no_sidecar_is_no_answer_until_there_is_one(run_dir, table):
    run_dir.mkdir(mode=0o700)
    sidecar = FakeSidecar(run_dir / "authz sidecar%41.sock", table)
    asker = SidecarClient(f"unix:{sidecar.socket}", timeout=5)
    with pytest.raises(Unanswered) as unanswered:
        await asker.check("token-alice", Item(method="ping"), **ASK)
    assert unanswered.value.fault is Fault.UNAVAILABLE
    await sidecar.start()
    async with asyncio.timeout(10):
        while True:
            with suppress(Unanswered):
                assert await asker.check("token-alice", Item(method="ping"), **ASK)
                break
    await asker.close()
    await sidecar.stop()


async def test_a_closed_client_opens_again(asker):
    await asker.check("token-alice", Item(method="ping"), **ASK)
    await asker.close()
    await asker.close()
    assert await asker.check("token-alice", Item(method="ping"), **ASK)


async def test_a_client_that_is_closed_while_it_asks_has_no_answer(asker, table):
    reached, never = asyncio.Event(), asyncio.Event()

    async def hold():
        reached.set()
        await never.wait()

    table.hold = hold
    asking = asyncio.create_task(asker.check("token-alice", Item(method="ping"), **ASK))
    async with asyncio.timeout(10):
        await reached.wait()
        await asker.close()
        never.set()
        with pytest.raises((Unanswered, asyncio.CancelledError)):
            await asking


async def test_a_channel_that_closes_under_a_question_has_no_answer(asker):
    await asker.check("token-alice", Item(method="ping"), **ASK)
    await asker._desks[asyncio.get_running_loop()].channel.close()
    with pytest.raises(Unanswered):
        await asker.check("token-alice", Item(method="ping"), **ASK)


async def test_where_nobody_answers_nobody_waits(run_dir, table):
    run_dir.mkdir(mode=0o700)
    asker = SidecarClient(f"unix:{run_dir}/authz.sock", timeout=5)
    said = []
    for _ in range(20):
        with pytest.raises(Unanswered) as unanswered:
            await asker.check("token-alice", Item(method="ping"), **ASK)
        assert unanswered.value.fault is Fault.UNAVAILABLE
        said.append(str(unanswered.value))
    assert "was not asked" in said[-1]
    assert "was not asked" not in said[0]
    sidecar = await FakeSidecar(run_dir / "authz.sock", table).start()
    async with asyncio.timeout(10):
        while True:
            with suppress(Unanswered):
                assert await asker.check("token-alice", Item(method="ping"), **ASK)
                break
            await asyncio.sleep(0.01)
    await asker.close()
    await sidecar.stop()


@pytest.mark.parametrize(
    "code",
    [
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.DEADLINE_EXCEEDED,
    ],
)
async def test_nobody_can_keep_the_others_from_asking(asker, table, code):
    table.fault = code
    for number in range(30):
        with pytest.raises(Unanswered):
            await asker.check_batch("token-alice", [Item(method="ping")], server="ops", request_id=f"r{number}")
    table.fault = None
    assert await asker.check_batch("token-alice", [Item(method="ping")], **ASK)
    assert len(table.asked) == 31


async def test_slow_questions_do_not_keep_the_others_from_asking(sidecar, table):
    never = asyncio.Event()
    asker = SidecarClient(sidecar.target, timeout=5)
    assert await asker.check_batch("token-alice", [Item(method="ping")], **ASK)
    asker._desks[asyncio.get_running_loop()]._seconds = 0.15
    table.hold = never.wait
    for number in range(7):
        with pytest.raises(Unanswered) as unanswered:
            await asker.check_batch("token-alice", [Item(method="ping")], server="ops", request_id=f"r{number}")
        assert unanswered.value.fault is Fault.TIMEOUT
        assert "was not asked" not in str(unanswered.value)
    never.set()
    table.hold = None
    await asker.close()
    assert await asker.check_batch("token-alice", [Item(method="ping")], **ASK)
    await asker.close()


async def test_a_transport_that_is_dead_without_a_word_is_found_out(run_dir):
    """A server that takes connections, and speaks HTTP/2 no more than to greet."""
    run_dir.mkdir(mode=0o700)

    greeted = []

    async def greet(reader, writer):
        greeted.append(asyncio.current_task())
        writer.write(b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")  # SETTINGS
        with suppress(ConnectionError):
            while await reader.read(4096):
                pass
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_unix_server(greet, run_dir / "authz.sock")
    asker = SidecarClient(f"unix:{run_dir}/authz.sock", timeout=0.02)
    said = ""
    async with asyncio.timeout(10):
        while "was not asked" not in said:
            with pytest.raises(Unanswered) as unanswered:
                await asker.check_batch("t", [Item(method="ping")], **ASK)
            said = str(unanswered.value)
    await asker.close()
    await asyncio.wait(greeted, timeout=10)
    server.close()
    await server.wait_closed()


async def test_watching_tells_what_is_in_force_and_each_change(asker, table):
    news = asker.watch()
    async with asyncio.timeout(10):
        assert await anext(news) == News(revision=REVISION, epoch=0)
        await table.tell((REVISION, 1))
        assert await anext(news) == News(revision=REVISION, epoch=1)
        await table.tell(None)
        with pytest.raises(Unanswered, match="ended"):
            await anext(news)
        with pytest.raises(Unanswered, match="older"):
            await anext(asker.watch())


async def test_who_watches_no_longer_holds_nothing(asker, table):
    news = asker.watch()
    async with asyncio.timeout(10):
        await anext(news)
        assert table.watches == 1
        await news.aclose()
        while table.watches:  # noqa: ASYNC110 - the fake has no event for it
            await asyncio.sleep(0.001)
