"""Runs `mcp-authz stdio` as a process round a server of a few lines."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ECHO = """
import json, sys
print("here I am", file=sys.stderr, flush=True)
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"said": message}}), flush=True)
"""


@dataclass
class Guarded:
    """A running guard."""

    process: asyncio.subprocess.Process

    async def send(self, *messages: Any) -> None:
        for message in messages:
            line = message if isinstance(message, bytes) else json.dumps(message).encode()
            self.stdin.write(line + b"\n")
        await self.stdin.drain()

    async def hear(self) -> Any:
        async with asyncio.timeout(10):
            return json.loads(await self.stdout.readline())

    async def end(self) -> tuple[int, str]:
        """Wait for the end; give the exit code and what stood on standard error."""
        async with asyncio.timeout(10):
            if not self.stdin.is_closing():
                self.stdin.close()
            _, errors = await asyncio.gather(self.stdout.read(), self.stderr.read())
            return await self.process.wait(), errors.decode()

    @property
    def stdin(self) -> asyncio.StreamWriter:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def stdout(self) -> asyncio.StreamReader:
        assert self.process.stdout is not None
        return self.process.stdout

    @property
    def stderr(self) -> asyncio.StreamReader:
        assert self.process.stderr is not None
        return self.process.stderr


@asynccontextmanager
async def guarded(
    sidecar: str,
    audit: Path,
    *command: str,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Guarded]:
    """Guard a command; by default a server that says what it heard."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTHZ_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "mcp_adapter", "stdio", "--sidecar", sidecar, "--server", "ops", "--timeout", "10"),
        *("--audit", str(audit), *options, "--"),
        *(command or (sys.executable, "-c", ECHO)),
        env=kept | {"AUTHZ_TOKEN": "token-alice"} | dict(environment or {}),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2**26,
    )
    try:
        yield Guarded(process)
    finally:
        if process.returncode is None:
            process.terminate()  # by force it could not end its server
            async with asyncio.timeout(10):
                await process.wait()
