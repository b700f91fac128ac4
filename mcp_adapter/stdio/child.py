"""The guarded server as a process: starts it, hands it signals, and makes sure that it ends."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from signal import SIGKILL, SIGTERM, Signals
from typing import Final

from mcp_adapter.stdio.pipes import Readable, Writable, reading, writing

_OURS: Final = "AUTHZ_"
_BY_SIGNAL: Final = 128


class CannotStart(Exception):
    """The server's command cannot be run; `code` is what a shell would exit with."""

    def __init__(self, text: str, code: int) -> None:
        """Take what is wrong, and the exit code."""
        super().__init__(text)
        self.code: Final = code


def without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """Give the environment without what is ours: the token, and what overrides our configuration."""
    return {name: value for name, value in environment.items() if not name.startswith(_OURS)}


class Child:
    """A running server, with all that it started, in a process group of its own."""

    def __init__(
        self, process: asyncio.subprocess.Process, stdin: Writable, stdout: Readable, *, patience: float
    ) -> None:
        """Take the process with our ends of its pipes, and the seconds that it gets after each request to end."""
        self._process = process
        self.stdin: Final = stdin
        self.stdout: Final = stdout
        self._patience = patience
        self._ending: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, command: Sequence[str], *, patience: float = 5.0) -> "Child":
        """Run the command; standard error is ours. Raises `CannotStart`."""
        # Pipes of our own: asyncio's would not say that the server has ended while something that it started lives.
        its_input, our_output = os.pipe()
        our_input, its_output = os.pipe()
        try:
            # A group of its own: a terminal's Ctrl-C comes from us alone, and ends also what a launcher has started.
            process = await asyncio.create_subprocess_exec(
                *command, stdin=its_input, stdout=its_output, env=without_ours(os.environ), process_group=0
            )
            return cls(process, await writing(our_output), await reading(our_input), patience=patience)
        except FileNotFoundError:
            raise CannotStart(f"`{command[0]}`: no such command", 127) from None
        except OSError as error:
            raise CannotStart(f"`{command[0]}`: {error.strerror}", 126) from None
        finally:
            for descriptor in (its_input, our_output, our_input, its_output):
                os.close(descriptor)  # those that are used were handed on

    def hear(self, number: Signals) -> None:
        """Hand on a signal; a server that ignores it is ended all the same."""
        self._tell(number)
        self.end()

    def end(self) -> None:
        """Ask it to end by closing its input, then by SIGTERM, then by force (MCP, "Lifecycle", stdio shutdown)."""
        if self._ending is None and self._process.returncode is None:
            self._ending = asyncio.create_task(self._end())

    async def ended(self) -> int:
        """Wait for the end and give the exit code, as a shell would say it."""
        code = await self._process.wait()
        if self._ending is not None:
            self._ending.cancel()
        return code if code >= 0 else _BY_SIGNAL - code

    def clear(self) -> None:
        """End what the server has left behind and what still holds its output."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, SIGKILL)

    async def _end(self) -> None:
        self.stdin.close()
        for number in (SIGTERM, SIGKILL):
            await asyncio.sleep(self._patience)
            self._tell(number)

    def _tell(self, number: Signals) -> None:
        if self._process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
