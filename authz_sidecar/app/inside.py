"""The sidecar inside another program: every room and every door of `serve`, in that program's own event loop."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from pathlib import Path

import structlog

from authz_sidecar import configfile, oplog
from authz_sidecar.app.run import Sidecar
from authz_sidecar.app.state import taken
from authz_sidecar.errors import AuthzError
from authz_sidecar.server.faults import Faults, Refusal
from authz_sidecar.server.reports import News
from authz_sidecar.server.servicer import AuthorizationServicer
from authz_sidecar.wire import authz_pb2 as pb


class NoAnswer(Exception):
    """We could not answer: what gRPC would say in place of an answer."""

    def __init__(self, refusal: Refusal) -> None:
        """Take the status and the words."""
        super().__init__(refusal.text)
        self.refusal = refusal


class Inside:
    """A sidecar that answers by a call; its sockets are served too, so that every command finds it.

    The questions and answers are those of the wire, and pass the same checks. One event loop opens, asks and closes.
    """

    def __init__(self, path: Path) -> None:
        """Read the configuration and build; raises `ConfigError`. Only the decision log is opened."""
        if not structlog.is_configured():  # its own default is standard output, which may carry a protocol
            oplog.configure()
        config = configfile.load(path)
        self._held = ExitStack()
        self._held.enter_context(taken(config.state))
        try:
            self._sidecar = Sidecar(config)
        except BaseException:
            self._held.close()
            raise
        self._faults = Faults(meter=self._sidecar.metrics, new_id=self._sidecar.new_id)
        self._servicer = AuthorizationServicer(
            decider=self._sidecar.decider,
            news=self._sidecar.desk,
            faults=self._faults,
            meter=self._sidecar.metrics,
            stopping=asyncio.Event(),
        )

    async def open(self) -> None:
        """Open the doors and load the policy; raises `ConfigError`, and leaves nothing behind then."""
        try:
            await self._sidecar.open()
        except BaseException:
            await self.close()
            raise

    async def check(self, request: pb.CheckRequest) -> pb.CheckResponse:
        """Answer one question; raises `NoAnswer`."""
        try:
            return await self._servicer.Check(request, None)
        except Exception as error:  # noqa: BLE001 - the outermost catch: denies, counts and logs
            raise NoAnswer(self._faults.refusal("Check", error)) from None

    async def check_batch(self, request: pb.CheckBatchRequest) -> pb.CheckBatchResponse:
        """Answer many questions by one revision; raises `NoAnswer`."""
        try:
            return await self._servicer.CheckBatch(request, None)
        except Exception as error:  # noqa: BLE001 - the outermost catch: denies, counts and logs
            raise NoAnswer(self._faults.refusal("CheckBatch", error)) from None

    async def changes(self) -> AsyncGenerator[News, None]:
        """Tell what is in force now, and then each change; raises `NoAnswer` when there is nothing."""
        try:
            async with aclosing(self._sidecar.desk.changes()) as changes:
                async for news in changes:
                    yield news
        except AuthzError as error:
            raise NoAnswer(self._faults.refusal("WatchPolicy", error)) from None

    async def close(self) -> None:
        """Close the doors, write every log, and leave the state directory to the next."""
        try:
            await self._sidecar.close()
        finally:
            self._held.close()
