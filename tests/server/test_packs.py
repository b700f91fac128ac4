"""A message on CheckStream with several questions: each is answered as if it stood alone."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import grpc
import grpc.aio

from authz_sidecar.server.faults import Faults
from authz_sidecar.server.stream import Interleave
from authz_sidecar.wire import authz_pb2 as pb
from authz_sidecar.wire.authz_pb2_grpc import AuthorizationServiceStub
from tests.server.fakes import FakeMeter, Running, running

MORE = ("authz-stream", "more")
INVALID = grpc.StatusCode.INVALID_ARGUMENT.value[0]


def question(name: str, tool: str = "ok", token: str = "alice") -> pb.CheckRequest:  # noqa: S107 - no secret
    return pb.CheckRequest(token=token, method="tools/call", tool=tool, request_id=name)


def pack(questions: Iterable[pb.CheckRequest]) -> pb.CheckStreamRequest:
    first, *more = questions
    return pb.CheckStreamRequest(check=first, more=more)


async def answers(call: AsyncIterator[pb.CheckStreamResponse]) -> tuple[list[pb.CheckStreamResponse], int]:
    """Give every answer up to the end, and how many messages they came in."""
    found: list[pb.CheckStreamResponse] = []
    messages = 0
    async for message in call:
        messages += 1
        found += (message, *message.more)
    return found, messages


async def test_the_sidecar_says_at_once_that_it_reads_more(serving: Running) -> None:
    call = AuthorizationServiceStub(serving.channel).CheckStream(timeout=5)
    assert MORE in tuple(await call.initial_metadata())
    call.cancel()


async def test_many_questions_of_a_message_come_back_in_few(serving: Running) -> None:
    call = AuthorizationServiceStub(serving.channel).CheckStream(timeout=5, metadata=(MORE,))
    names = [f"r{number}" for number in range(192)]
    for start in range(0, 192, 64):
        await call.write(pack(question(name, token=f"user-{name}") for name in names[start : start + 64]))
    await call.done_writing()
    found, messages = await answers(call)
    assert {one.request_id: one.check.principal.subject for one in found} == {name: f"user-{name}" for name in names}
    assert all(one.check.allowed for one in found)
    assert messages < 20


async def test_a_caller_who_did_not_say_that_it_reads_more_gets_one_in_each(serving: Running) -> None:
    call = AuthorizationServiceStub(serving.channel).CheckStream(timeout=5)
    await call.write(pack(question(f"r{number}") for number in range(10)))
    await call.done_writing()
    found, messages = await answers(call)
    assert (len(found), messages) == (10, 10)


async def test_each_question_of_a_message_is_refused_for_itself(serving: Running) -> None:
    call = AuthorizationServiceStub(serving.channel).CheckStream(timeout=5, metadata=(MORE,))
    await call.write(pack([question("a"), question(""), question("a"), question("b", "x" * 2049), question("c", "no")]))
    await call.done_writing()
    found, _ = await answers(call)
    said = Counter((one.request_id, one.error.code, one.check.allowed) for one in found)
    assert said == {
        ("a", 0, True): 1,
        ("", INVALID, False): 1,
        ("a", INVALID, False): 1,
        ("b", INVALID, False): 1,
        ("c", 0, False): 1,
    }


async def test_beyond_64_questions_of_a_message_none_is_answered(serving: Running) -> None:
    call = AuthorizationServiceStub(serving.channel).CheckStream(timeout=5, metadata=(MORE,))
    await call.write(pack(question(f"r{number}") for number in range(70)))
    await call.done_writing()
    found, _ = await answers(call)
    assert Counter(one.error.code for one in found) == {0: 64, INVALID: 6}
    assert len(serving.decider.queries) == 64


async def test_no_more_are_under_way_than_a_message_beyond_what_may(short: Path) -> None:
    async with running(short, in_flight=3) as it:
        gate = asyncio.Event()
        it.decider.hold = lambda query: gate
        call = AuthorizationServiceStub(it.channel).CheckStream(timeout=5, metadata=(MORE,))
        for at in range(10):
            await call.write(pack(question(f"{at}-{number}") for number in range(5)))
        await call.done_writing()
        await AuthorizationServiceStub(it.channel).WatchPolicy(pb.WatchPolicyRequest()).read()  # lets the server work
        assert len(it.decider.queries) <= 3 + 5
        gate.set()
        found, _ = await answers(call)
        assert len(found) == 50


async def test_what_was_read_is_answered_when_the_sidecar_stops(short: Path) -> None:
    async with running(short, in_flight=3) as it:
        gate = asyncio.Event()
        it.decider.hold = lambda query: gate
        call = AuthorizationServiceStub(it.channel).CheckStream(timeout=5, metadata=(MORE,))
        await call.write(pack(question(str(number)) for number in range(5)))
        async with asyncio.timeout(5):
            await it.decider.entered.wait()
        stopping = asyncio.create_task(it.server.drain(5))
        gate.set()
        found, _ = await answers(call)
        assert sorted(one.request_id for one in found) == list("01234")
        await stopping


async def test_answers_that_waited_for_a_slow_reader_leave_together_before_the_end() -> None:
    first = asyncio.Event()

    async def ask(request: pb.CheckRequest) -> pb.CheckResponse:
        if request.request_id != "0":
            await first.wait()
        return pb.CheckResponse(allowed=True, request_id=request.request_id)

    async def requests() -> AsyncIterator[pb.CheckStreamRequest]:
        yield pack(question(str(number)) for number in range(5))

    written: list[int] = []
    slow = asyncio.Event()

    async def write(response: pb.CheckStreamResponse) -> None:
        written.append(1 + len(response.more))
        if len(written) == 1:
            first.set()
            asyncio.get_running_loop().call_later(0.01, slow.set)
            await slow.wait()

    meter = FakeMeter()
    stream = Interleave(
        ask,
        faults=Faults(meter=meter, new_id=lambda: "e"),
        meter=meter,
        stopping=asyncio.Event(),
        in_flight=10,
        packs=True,
    )
    async with asyncio.timeout(5):
        await stream.run(requests(), write)
    assert written == [1, 4]


async def test_a_request_id_is_free_as_soon_as_its_answer_can_be_read() -> None:
    """A caller may ask again before the write of the answer has returned to us."""
    asked, again, written = asyncio.Semaphore(0), asyncio.Event(), list[bool]()

    async def ask(check: pb.CheckRequest) -> pb.CheckResponse:
        asked.release()
        return pb.CheckResponse(allowed=True)

    async def requests() -> AsyncIterator[pb.CheckStreamRequest]:
        yield pb.CheckStreamRequest(check=question("1"))
        await again.wait()
        yield pb.CheckStreamRequest(check=question("1"))

    async def write(response: pb.CheckStreamResponse) -> None:
        written.append(response.check.allowed)
        if len(written) == 1:
            await asked.acquire()
            again.set()
            await asked.acquire()  # the second question was taken, and this write is not over

    meter = FakeMeter()
    faults = Faults(meter=meter, new_id=lambda: "e")
    stream = Interleave(ask, faults=faults, meter=meter, stopping=asyncio.Event(), in_flight=10)
    async with asyncio.timeout(5):
        await stream.run(requests(), write)
    assert written == [True, True]
