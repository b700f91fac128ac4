"""The two directions of a guarded pipe without any process: lines go in here and come out there."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from mcp_adapter.challenge import Challenger
from mcp_adapter.gate import Gate
from mcp_adapter.pdp import Pdp
from mcp_adapter.record import Recorder
from mcp_adapter.stdio.calls import Calls
from mcp_adapter.stdio.inward import Inward
from mcp_adapter.stdio.lasting import Lasting
from mcp_adapter.stdio.lines import LineWriter, TooLongLine
from mcp_adapter.stdio.outward import Outward
from mcp_adapter.stdio.standing import Standing
from mcp_adapter.streams import Streams
from mcp_adapter.tasks import Tasks
from tests.adapter.bench import Lines
from tests.adapter.open_streams import SOON


class Pipe:
    """Takes what is written, and can be slow or gone."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.gone = False
        self.free = asyncio.Event()
        self.free.set()

    def write(self, data: bytes) -> None:
        if self.gone:
            raise BrokenPipeError
        self.written += data

    async def drain(self) -> None:
        await self.free.wait()

    def close(self) -> None:
        self.closed = True

    @property
    def lines(self) -> list[bytes]:
        return self.written.split(b"\n")[:-1]

    @property
    def messages(self) -> list[Any]:
        return [json.loads(line) for line in self.lines]


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Pair:
    """Both directions of one server."""

    client: Pdp
    audit: Lines
    token: str = "token-alice"
    most: int = 1_000
    max_line: int = 4_096
    to_server: Pipe = field(default_factory=Pipe)
    to_client: Pipe = field(default_factory=Pipe)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        gate, recorder = Gate(self.client, "ops"), Recorder(self.audit)
        calls, tasks, challenger = Calls(recorder, most=self.most), Tasks(), Challenger(help_text="ask #it-access")
        to_server, to_client = LineWriter(self.to_server), LineWriter(self.to_client)
        self.streams = Streams(self.client, pace=SOON, clock=self.clock)
        lasting = Lasting(
            streams=self.streams, challenger=challenger, calls=calls, to_server=to_server, to_client=to_client
        )
        self.calls = calls
        self.inward = Inward(
            gate=gate,
            challenger=challenger,
            bearer=lambda: self.token,
            recorder=recorder,
            calls=calls,
            tasks=tasks,
            lasting=lasting,
            server="ops",
            to_server=to_server,
            to_client=to_client,
            max_line=self.max_line,
        )
        self.standing = Standing(
            gate=gate,
            bearer=lambda: self.token,
            recorder=recorder,
            server="ops",
            streams=self.streams,
            clock=self.clock,
        )
        self.outward = Outward(
            calls=calls, tasks=tasks, standing=self.standing, to_server=to_server, to_client=to_client
        )

    async def says(self, message: Any) -> None:
        """Let the client say something: a message, or the bytes of a line."""
        async with asyncio.timeout(10):
            await self.inward.take(_line(message))

    async def hears(self, message: Any) -> None:
        """Let the server say something."""
        async with asyncio.timeout(10):
            await self.outward.take(_line(message))

    @property
    def answer(self) -> Any:
        return self.to_client.messages[-1]


def _line(message: Any) -> bytes | TooLongLine:
    return message if isinstance(message, bytes | TooLongLine) else json.dumps(message).encode()


def call(tool: str, number: Any = 1, **arguments: Any) -> dict[str, Any]:
    return request("tools/call", number, name=tool, arguments=arguments)


def request(method: str, number: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def result(number: Any = 1, **found: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": found}
