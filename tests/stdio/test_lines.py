"""Lines of a pipe are whole and bounded, however the bytes arrive."""

import asyncio
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_adapter.stdio.lines import KEPT, LineWriter, TooLongLine, lines, unbroken
from mcp_adapter.stdio.pipes import File
from tests.adapter.bench import Lines, Said
from tests.stdio.parts import Pair, Pipe

_LIMIT = 8


class Chunks:
    """Gives what it is told to, piece by piece."""

    def __init__(self, chunks: list[bytes]) -> None:
        self.chunks = chunks

    async def read(self, n: int = -1, /) -> bytes:
        return self.chunks.pop(0) if self.chunks else b""


async def collected(chunks: list[bytes]) -> list[bytes | TooLongLine]:
    return [line async for line in lines(Chunks(chunks), _LIMIT)]


def expected(data: bytes) -> list[bytes | TooLongLine]:
    """Say the same in the simplest words."""
    whole = [part.removesuffix(b"\r") for part in data.split(b"\n")]
    return [
        TooLongLine(head=line[:KEPT], tail=line[-KEPT:]) if len(line) > _LIMIT else line
        for line in whole
        if len(line) > _LIMIT or line.strip(b" \t")
    ]


PIECES = st.binary(min_size=1, max_size=12).map(lambda data: data.replace(b"x", b"\n"))
LARGE = st.sampled_from([b"a" * KEPT, b"b" * (KEPT - 1) + b"\r", b"c" * 3000])


@settings(deadline=None)
@given(st.lists(PIECES | LARGE, max_size=8))
def test_lines_are_the_same_in_whatever_pieces_they_arrive(chunks):
    data = b"".join(chunks)
    found = asyncio.run(collected(list(chunks)))
    assert found == expected(data)


@settings(deadline=None)
@given(st.recursive(st.none() | st.text(max_size=8) | st.integers(), lambda inner: st.lists(inner, max_size=3)))
def test_an_unbroken_message_says_the_same_in_one_line(value):
    message = json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")
    assert json.loads(unbroken(message)) == value
    assert len(unbroken(message).decode("utf-8", "surrogatepass").splitlines()) == 1


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_line_of_anybody_is_passed_or_refused(data):
    pair = Pair(Said(), Lines())  # type: ignore[arg-type]

    async def both() -> None:
        await pair.says(data)
        await pair.hears(data)

    asyncio.run(both())
    assert len(pair.to_client.lines) + len(pair.to_server.lines) + pair.outward.dropped.total() >= 1


async def test_a_slow_reader_is_waited_for():
    pipe = Pipe()
    pipe.free.clear()
    writing = asyncio.create_task(LineWriter(pipe).put(b"{}"))
    await asyncio.sleep(0)
    assert pipe.written == b"{}\n"
    assert not writing.done()
    pipe.free.set()
    await writing
    LineWriter(pipe).close()
    assert pipe.closed


async def test_a_file_is_read_and_written_to_its_end(tmp_path):
    path = tmp_path / "f"
    with path.open("w+b") as found:
        file = File(found.fileno())
        file.write(b"ab")
        await file.drain()
        file.close()
        found.seek(0)
        assert [await file.read(8), await file.read(8)] == [b"ab", b""]
