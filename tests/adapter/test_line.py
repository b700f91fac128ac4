"""Many questions on one stream: matched, bounded, and none hurts another."""

import asyncio

import grpc
import pytest

from mcp_adapter.client import SidecarClient
from mcp_adapter.line import LARGEST, Line
from mcp_adapter.pdp import Fault, Item, Unanswered
from mcp_adapter.wording import question
from tests.adapter.fake_sidecar import FakeSidecar
from tests.adapter.open_streams import until

ECHO = Item(method="tools/call", tool="echo")


async def ask(asker: SidecarClient, name: str, *, who: str = "alice", item: Item = ECHO):
    return await asker.check(f"token-{who}", item, server="ops", request_id=name)


async def streaming(asker: SidecarClient) -> Line:
    """Ask once, and wait until questions go on a stream."""
    await ask(asker, "first")
    desk = asker._desks[asyncio.get_running_loop()]
    await until(lambda: desk._line is not None and desk._line.was_open)
    return desk._line


async def test_the_first_question_waits_for_no_stream(asker, table):
    await streaming(asker)
    assert table.packs == []
    assert await ask(asker, "b")
    assert table.packs == [1]


async def test_a_hundred_callers_get_their_own_answers_in_few_messages(asker, table):
    await streaming(asker)
    answers = await asyncio.gather(
        *(ask(asker, f"r{n}", who=("alice", "bob")[n % 2]) for n in range(100)),
        *(ask(asker, f"s{n}", who="nobody") for n in range(20)),
    )
    assert [bool(answer) for answer in answers] == [True, False] * 50 + [False] * 20
    assert [answer.principal.subject for answer in answers[:100]] == ["alice", "bob"] * 50
    assert sum(table.packs) == 120
    assert len(table.packs) < 20
    assert max(table.packs) == 64
    assert table.streamed == 1


async def test_more_questions_than_a_stream_takes_go_by_themselves(asker, table):
    await streaming(asker)
    gate = asyncio.Event()
    table.hold = gate.wait
    asking = [asyncio.create_task(ask(asker, f"r{n}")) for n in range(200)]
    await until(lambda: len(table.asked) >= 201)
    assert sum(table.packs) == 128
    gate.set()
    assert all(await asyncio.gather(*asking))


@pytest.mark.parametrize(
    ("name", "item"),
    [
        pytest.param("", ECHO, id="without a name"),
        pytest.param("big", Item(method="tools/call", tool="echo", arguments=b"x" * LARGEST), id="too large"),
    ],
)
async def test_what_could_hurt_the_others_goes_by_itself(asker, table, name, item):
    await streaming(asker)
    assert await ask(asker, name, item=item)
    assert table.packs == []


async def test_a_name_that_is_in_flight_goes_by_itself(asker, table):
    await streaming(asker)
    gate = asyncio.Event()
    table.hold = gate.wait
    asking = [asyncio.create_task(ask(asker, "same")) for _ in range(3)]
    await until(lambda: len(table.asked) >= 4)
    assert table.packs == [1]
    gate.set()
    assert all(await asyncio.gather(*asking))


async def test_an_error_is_of_one_question(asker, table):
    await streaming(asker)
    table.fault = grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(Unanswered, match="trouble") as told:
        await ask(asker, "bad")
    assert told.value.fault is Fault.INVALID
    table.fault = grpc.StatusCode.RESOURCE_EXHAUSTED
    with pytest.raises(Unanswered) as told:
        await ask(asker, "bad")
    assert told.value.fault is Fault.INTERNAL
    table.fault = None
    assert await ask(asker, "good")
    assert table.streamed == 1


async def test_a_caller_who_goes_away_leaves_the_others_alone(asker, table):
    line = await streaming(asker)
    gate = asyncio.Event()
    table.hold = gate.wait
    asking = [asyncio.create_task(ask(asker, f"r{n}")) for n in range(10)]
    await asyncio.sleep(0)
    for task in asking[::2]:
        task.cancel()
    gate.set()
    done = await asyncio.gather(*asking, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in done] == [True, False] * 5
    assert all(done[1::2])
    await until(lambda: not line._waiting)
    assert table.streamed == 1
    assert await ask(asker, "r0"), "its name is free again"


async def test_a_question_that_nobody_waits_for_any_more_is_not_asked(asker, table):
    await streaming(asker)
    task = asyncio.create_task(ask(asker, "gone"))
    await asyncio.sleep(0)
    task.cancel()
    assert await ask(asker, "stays")
    assert [one.request_id for one in table.asked] == ["first", "stays"]


async def test_a_slow_question_times_out_alone(sidecar, table):
    asker = SidecarClient(sidecar.target, timeout=1)
    await streaming(asker)
    stuck = asyncio.Event()

    async def hold() -> None:
        if table.asked[-1].request_id == "slow":
            await stuck.wait()

    table.hold = hold
    slow = asyncio.create_task(ask(asker, "slow"))
    await until(lambda: table.asked[-1].request_id == "slow")
    while not slow.done():
        assert await ask(asker, f"r{len(table.asked)}")
    with pytest.raises(Unanswered) as told:
        await slow
    assert told.value.fault is Fault.TIMEOUT
    assert table.streamed == 1
    stuck.set()
    assert await ask(asker, "after")
    await asker.close()


async def test_a_stream_on_which_nothing_comes_is_given_up(sidecar, table):
    asker = SidecarClient(sidecar.target, timeout=5)
    line = await streaming(asker)
    desk = asker._desks[asyncio.get_running_loop()]
    desk._seconds = 0.05
    stuck = asyncio.Event()
    table.hold = stuck.wait
    with pytest.raises(Unanswered) as told:
        await ask(asker, "slow")
    assert told.value.fault is Fault.TIMEOUT
    assert line.over
    stuck.set()
    table.hold = None
    await until(line._reading.done)
    desk._seconds = 5
    assert await ask(asker, "after")
    await asker.close()


async def test_a_restarted_sidecar_is_asked_again(sidecar, run_dir, table):
    asker = SidecarClient(sidecar.target, timeout=5)
    line = await streaming(asker)
    stuck = asyncio.Event()
    table.hold = stuck.wait
    asking = [asyncio.create_task(ask(asker, f"r{n}")) for n in range(5)]
    await until(lambda: len(table.asked) >= 6)
    await sidecar.stop()
    for told in await asyncio.gather(*asking, return_exceptions=True):
        assert isinstance(told, Unanswered)
        assert told.fault is Fault.UNAVAILABLE
    assert line.over
    stuck.set()
    table.hold = None
    asked = len(table.asked)
    again = await FakeSidecar(sidecar.socket, table).start()

    async def answered() -> bool:
        try:
            return bool(await ask(asker, f"again-{len(table.asked)}"))
        except Unanswered:
            return False

    async with asyncio.timeout(10):
        while not await answered() or table.streamed < 2:  # noqa: ASYNC110 - a sidecar has no event for us
            await asyncio.sleep(0.01)
    names = [one.request_id for one in table.asked[asked:]]
    assert len(names) == len(set(names)), "no question was asked twice"
    await asker.close()
    await again.stop()


async def test_an_older_sidecar_is_asked_one_by_one(asker, table):
    table.streams = False
    for number in range(5):
        assert await ask(asker, f"r{number}")
    assert table.packs == []
    assert table.streamed == 0


async def test_a_sidecar_that_does_not_say_that_it_reads_more_is_asked_one_by_one(run_dir, table):
    class Old(FakeSidecar):
        async def CheckStream(self, requests, context):  # noqa: N802 - the name of the RPC
            await context.send_initial_metadata(())
            async for _ in requests:
                raise AssertionError("a question on this stream")

    sidecar = await Old(run_dir / "s", table).start()
    asker = SidecarClient(sidecar.target, timeout=5)
    for number in range(5):
        assert await ask(asker, f"r{number}")
        await asyncio.sleep(0)
    await asker.close()
    await sidecar.stop()


async def test_closing_ends_what_is_in_flight(asker, table):
    await streaming(asker)
    stuck = asyncio.Event()
    table.hold = stuck.wait
    task = asyncio.create_task(ask(asker, "r"))
    await until(lambda: len(table.asked) >= 2)
    await asker.close()
    with pytest.raises(Unanswered):
        await task
    stuck.set()
    table.hold = None
    assert await ask(asker, "after")


class Silent:
    """A stream that opens, and whose writing fails."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    async def opened(self) -> bool:
        return True

    async def write(self, request) -> None:
        raise Unanswered(Fault.INTERNAL, "broken")

    async def read(self):
        await self.ended.wait()

    def cancel(self) -> None:
        self.ended.set()


async def test_a_stream_that_cannot_be_written_to_has_no_answers():
    line = Line(Silent())
    await until(lambda: line.was_open)
    asked = question("t", ECHO, server="", request_id="r")
    assert line.takes(asked)
    with pytest.raises(Unanswered) as told:
        await line.ask(asked, 5)
    assert told.value.fault is Fault.UNAVAILABLE
    assert line.over
    await until(line._reading.done)
    assert not line.takes(asked)
    await line.close()
