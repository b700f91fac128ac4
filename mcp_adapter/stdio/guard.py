"""Puts the parts of a guarded local server together and runs it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mcp_adapter.answering import answering, start
from mcp_adapter.challenge import Challenger
from mcp_adapter.gate import Gate
from mcp_adapter.pdp import Pdp
from mcp_adapter.record import Recorder
from mcp_adapter.stdio.bearer import Bearer
from mcp_adapter.stdio.bridge import carry
from mcp_adapter.stdio.calls import Calls
from mcp_adapter.stdio.child import Child
from mcp_adapter.stdio.inward import Inward
from mcp_adapter.stdio.lasting import Lasting
from mcp_adapter.stdio.lines import LineWriter
from mcp_adapter.stdio.outward import Outward
from mcp_adapter.stdio.pipes import reading, writing
from mcp_adapter.stdio.standing import Standing
from mcp_adapter.streams import Pace, Streams
from mcp_adapter.tasks import Tasks

_PACE: Final = Pace(poll=10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What somebody said on the command line."""

    command: Sequence[str]
    bearer: Bearer = field(repr=False)
    sidecar: str
    config: Path | None = None
    server: str = ""
    audit: Path | None = None
    help_text: str = ""
    max_message: int
    timeout: float


async def guard(settings: Settings, *, source: int = 0, sink: int = 1) -> int:
    """Run the server until it, or its client, is gone; give its exit code.

    `source` and `sink` are the file descriptors where the client writes and reads.

    Raises `CannotStart`, and `OSError` or `ValueError` for settings that cannot be used.
    """
    pdp = answering(sidecar=settings.sidecar, config=settings.config, client=None, timeout=settings.timeout)
    recorder = Recorder(settings.audit)
    try:
        recorder.open()  # a log that cannot be opened keeps the server from starting
        await start(pdp)
        return await _run(settings, pdp, recorder, source, sink)
    finally:
        await pdp.close()
        recorder.close()
        for descriptor in (source, sink):  # whoever shares them with us does not expect that they do not wait
            os.set_blocking(descriptor, True)


async def _run(settings: Settings, pdp: Pdp, recorder: Recorder, source: int, sink: int) -> int:
    gate, streams = Gate(pdp, settings.server), Streams(pdp, pace=_PACE)
    challenger = Challenger(help_text=settings.help_text)
    child = await Child.start(settings.command)
    client, to_client, to_server = await reading(source), LineWriter(await writing(sink)), LineWriter(child.stdin)
    calls, tasks = Calls(recorder), Tasks()
    lasting = Lasting(streams=streams, challenger=challenger, calls=calls, to_server=to_server, to_client=to_client)
    inward = Inward(
        gate=gate,
        challenger=challenger,
        bearer=settings.bearer,
        recorder=recorder,
        calls=calls,
        tasks=tasks,
        lasting=lasting,
        server=settings.server,
        to_server=to_server,
        to_client=to_client,
        max_line=settings.max_message,
    )
    standing = Standing(gate=gate, bearer=settings.bearer, recorder=recorder, server=settings.server, streams=streams)
    outward = Outward(calls=calls, tasks=tasks, standing=standing, to_server=to_server, to_client=to_client)
    streams.hold(standing)
    try:
        return await carry(client, child, inward, outward)
    finally:
        streams.drop(standing)
        for end in (client, to_client, to_server, child.stdout):
            end.close()
